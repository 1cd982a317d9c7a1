"""The native API's shapes of what Google Analytics tells, and how they are presented."""

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from keystead.dialects.v1.bases import Answer
from keystead.providers import google_analytics as values


class AnalyticsProperty(Answer):
    """A property that the credential views."""

    id: str = Field(examples=["123456789"])
    name: str
    kind: str = Field(examples=["ordinary"], description="ordinary, subproperty or rollup")
    account: str


class AnalyticsProperties(Answer):
    """All properties of a credential."""

    items: list[AnalyticsProperty]


class AnalyticsDay(Answer):
    """What a property counted on a day of its own time zone."""

    day: str = Field(examples=["2026-11-01"])
    active_users: int
    new_users: int
    sessions: int
    views: int


class AnalyticsReport(Answer):
    """A property's visits by day; days of nobody are among them."""

    items: list[AnalyticsDay]


class AnalyticsRealtime(Answer):
    """How many a property has seen within the last minutes."""

    active_users: int
    minutes: int


def properties(found: Iterable[values.Property]) -> dict[str, Any]:
    """Present properties."""
    return {"items": [vars(one) for one in found]}


def report(found: Iterable[values.Day]) -> dict[str, Any]:
    """Present visits by day."""
    return {"items": [vars(one) for one in found]}


def realtime(users: int) -> dict[str, Any]:
    """Present who is there now."""
    return {"active_users": users, "minutes": values.REALTIME_MINUTES}
