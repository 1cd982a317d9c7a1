"""Shapes of monitors, for the OpenAPI page. Not reused inside."""

from pydantic import Field

from keystead.http.shapes import Shape


class MonitorWanted(Shape):
    """A monitor to be made."""

    key_id: int
    url: str = Field(examples=["https://example.com/health"], description="What the type takes: a URL, a host, a port")
    type: str = Field("http", description="One of HostTracker's types")
    name: str | None = None
    interval: int | None = Field(None, description="Seconds between checks; default: the account's")


class Monitor(Shape):
    """A monitor."""

    id: str
    name: str
    type: str
    url: str
    state: str = Field(examples=["up"], description="up, down, paused or maintenance")
    enabled: bool
    since: int | None = Field(description="Since when it is in this state, in Unix seconds")
    interval: int | None = Field(description="Seconds between checks; not told in a list")


class Monitors(Shape):
    """All monitors of a key."""

    ok: bool
    monitors: list[Monitor]


class OneMonitor(Shape):
    """A monitor that was made."""

    ok: bool
    monitor: Monitor


class State(Shape):
    """What state a monitor is in."""

    id: str
    name: str
    url: str
    state: str
    since: int | None


class States(Shape):
    """The state of every monitor now, and how many are in each."""

    ok: bool
    counts: dict[str, int]
    states: list[State]
