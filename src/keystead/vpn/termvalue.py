"""Terms of a key as values: what was sold, how far it got, and what follows from both at a moment; pure.

``Terms`` are what a plan or a seller says, ``Progress`` is what has happened, ``Held`` is both for one key. ``advance``
says everything that is due; nothing here reads or writes (``holding`` and ``enforcement`` do).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from keystead.kit.errors import Invalid
from keystead.vpn.accounting import NOTHING, Bytes
from keystead.vpn.periods import Period

WARN_AT = (80, 95)
WARNINGS_MAX = 10
BYTES_MAX = 2**62
DURATION_S_MAX = 100 * 366 * 86_400
DEVICES_MAX = 100
LAST_YEAR = 9000
ADDRESSES_MAX = 1000


class AtLimit(StrEnum):
    """What happens when a quota is used up: the key is cut, slowed down, or it is only told."""

    CUT = "cut"
    SLOW = "slow"
    TELL = "tell"


class Starts(StrEnum):
    """When a plan's duration begins: with the key's issue, or with its first bytes."""

    ISSUE = "issue"
    FIRST_USE = "first_use"


class Stop(StrEnum):
    """Why a key does not connect although it was not disabled by hand."""

    CUT = "cut"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Terms:
    """What was sold: a quota of bytes both ways per period, speeds in bytes a second downwards, addresses, an end.

    ``address_limit`` is from how many addresses at a time a key is used. ``warn_at`` are percents of the quota. A key
    ends at ``expires_at``; ``duration_s`` without it waits for the first bytes and then sets it. ``device_limit`` is
    how many devices may fetch the key's subscription.
    """

    quota_bytes: int | None = None
    at_limit: AtLimit = AtLimit.CUT
    slow_to_bytes_s: int | None = None
    warn_at: tuple[int, ...] = WARN_AT
    speed_bytes_s: int | None = None
    address_limit: int | None = None
    period: Period = field(default_factory=Period)
    duration_s: int | None = None
    expires_at: datetime | None = None
    device_limit: int | None = None
    plan: str | None = None

    def __post_init__(self) -> None:
        for name, value, most in (
            ("quota_bytes", self.quota_bytes, BYTES_MAX),
            ("speed_bytes_s", self.speed_bytes_s, BYTES_MAX),
            ("slow_to_bytes_s", self.slow_to_bytes_s, BYTES_MAX),
            ("duration_s", self.duration_s, DURATION_S_MAX),
            ("address_limit", self.address_limit, ADDRESSES_MAX),
            ("device_limit", self.device_limit, DEVICES_MAX),
        ):
            if value is not None and not 1 <= value <= most:
                raise Invalid(f"{name} must be 1 to {most}", fields={name: f"1 to {most}"})
        if self.at_limit is AtLimit.SLOW and self.slow_to_bytes_s is None:
            raise Invalid("a key that is slowed down needs its rate", fields={"slow_to_bytes_s": "missing"})
        if len(self.warn_at) > WARNINGS_MAX or any(not 1 <= percent <= 99 for percent in self.warn_at):
            problem = f"at most {WARNINGS_MAX} percents of 1 to 99"
            raise Invalid(f"warn_at: {problem}", fields={"warn_at": problem})
        if self.expires_at is not None and self.expires_at.year > LAST_YEAR:
            raise Invalid("expires_at lies too far ahead", fields={"expires_at": f"up to the year {LAST_YEAR}"})
        object.__setattr__(self, "warn_at", tuple(sorted(set(self.warn_at))))


@dataclass(frozen=True)
class Progress:
    """How far a key's terms got.

    ``baseline`` is what the key had carried over its life when the period began; ``topped_up_bytes`` stand beside the
    quota, are used after it and kept until they are; ``warned`` is the highest percent told in this period;
    ``unused_at`` is the lifetime total above which a waiting duration begins; ``address_refused_at`` is when an address
    was refused last and that was told: once in a period.
    """

    period_began_at: datetime
    baseline: Bytes = NOTHING
    topped_up_bytes: int = 0
    warned: int = 0
    limit_reached_at: datetime | None = None
    unused_at: int = 0
    expired_at: datetime | None = None
    address_refused_at: datetime | None = None


class Happening(NamedTuple):
    """Something that became due: its name in the audit trail and in events, and the figures that caused it."""

    name: str
    facts: Mapping[str, object]


@dataclass(frozen=True)
class Held:
    """The terms of one key and how far they got."""

    terms: Terms
    progress: Progress

    @property
    def is_waiting(self) -> bool:
        """Tell whether a duration waits for the first bytes."""
        return self.terms.duration_s is not None and self.terms.expires_at is None

    @property
    def stop(self) -> Stop | None:
        """Return what keeps the key from connecting; an expiry hides a cut."""
        if self.progress.expired_at is not None:
            return Stop.EXPIRED
        is_cut = self.progress.limit_reached_at is not None and self.terms.at_limit is AtLimit.CUT
        return Stop.CUT if is_cut else None

    @property
    def pace(self) -> int | None:
        """Return the bytes a second that are in force."""
        is_slow = self.progress.limit_reached_at is not None and self.terms.at_limit is AtLimit.SLOW
        limits = [
            limit
            for limit in (self.terms.speed_bytes_s, self.terms.slow_to_bytes_s if is_slow else None)
            if limit is not None
        ]
        return min(limits, default=None)

    @property
    def tells_refusal(self) -> bool:
        """Tell whether an address that is refused now would be the first one of the period."""
        return self.terms.address_limit is not None and self.progress.address_refused_at is None

    @property
    def allowance(self) -> int | None:
        """Return the bytes that may be carried in this period."""
        return None if self.terms.quota_bytes is None else self.terms.quota_bytes + self.progress.topped_up_bytes

    def used(self, lifetime: Bytes) -> Bytes:
        """Return what a key that carried so much over its life has carried in this period."""
        more = lifetime - self.progress.baseline
        return Bytes(max(0, more.uplink), max(0, more.downlink))

    def next_reset_at(self) -> datetime | None:
        """Return when the next period begins."""
        return self.terms.period.following(self.progress.period_began_at)

    def due_at(self) -> datetime | None:
        """Return when something becomes due by the clock; an expired key waits for its extension."""
        if self.progress.expired_at is not None:
            return None
        moments = [moment for moment in (self.terms.expires_at, self.next_reset_at()) if moment is not None]
        return min(moments, default=None)

    def notice_at(self) -> int | None:
        """Return the lifetime total from which something becomes due."""
        if self.progress.expired_at is not None:
            return None
        totals = [self.progress.unused_at + 1] if self.is_waiting else []
        allowance = self.allowance
        if allowance is not None and self.progress.limit_reached_at is None:
            steps = [_share(allowance, percent) for percent in self.terms.warn_at if percent > self.progress.warned]
            totals.append(self.progress.baseline.total + min([*steps, allowance]))
        return min(totals, default=None)


class Advance(NamedTuple):
    """What became of a key's terms, and what happened on the way."""

    held: Held
    happenings: list[Happening]


def begin(terms: Terms, lifetime: Bytes, now: datetime) -> Held:
    """Return terms that begin now for a key that carried so much so far."""
    return Held(terms, Progress(terms.period.first(now), baseline=lifetime, unused_at=lifetime.total))


def granted(terms: Terms, starts: Starts, now: datetime) -> Terms:
    """Return terms as a key gets them: a duration that starts with the issue has its end already."""
    if starts is Starts.FIRST_USE or terms.duration_s is None or terms.expires_at is not None:
        return terms
    return replace(terms, expires_at=now + timedelta(seconds=terms.duration_s))


def advance(held: Held, lifetime: Bytes, now: datetime) -> Advance:
    """Do everything that is due at a moment for a key that carried so much over its life."""
    happenings: list[Happening] = []
    if held.progress.expired_at is not None:
        return Advance(held, happenings)
    if held.is_waiting and lifetime.total > held.progress.unused_at:
        held = _started(held, now)
        happenings.append(Happening("first_use", {"expires_at": _text(held.terms.expires_at)}))
    if held.terms.expires_at is not None and held.terms.expires_at <= now:
        held = replace(held, progress=replace(held.progress, expired_at=now))
        facts = {"expires_at": _text(held.terms.expires_at), "used": held.used(lifetime).total}
        return Advance(held, [*happenings, Happening("expire", facts)])
    began_at = held.terms.period.current(held.progress.period_began_at, now)
    if began_at != held.progress.period_began_at:
        used = held.used(lifetime)
        facts = {"upload": used.uplink, "download": used.downlink, "quota_bytes": held.terms.quota_bytes}
        facts["began_at"] = _text(began_at)
        held = renewed(held, lifetime, began_at)
        happenings.append(Happening("renew", facts))
    return _measured(held, lifetime, now, happenings)


def refused(held: Held, active: int, now: datetime) -> Advance:
    """Take notice that an address is refused, while so many others are active; told once in a period."""
    if not held.tells_refusal:
        return Advance(held, [])
    held = replace(held, progress=replace(held.progress, address_refused_at=now))
    facts = {"address_limit": held.terms.address_limit, "active": active}
    return Advance(held, [Happening("refuse", facts)])


def renewed(held: Held, lifetime: Bytes, began_at: datetime) -> Held:
    """Begin a period at zero; what is left of a top-up stays."""
    over = max(0, held.used(lifetime).total - (held.terms.quota_bytes or 0))
    progress = replace(
        held.progress,
        period_began_at=began_at,
        baseline=lifetime,
        topped_up_bytes=max(0, held.progress.topped_up_bytes - over),
        warned=0,
        limit_reached_at=None,
        address_refused_at=None,
    )
    return replace(held, progress=progress)


def relaxed(held: Held, lifetime: Bytes) -> Held:
    """Take back a reached limit and warnings that no longer hold; nothing is reached here (``advance``)."""
    allowance, used = held.allowance, held.used(lifetime).total
    passed = [percent for percent in held.terms.warn_at if allowance is not None and used >= _share(allowance, percent)]
    is_over = allowance is not None and used >= allowance
    progress = replace(
        held.progress,
        warned=min(held.progress.warned, max(passed, default=0)),
        limit_reached_at=held.progress.limit_reached_at if is_over else None,
    )
    return replace(held, progress=progress)


def _started(held: Held, now: datetime) -> Held:
    ends = now + timedelta(seconds=held.terms.duration_s or 0)
    return replace(held, terms=replace(held.terms, expires_at=ends))


def _measured(held: Held, lifetime: Bytes, now: datetime, happenings: list[Happening]) -> Advance:
    """Warn of the highest threshold passed, or notice that the quota is used up."""
    allowance, used = held.allowance, held.used(lifetime).total
    if allowance is None or held.progress.limit_reached_at is not None:
        return Advance(held, happenings)
    facts: dict[str, object] = {
        "used": used,
        "quota_bytes": held.terms.quota_bytes,
        "topped_up_bytes": held.progress.topped_up_bytes,
    }
    if used >= allowance:
        held = replace(held, progress=replace(held.progress, limit_reached_at=now))
        happenings.append(Happening("limit", {**facts, "at_limit": held.terms.at_limit.value}))
        return Advance(held, happenings)
    passed = [percent for percent in held.terms.warn_at if used >= _share(allowance, percent)]
    if passed and passed[-1] > held.progress.warned:
        held = replace(held, progress=replace(held.progress, warned=passed[-1]))
        happenings.append(Happening("warn", {**facts, "percent": passed[-1]}))
    return Advance(held, happenings)


def _share(allowance: int, percent: int) -> int:
    """Return the bytes at which a percent of an allowance is reached."""
    return -(-allowance * percent // 100)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
