"""The loop that holds every key to its terms: over what is due and what moved, never over all keys.

It looks once a second, and sooner when a key that moves is about to reach its quota.

What it knows of each key is when something is due by the clock and from which lifetime total; it learns of changes by
the generation at which they were made. What to do about a key is decided in a transaction of its own (``enforcement``),
which finds nothing to do when the loop was wrong.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from keystead.db.session import Database, Weight
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger
from keystead.vpn.accounting import Bytes
from keystead.vpn.meter import Meter
from keystead.vpn.store import terms as store
from keystead.vpn.store.terms import Watched

log = get_logger()

INTERVAL_S = 1.0
# How soon it looks again when a key is about to reach its quota: at 100 Mbit/s a megabyte passes meanwhile.
INTERVAL_MIN_S = 0.1
# What nobody sees moving is looked at as it is booked: 10,000 keys are read in about ten milliseconds.
BOOKED_INTERVAL_S = 5.0
# So many transactions at a time share commits, and leave room for those of callers.
_TOGETHER = 32
# So many are read on the event loop without others noticing.
_FEW = 8

# Does what is due for a key: (account, number, what it has carried over its life as far as is known now).
Enforce = Callable[[int, int, Bytes | None], Awaitable[None]]


class Figures(Protocol):
    """Who knows what keys have carried over their lives at this moment, resets left out of account.

    Keys are asked for by their present label; what their labels before it carried is part of the figure.
    """

    async def refresh(self) -> None:
        """Bring the figures up to now, as far as possible."""
        ...

    def moving(self) -> Mapping[str, Bytes]:
        """Return the labels that carry something now, with what the key of each has carried over its life."""
        ...

    def live(self, label: str) -> Bytes | None:
        """Return what a label's key has carried over its life, None when nothing is known beyond what is booked."""
        ...


class Metered:
    """The meter's figures; where it knows no more than what is booked, these are none."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    async def refresh(self) -> None:
        """Ask the kernel, and book what is due."""
        await self._meter.try_look()

    def moving(self) -> Mapping[str, Bytes]:
        """Return the labels that carry something now."""
        return self._meter.lifetimes_moving()

    def live(self, label: str) -> Bytes | None:
        """Return what a label's key has carried."""
        return self._meter.lifetime(label)


class Enforcing:
    """Watch the keys of one scope that have terms."""

    def __init__(self, scope: str, figures: Figures, enforce: Enforce, *, database: Database, clock: Clock) -> None:
        self._scope = scope
        self._figures = figures
        self._enforce = enforce
        self._database = database
        self._clock = clock
        self._known: dict[int, Watched] = {}
        self._numbers: dict[str, int] = {}
        self._deadlines: list[tuple[datetime, int]] = []
        self._queued: dict[int, datetime] = {}
        # What is due, until it is done.
        self._left: set[int] = set()
        self._seen = -1
        self._next_booked_s = 0.0
        self._moved: dict[str, int] = {}
        self._moved_s = 0.0
        self._reached_in_s = INTERVAL_S * 2

    async def run(self) -> None:
        """Look every second until cancelled; what fails is tried again."""
        while True:
            try:
                await self.look()
            except KeysteadError as error:
                log.warning("terms not enforced", scope=self._scope, reason=error.message)
            await self._clock.sleep(self.pause_s())

    def pause_s(self) -> float:
        """Return how long nothing can become due: less than a second when a key is about to reach what it waits for."""
        return min(max(self._reached_in_s / 2, INTERVAL_MIN_S), INTERVAL_S)

    async def look(self) -> None:
        """Learn what moved and what changed, and do everything that is due."""
        await self._figures.refresh()
        await self._learn()
        self._left |= self._due() | self._noticed()  # before anything is awaited: neither is told a second time
        self._left |= await self._booked()
        due = sorted(self._left)
        for begin in range(0, len(due), _TOGETHER):
            await asyncio.gather(*(self._hold(number) for number in due[begin : begin + _TOGETHER]))

    async def _learn(self) -> None:
        for watched in await self._news():
            self._seen = max(self._seen, watched.revision)
            self._remember(watched)
        self._seen = max(self._seen, 0)

    async def _news(self) -> list[Watched]:
        scope, since = self._scope, self._seen
        if since < 0:
            return await self._database.read(lambda connection: store.watched_all(connection, scope), Weight.LIST)
        changed = await self._database.read(lambda connection: store.changed_since(connection, since))
        if not changed:
            return []

        def rows(connection: Connection) -> list[Watched]:
            found = (store.watched(connection, scope, number) for number in changed)
            return [watched for watched in found if watched is not None]

        return await self._database.read(rows, Weight.POINT if len(changed) <= _FEW else Weight.LIST)

    def _remember(self, watched: Watched) -> None:
        self._forget(watched.number)
        self._known[watched.number] = watched
        self._numbers[watched.label] = watched.number
        if watched.due_at is not None and self._queued.get(watched.number) != watched.due_at:
            self._queued[watched.number] = watched.due_at
            heapq.heappush(self._deadlines, (watched.due_at, watched.number))

    def _forget(self, number: int) -> None:
        known = self._known.pop(number, None)
        if known is not None:
            self._numbers.pop(known.label, None)

    def _due(self) -> set[int]:
        """Return the keys for which something is due by the clock; a deadline that was moved meanwhile is passed over.

        A clock that is set back only makes deadlines come later: what happened is stored.
        """
        now = self._clock.now()
        due: set[int] = set()
        while self._deadlines and self._deadlines[0][0] <= now:
            moment, number = heapq.heappop(self._deadlines)
            if self._queued.get(number) == moment:
                del self._queued[number]
            known = self._known.get(number)
            if known is not None and known.due_at == moment:
                due.add(number)
        return due

    def _noticed(self) -> set[int]:
        """Return the keys that have carried as much as something waits for."""
        noticed = set()
        now_s, before_s, before = self._clock.monotonic_s(), self._moved_s, self._moved
        self._moved_s, self._moved, self._reached_in_s = now_s, {}, INTERVAL_S * 2
        for label, carried in self._figures.moving().items():
            known = self._known.get(self._numbers.get(label, 0))
            if known is None or known.notice_at is None:
                continue
            self._moved[label] = carried.total
            left, more = known.notice_at - carried.total, carried.total - before.get(label, carried.total)
            if left <= 0:
                noticed.add(known.number)
            elif more > 0 and now_s > before_s:
                self._reached_in_s = min(self._reached_in_s, left * (now_s - before_s) / more)
        return noticed

    async def _booked(self) -> set[int]:
        """Return the keys that have carried so much as is booked, every now and then."""
        now_s = self._clock.monotonic_s()
        if not self._known or now_s < self._next_booked_s:
            return set()
        found = await self._database.read(lambda connection: store.noticed(connection, self._scope), Weight.LIST)
        self._next_booked_s = now_s + BOOKED_INTERVAL_S
        return found & self._known.keys()

    async def _hold(self, number: int) -> None:
        """Do what is due for a key, and look at what it waits for next; a failure is tried again in the next round."""
        known = self._known[number]
        try:
            await self._enforce(known.account_id, number, self._figures.live(known.label))
            watched = await self._database.read(lambda connection: store.watched(connection, self._scope, number))
        except KeysteadError as error:
            log.warning("terms of a key not enforced", scope=self._scope, key=number, reason=error.message)
            return
        self._left.discard(number)
        if watched is None:
            self._forget(number)
        else:
            self._remember(watched)
