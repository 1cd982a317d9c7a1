"""The meter: reads an engine's counters and books them, on request for one key and periodically for all.

Concurrent full readings share one flight, but never one that began before the caller asked. A failed reading leaves
the last known figures standing.
"""

from datetime import datetime
from typing import Protocol

import structlog

from keystead.db.session import Database
from keystead.engines.xray.state import Reading
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError, StorageFailed, Unavailable
from keystead.kit.flights import SharedFlight
from keystead.vpn import traffic
from keystead.vpn.keyvalue import VpnKey

log = structlog.get_logger()


class CounterSource(Protocol):
    """An engine that counts bytes per label."""

    async def read_counters(self, label: str | None = None) -> Reading:
        """Return the counters of a label (None: of all), without resetting them. Raises Unavailable."""
        ...


class Meter:
    """Keep the traffic of one scope up to date."""

    def __init__(self, scope: str, source: CounterSource, *, database: Database, clock: Clock) -> None:
        self.scope = scope
        self._source = source
        self._database = database
        self._clock = clock
        self._full_readings = SharedFlight(source.read_counters)

    async def refresh(self, key: VpnKey) -> datetime | None:
        """Bring one key up to date; return when its counters were read, or None when they could not be read or booked.

        A database that takes no writes now costs freshness only: the engine goes on counting, and a later reading has
        the bytes.
        """
        reading = await self.read_one(key)
        if reading is None:
            return None
        now = self._clock.now()
        if await self._database.read(lambda connection: traffic.has_news(connection, key, reading)):
            try:
                await self._database.write(lambda connection: traffic.book_one(connection, key, reading, now))
            except (Unavailable, StorageFailed) as error:
                log.warning("traffic not booked", scope=self.scope, reason=error.message)
                return None
        return now

    async def read_one(self, key: VpnKey) -> Reading | None:
        """Return the engine's counters of one key without booking them, or None when they could not be read."""
        try:
            return await self._source.read_counters(key.label)
        except Unavailable as error:
            log.warning("traffic not read", scope=self.scope, reason=error.message)
            return None

    async def read_all(self) -> Reading:
        """Return the counters of every label; callers that wait at the same time share a reading."""
        return await self._full_readings.result()

    async def sync(self) -> int:
        """Book all counters; return how many keys moved. Raises Unavailable or a storage error."""
        reading = await self.read_all()
        return await self._database.write(
            lambda connection: traffic.book_all(connection, self.scope, reading, self._clock.now())
        )

    async def run(self, interval_s: float) -> None:
        """Sync periodically until cancelled."""
        while True:
            await self._clock.sleep(interval_s)
            try:
                moved = await self.sync()
                log.debug("traffic synced", scope=self.scope, moved=moved)
            except KeysteadError as error:
                log.warning("traffic not synced", scope=self.scope, reason=error.message)
