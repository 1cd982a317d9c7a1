"""The native API's shapes of monitors at HostTracker, and how they are presented."""

from typing import Any

from pydantic import AwareDatetime, Field

from keystead.dialects.v1.bases import Answer, Body
from keystead.operations.providers.monitors import States
from keystead.providers.hosttracker import Monitor as Value
from keystead.providers.hosttracker import MonitorWish


class Monitor(Answer):
    """A monitor."""

    id: str
    name: str
    type: str = Field(examples=["http"], description="HostTracker's word")
    url: str
    state: str = Field(description="up, down, paused or maintenance")
    is_enabled: bool
    since: AwareDatetime | None = Field(description="Since when it is in this state")
    interval_s: int | None = Field(description="Seconds between checks; not told in a list")


class Monitors(Answer):
    """All monitors of a credential, and how many are in each state."""

    items: list[Monitor]
    counts: dict[str, int]


class MonitorCreate(Body):
    """A monitor to be made."""

    url: str = Field(min_length=1, max_length=2048, description="What the type takes: a URL, a host, a port")
    type: str = Field("http", pattern="^[A-Za-z0-9]{1,32}$", description="One of HostTracker's types")
    name: str | None = Field(None, max_length=255)
    interval_s: int | None = Field(None, ge=1, le=2**31, description="Seconds between checks; default: the account's")


def wish(wanted: MonitorCreate) -> MonitorWish:
    """Return what is asked for."""
    return MonitorWish(wanted.url, wanted.type, wanted.name, wanted.interval_s)


def monitors(found: States) -> dict[str, Any]:
    """Present monitors."""
    return {"items": [monitor(one) for one in found.monitors], "counts": found.counts}


def monitor(value: Value) -> dict[str, Any]:
    """Present a monitor."""
    return {
        "id": value.id,
        "name": value.name,
        "type": value.kind,
        "url": value.url,
        "state": value.state,
        "is_enabled": value.is_enabled,
        "since": value.since,
        "interval_s": value.interval_s,
    }
