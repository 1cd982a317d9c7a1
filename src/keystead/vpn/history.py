"""When keys carried what: buckets of hours and days, and how long they are kept.

Buckets are in UTC and hold what Xray counted, in the hour it was booked in: a spliced download stands in the hour in
which it ended. All buckets of a key together are its counted total, as long as none is too old to be kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple, NoReturn

from sqlalchemy import Connection

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.db.session import Database
from keystead.kit.clock import Clock
from keystead.kit.errors import Invalid
from keystead.kit.loops import repeat
from keystead.vpn.accounting import Bytes
from keystead.vpn.booking import HOUR_S, hour_of
from keystead.vpn.keyvalue import KeyIdent, VpnKey
from keystead.vpn.lookup import IsApplied, locate
from keystead.vpn.store import clients as client_store
from keystead.vpn.store import departed
from keystead.vpn.store import devices as device_store
from keystead.vpn.store import history as history_store
from keystead.vpn.store.history import HOURS_A_DAY, Step

__all__ = ["History", "Moment", "Pruner", "Retention", "Step", "of_key"]

# What is shown when nobody says from when.
_SHOWN_HOURS, _SHOWN_DAYS = 24, 31
_PRUNE_EVERY_S = 6 * 3600.0
_KEYS_AT_ONCE = 200
# After so long no byte of a deleted key's last connections is waited for.
_DEPARTED_FOR = timedelta(days=7)
# How long it is remembered that a family of programs polled for a key.
CLIENTS_KEPT = timedelta(days=90)


class Moment(NamedTuple):
    """A bucket that is not empty: when it begins, and what the key carried in it."""

    start: datetime
    carried: Bytes


@dataclass(frozen=True)
class History:
    """What a key carried in the buckets of a time."""

    key: VpnKey
    step: Step
    buckets: list[Moment]


@dataclass(frozen=True)
class Retention:
    """For how many days buckets of hours and of days are kept, and devices that are not seen any more."""

    hourly_days: int = 90
    daily_days: int = 1095
    device_days: int = 30


@requires(Permission.VPN_TRAFFIC_READ)
def of_key(
    work: Work,
    *,
    ident: KeyIdent,
    is_applied: IsApplied,
    step: Step,
    since: datetime | None = None,
    until: datetime | None = None,
) -> History:
    """Return the buckets of a key that begin from ``since`` on and before ``until``; raise Invalid for no time at all.

    Without them it is the last day by hours, or the last month by days, up to the present bucket.
    """
    key = locate(work.connection, work.principal, ident, is_applied)
    length_s = HOUR_S if step is Step.HOUR else HOUR_S * HOURS_A_DAY
    end = _number(work.now, length_s) + 1 if until is None else _number(until, length_s, is_end=True)
    first = end - (_SHOWN_HOURS if step is Step.HOUR else _SHOWN_DAYS) if since is None else _number(since, length_s)
    if first >= end:
        raise Invalid("the time ends before it begins", fields={"from": "must be before the end"})
    found = history_store.buckets(work.connection, key.number, step, first=first, until=end)
    starts = ((datetime.fromtimestamp(number * length_s, UTC), carried) for number, carried in found)
    return History(key, step, [Moment(*each) for each in starts])


class Pruner:
    """Delete buckets that are too old, a few keys at a time, and who has not polled a subscription for long."""

    def __init__(self, database: Database, retention: Retention, clock: Clock) -> None:
        self._database = database
        self._retention = retention
        self._clock = clock

    async def run(self) -> NoReturn:
        """Prune now and then until cancelled."""
        await repeat(self.prune, _PRUNE_EVERY_S, self._clock, failing="history not pruned")

    async def prune(self) -> None:
        """Delete what is too old of every key."""
        now = self._clock.now()
        before_hour = hour_of(now) - self._retention.hourly_days * HOURS_A_DAY
        before_day = hour_of(now) // HOURS_A_DAY - self._retention.daily_days
        await self._database.write(lambda connection: departed.prune(connection, now - _DEPARTED_FOR))
        await self._database.write(lambda connection: self._forget(connection, now))
        after: int | None = 0
        while after is not None:
            delete: Callable[..., int | None] = partial(history_store.prune, after=after, limit=_KEYS_AT_ONCE)
            after = await self._database.write(partial(delete, before_hour=before_hour, before_day=before_day))

    def _forget(self, connection: Connection, now: datetime) -> None:
        device_store.prune(connection, now - timedelta(days=self._retention.device_days))
        client_store.prune(connection, now - CLIENTS_KEPT)


def _number(moment: datetime, length_s: int, *, is_end: bool = False) -> int:
    """Return the bucket a moment is in; as an end, the first one that begins no earlier."""
    seconds = int(moment.timestamp())
    return -(-seconds // length_s) if is_end else seconds // length_s
