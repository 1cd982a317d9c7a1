"""Clocks for tests."""

import asyncio
from datetime import UTC, datetime, timedelta


class ManualClock:
    """A clock that goes only when it is told to; sleepers wake when their time has come."""

    def __init__(self) -> None:
        self._now = datetime(2030, 1, 1, tzinfo=UTC)
        self._monotonic_s = 1000.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._monotonic_s

    async def sleep(self, seconds: float) -> None:
        sleeper = (self._monotonic_s + seconds, asyncio.Event())
        self._sleepers.append(sleeper)
        try:
            await sleeper[1].wait()
        finally:
            self._sleepers.remove(sleeper)

    def waits_s(self) -> list[float]:
        """Return how long each sleeper still has to wait, shortest first."""
        return sorted(round(due - self._monotonic_s, 6) for due, _ in self._sleepers)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._monotonic_s += seconds
        self._now += timedelta(seconds=seconds)
        for due, event in self._sleepers:
            if due <= self._monotonic_s:
                event.set()
