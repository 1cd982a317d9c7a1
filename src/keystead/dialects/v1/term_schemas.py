"""The native API's shapes of terms and plans. Bytes a second are downwards; 1 Mbit/s is 125,000 of them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from keystead.dialects.v1.bases import Answer, Body, Moment
from keystead.vpn.periods import Reset
from keystead.vpn.placement import Placement
from keystead.vpn.termvalue import (
    ADDRESSES_MAX,
    BYTES_MAX,
    DEVICES_MAX,
    DURATION_S_MAX,
    WARNINGS_MAX,
    AtLimit,
    Starts,
)

PlanName = Annotated[str, Field(min_length=1, max_length=64)]
Count = Annotated[int, Field(ge=1, le=BYTES_MAX)]
RequestId = Annotated[str, Field(min_length=1, max_length=255)]


class TermsWish(Body):
    """What to say about terms; fields left out stay, null takes away."""

    quota_bytes: Count | None = Field(None, description="Bytes both ways per period.")
    at_limit: Annotated[AtLimit, Field(strict=False)] = Field(AtLimit.CUT, description="What a used up quota does.")
    slow_to_bytes_s: Count | None = Field(None, description="With ``slow``: the rate from then on.")
    warn_at: Annotated[list[Annotated[int, Field(ge=1, le=99)]], Field(max_length=WARNINGS_MAX)] = Field(
        [80, 95], description="Percents of the quota."
    )
    speed_bytes_s: Count | None = Field(None, description="Speed limit downwards.")
    address_limit: Annotated[int, Field(ge=1, le=ADDRESSES_MAX)] | None = Field(
        None, description="From how many addresses (IPv4, or /64 of IPv6) it is used at a time."
    )
    reset: Annotated[Reset, Field(strict=False)] = Field(Reset.NONE, description="When the quota begins anew.")
    reset_days: Annotated[int, Field(ge=1, le=3660)] | None = Field(None, description="With ``rolling``: its length.")
    reset_day: Annotated[int, Field(ge=1, le=31)] = Field(1, description="With ``month``: the day it begins on.")
    time_zone: Annotated[str, Field(max_length=64)] = Field("UTC", description="IANA name, as Europe/Moscow.")
    duration_s: Annotated[int, Field(ge=1, le=DURATION_S_MAX)] | None = Field(None, description="How long it is good.")
    starts: Annotated[Starts, Field(strict=False)] = Field(Starts.FIRST_USE, description="When a duration begins.")
    expires_at: Moment | None = Field(None, description="When it ends, in place of a duration.")
    device_limit: Annotated[int, Field(ge=1, le=DEVICES_MAX)] | None = Field(
        None, description="Devices that may fetch the subscription."
    )


class TermsChange(TermsWish):
    """New terms of a key; a plan takes the place of all of them, and what stands beside it decides."""

    plan: PlanName | None = None


class Extension(Body):
    """Days of 24 hours."""

    days: Annotated[int, Field(ge=1, le=3660)]


class TopUp(Body):
    """Bytes beside the quota."""

    bytes: Count


class PlanChange(TermsWish):
    """What to say about a plan; fields left out stay, null takes away."""

    placement: Annotated[Placement, Field(strict=False)] | None = Field(
        None, description="Where keys of this plan sit; null: where a create says, or shared."
    )


class PlanCreate(PlanChange):
    """A new plan."""

    name: PlanName


class Terms(Answer):
    """What was sold with a key, and how far it got; ``used_bytes`` is null without ``vpn.traffic.read``."""

    plan: str | None
    quota_bytes: int | None
    used_bytes: int | None
    left_bytes: int | None
    topped_up_bytes: int
    at_limit: AtLimit
    slow_to_bytes_s: int | None
    limit_reached_at: datetime | None
    warn_at: list[int]
    warned: int
    speed_bytes_s: int | None
    speed_in_force_bytes_s: int | None
    address_limit: int | None
    address_refused_at: datetime | None
    reset: Reset
    reset_days: int | None
    reset_day: int
    time_zone: str
    period_began_at: datetime
    next_reset_at: datetime | None
    duration_s: int | None
    expires_at: datetime | None
    expired_at: datetime | None
    device_limit: int | None


class Plan(Answer):
    """Named terms that keys are issued with."""

    name: str
    quota_bytes: int | None
    at_limit: AtLimit
    slow_to_bytes_s: int | None
    warn_at: list[int]
    speed_bytes_s: int | None
    address_limit: int | None
    reset: Reset
    reset_days: int | None
    reset_day: int
    time_zone: str
    duration_s: int | None
    starts: Starts
    placement: Placement | None
    expires_at: datetime | None
    device_limit: int | None
    created_at: datetime


class PlanList(Answer):
    """All plans by name."""

    items: list[Plan]
