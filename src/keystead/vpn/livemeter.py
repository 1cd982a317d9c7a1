"""The live half of the meter: asks the kernel every second, books what moves, and ends processes that have ended.

Made by the meter where there is somebody to ask; an engine that somebody else runs has nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from keystead.db.session import Database, Weight
from keystead.engines.xray.state import Carried, Reading
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger
from keystead.vpn import booking
from keystead.vpn.livetable import LiveTable, labels_of
from keystead.vpn.store import processes
from keystead.vpn.store import traffic as traffic_store
from keystead.vpn.store.processes import Stage
from keystead.vpn.store.traffic import LabelRow

log = get_logger()

# How often labels that move are booked. Between bookings nothing is at stake as long as the keeper or the core lives,
# for both go on counting; a power cut takes this much. At 1,000 moving labels a booking takes a tenth of a second.
BOOK_EVERY_S = 15.0
# How long a snapshot is called live.
_FRESH_S = 5.0
# Readings that are on their way when a process ends arrive within seconds; then nothing more can come.
_FORGET_AFTER_S = 60.0
# A keeper that answers and does not know a process is another one, and the process ended with its own; until that is
# booked, what it carried last is known to us alone.
_MISSED_AFTER_S = 5.0
_BOOKED_AT_ONCE = 500
_READ_ONE_BY_ONE = 32


class CarriedSource(Protocol):
    """Something that knows what the kernel has carried per label."""

    async def carried(self) -> Sequence[Carried]:
        """Return what each core process has carried as of now; raise Unavailable.

        A process that has ended is told of with ``is_ended`` for at least some minutes.
        """
        ...

    async def carried_now(self, label: str) -> Sequence[Carried]:
        """Return the same of one label as of now, of the processes that know it; raise Unavailable."""
        ...


class Readings(Protocol):
    """The engine's counters as the meter reads them."""

    async def __call__(self, label: str | None = None) -> Sequence[Reading]:
        """Return a reading of each live process; raise Unavailable."""
        ...


@dataclass(frozen=True)
class _Taken:
    """Readings that wait for the next snapshot, and the snapshot from just before them."""

    readings: Sequence[Reading]
    labels: frozenset[str]
    before: tuple[Carried, ...]


class LiveMeter:
    """Keep a live table up to date and its bookings close behind."""

    def __init__(self, scope: str, source: CarriedSource, read: Readings, *, database: Database, clock: Clock) -> None:
        self.table = LiveTable()
        self._scope = scope
        self._source = source
        self._read = read
        self._database = database
        self._clock = clock
        self._taken: _Taken | None = None
        self._asked_s: float | None = None
        self._booked_s = clock.monotonic_s()
        self._last: dict[str, tuple[Carried | None, float]] = {}
        self._ended_s: dict[str, float] = {}
        self._is_begun = False

    @property
    def is_fresh(self) -> bool:
        """Tell whether the table is of now."""
        return self._asked_s is not None and self._clock.monotonic_s() - self._asked_s < _FRESH_S

    async def tick(self) -> None:
        """Take a snapshot, book what was read after the last one, and read again when it is time; raise Unavailable."""
        if not self._is_begun:
            await self._begin()
        # What is read is compared with a snapshot of just before.
        is_due = self._clock.monotonic_s() - self._booked_s >= BOOK_EVERY_S
        self.table.take(await self._source.carried())
        self._asked_s = self._clock.monotonic_s()
        await self._know(self.table.unknown())
        await self._book_taken()
        await self._end_processes()
        if is_due:
            self._booked_s = self._asked_s
            self.table.forget_still()
            await self._take_readings()

    async def now(self, label: str) -> Sequence[Carried]:
        """Return the latest snapshot, and in it one label as of now."""
        if not self.is_fresh:
            return self.table.carried
        try:
            return self.table.with_now(label, await self._source.carried_now(label))
        except KeysteadError as error:
            log.debug("label not read", scope=self._scope, reason=error.message)
            return self.table.carried

    async def reload(self, label: str) -> None:
        """Learn again what is booked of a label's key, after a reset."""
        if self.table.is_known(label):
            await self._know({label})

    async def _begin(self) -> None:
        """Learn which processes are over already: no reading of an earlier life is on its way any more."""
        stages = await self._database.read(lambda connection: processes.stages(connection, self._scope))
        for name, stage in stages.items():
            if stage is Stage.LIVE:
                self._last[name] = (None, self._clock.monotonic_s())
            elif stage is Stage.ENDED:
                await self._forget(name)
        self.table.leave_out({name for name, stage in stages.items() if stage is not Stage.LIVE})
        self._is_begun = True

    async def _know(self, labels: set[str] | frozenset[str]) -> None:
        if labels:
            rows = await self._database.read(
                lambda connection: traffic_store.with_their_keys(connection, labels), Weight.LIST
            )
            self.table.know(rows, labels)

    async def _take_readings(self) -> None:
        labels = self.table.moving_labels()
        if not labels:
            return
        try:
            readings = await self._read_labels(labels)
        except KeysteadError as error:
            log.debug("moving labels not read", scope=self._scope, reason=error.message)
            return
        self._taken = _Taken(readings, labels, self.table.carried)

    async def _read_labels(self, labels: frozenset[str]) -> Sequence[Reading]:
        """Read a few labels one by one, or all at once."""
        if len(labels) > _READ_ONE_BY_ONE:
            return await self._read()
        found: dict[str, Reading] = {}
        for label in labels:
            for reading in await self._read(label):
                before = found.get(reading.process)
                counters = {**(before.counters if before else {}), **reading.counters}
                found[reading.process] = Reading(reading.process, counters, reading.may_fall)
        return list(found.values())

    async def _book_taken(self) -> None:
        taken, self._taken = self._taken, None
        if taken is None:
            return
        after = self.table.carried
        for reading in taken.readings:
            before = labels_of(taken.before, reading.process)
            concerned = sorted(taken.labels & labels_of(after, reading.process).keys())
            for at in range(0, len(concerned), _BOOKED_AT_ONCE):
                part = concerned[at : at + _BOOKED_AT_ONCE]
                self.table.know(await self._book_part(reading, part, taken.before, after))
                self.table.settle(reading.process, part, before)

    async def _book_part(
        self, reading: Reading, labels: list[str], before: tuple[Carried, ...], after: tuple[Carried, ...]
    ) -> list[LabelRow]:
        now = self._clock.now()

        def unit(connection: Connection) -> list[LabelRow]:
            booking.book_pairs(connection, self._scope, reading, labels, before=before, after=after, at=now)
            return traffic_store.with_their_keys(connection, labels)

        return await self._database.write(unit)

    async def _end_processes(self) -> None:
        """End what the source says has ended, and what it has not told of for long; forget what ended long ago."""
        now_s = self._clock.monotonic_s()
        for found in self.table.carried:
            self._last[found.process] = (found, now_s)
            if found.is_ended:
                await self._end(found.process, found)
        for name, (last, seen_s) in list(self._last.items()):
            if now_s - seen_s > _MISSED_AFTER_S:
                await self._end(name, last)
        for name, ended_s in list(self._ended_s.items()):
            if now_s - ended_s > _FORGET_AFTER_S:
                await self._forget(name)

    async def _end(self, process: str, last: Carried | None) -> None:
        now = self._clock.now()
        await self._database.write(lambda connection: booking.end_process(connection, self._scope, process, last, now))
        log.info("core process ended", scope=self._scope, process=process, is_known=last is not None)
        self._last.pop(process, None)
        self._ended_s[process] = self._clock.monotonic_s()
        self.table.leave_out({process})
        await self._know({label for label in (last.labels if last else ()) if self.table.is_known(label)})

    async def _forget(self, process: str) -> None:
        await self._database.write(lambda connection: processes.forget(connection, process))
        self._ended_s.pop(process, None)
