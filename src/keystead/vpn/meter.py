"""The meter: reads an engine's counters and books them, on request for one key and periodically for all.

Concurrent full readings share one flight, but never one that began before the caller asked. A failed reading leaves
the last known figures standing. Where the kernel can be asked too, figures are live (``livemeter.py``).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NoReturn, Protocol

from sqlalchemy import Connection

from keystead.db.session import Database
from keystead.engines.xray.state import Reading
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError, StorageFailed, Unavailable
from keystead.kit.flights import SharedFlight
from keystead.kit.log import get_logger
from keystead.vpn import booking, traffic
from keystead.vpn.accounting import Bytes
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.livemeter import CarriedSource, LiveMeter
from keystead.vpn.store import processes
from keystead.vpn.store import traffic as traffic_store
from keystead.vpn.store.processes import Stage
from keystead.vpn.traffic import Quality, Seen

log = get_logger()


class CounterSource(Protocol):
    """An engine that counts bytes per label."""

    async def read_counters(self, label: str | None = None) -> Reading:
        """Return the counters of a label (None: of all), without resetting them. Raises Unavailable."""
        ...


class DrainingSource(Protocol):
    """An engine whose last connections may still end in a process that no longer serves."""

    async def read_draining(self, label: str | None = None) -> Sequence[Reading]:
        """Return the counters of every process that is draining; one that does not answer is left out."""
        ...


class Meter:
    """Keep the traffic of one scope up to date."""

    def __init__(
        self,
        scope: str,
        source: CounterSource,
        *,
        database: Database,
        clock: Clock,
        carried: CarriedSource | None = None,
        draining: DrainingSource | None = None,
    ) -> None:
        self.scope = scope
        self._source = source
        self._draining = draining
        self._database = database
        self._clock = clock
        self._reason = ""
        self._full_readings = SharedFlight(self._read)
        self._live = None if carried is None else LiveMeter(scope, carried, self._read, database=database, clock=clock)

    async def refresh(self, key: VpnKey) -> Seen:
        """Bring one key up to date, and keep the figure that is about to be shown; return what the answer is made of.

        A database that takes no writes now costs freshness only: the engine goes on counting, and a later reading has
        the bytes.
        """
        readings, seen = await self.read_one(key)

        def has_news(connection: Connection) -> bool:
            last = traffic_store.last_reading(connection, key.label)
            is_new = any(booking.has_news(last, key.label, reading) for reading in readings)
            return is_new or traffic.is_ahead(connection, key, seen.carried)

        def book(connection: Connection) -> None:
            for reading in readings:
                booking.book_now(connection, key.scope, key.label, reading, seen.carried, now)
            traffic.record_shown(connection, key, seen.carried, now)

        now = self._clock.now()
        if await self._database.read(has_news):
            try:
                await self._database.write(book)
            except (Unavailable, StorageFailed) as error:
                log.warning("traffic not booked", scope=self.scope, reason=error.message)
                return Seen(None, seen.carried, seen.quality)
            await self.reload(key)
        return seen

    async def read_one(self, key: VpnKey) -> tuple[Sequence[Reading], Seen]:
        """Return the engine's counters of one key without booking them, none when they could not be read."""
        try:
            readings: Sequence[Reading] = await self._read(key.label)
        except Unavailable as error:
            log.warning("traffic not read", scope=self.scope, reason=error.message)
            return (), await self._seen(key, None)
        return readings, await self._seen(key, self._clock.now())

    async def read_all(self) -> Sequence[Reading]:
        """Return the counters of every label in each process; callers that wait at the same time share a reading."""
        return await self._full_readings.result()

    async def sync(self) -> int:
        """Book all counters; return how many keys moved. Raises Unavailable or a storage error."""
        readings = await self.read_all()

        def book(connection: Connection) -> int:
            now = self._clock.now()
            moved = sum(booking.book_all(connection, self.scope, reading, now) for reading in readings)
            if self._live is None and readings[0].may_fall:
                self._succeed(connection, readings[0].process)
            return moved

        return await self._database.write(book)

    async def run(self, interval_s: float) -> NoReturn:
        """Sync periodically until cancelled."""
        while True:
            await self._clock.sleep(interval_s)
            try:
                moved = await self.sync()
                log.debug("traffic synced", scope=self.scope, moved=moved)
            except KeysteadError as error:
                log.warning("traffic not synced", scope=self.scope, reason=error.message)

    async def try_look(self) -> None:
        """Bring the live figures up to now if that is possible; what is in the way is logged once."""
        try:
            await self.look()
            self._reason = ""
        except KeysteadError as error:
            if error.message != self._reason:
                log.warning("live traffic not read", scope=self.scope, reason=error.message)
            self._reason = error.message

    async def look(self) -> None:
        """Bring the live figures up to now, and book what is due. Raises Unavailable or a storage error."""
        if self._live is not None:
            await self._live.tick()

    @property
    def quality(self) -> Quality:
        """Return how good the figures of open connections are now."""
        return Quality.LIVE if self._live is not None and self._live.is_fresh else Quality.COUNTED

    def live(self, label: str) -> Bytes | None:
        """Return what a label's key shows since its last reset, as of now; None when it is what the database says."""
        return None if self._live is None else self._live.table.live(label)

    def moving(self) -> Mapping[str, Bytes]:
        """Return the same for every label that has carried something since it was last booked; no input or output."""
        return {} if self._live is None else self._live.table.moving()

    def lifetime(self, label: str) -> Bytes | None:
        """Return what a label's key has carried over its life, or None when it is what is booked."""
        return None if self._live is None else self._live.table.lifetime(label)

    def lifetimes_moving(self) -> Mapping[str, Bytes]:
        """Return what the keys of labels that move now have carried over their lives; no input or output."""
        if self._live is None:
            return {}
        found = ((label, self._live.table.lifetime(label)) for label in self._live.table.moving_labels())
        return {label: carried for label, carried in found if carried is not None}

    async def reload(self, key: VpnKey) -> None:
        """Learn what was booked of a key besides what moves, or forgiven."""
        if self._live is not None:
            await self._live.reload(key.label)

    async def _seen(self, key: VpnKey, fresh_at: datetime | None) -> Seen:
        carried = () if self._live is None else await self._live.now(key.label)
        return Seen(fresh_at, carried, self.quality)

    async def _read(self, label: str | None = None) -> Sequence[Reading]:
        """Read the serving process, and those that are draining."""
        serving = await self._source.read_counters(label)
        draining = [] if self._draining is None else await self._draining.read_draining(label)
        return [serving, *(reading for reading in draining if reading.process != serving.process)]

    def _succeed(self, connection: Connection, process: str) -> None:
        """End the processes before an external core's present one, and forget them a sync later.

        Nobody tells when such a core ends, but there is only ever one; a core of ours may be one of several.
        """
        for name, stage in processes.stages(connection, self.scope).items():
            if name != process and stage is Stage.ENDED:
                processes.forget(connection, name)
            elif name != process and stage is Stage.LIVE:
                booking.end_process(connection, self.scope, name, None, self._clock.now())
