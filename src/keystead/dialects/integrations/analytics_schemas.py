"""Shapes of what Google Analytics tells, for the OpenAPI page. Not reused inside."""

from pydantic import Field

from keystead.http.shapes import Shape


class Property(Shape):
    """A property that a key views."""

    id: str = Field(examples=["123456789"])
    name: str
    type: str = Field(examples=["ordinary"], description="ordinary, subproperty or rollup")
    account: str


class Properties(Shape):
    """All properties of a key."""

    ok: bool
    properties: list[Property]


class Day(Shape):
    """What a property counted on a day."""

    date: str = Field(examples=["2026-11-01"])
    active_users: int
    new_users: int
    sessions: int
    views: int


class Report(Shape):
    """A property's visits by day; days of nobody are in it."""

    ok: bool
    property_id: int
    days: list[Day]


class Realtime(Shape):
    """How many a property has seen within the last minutes."""

    ok: bool
    property_id: int
    active_users: int
    minutes: int
