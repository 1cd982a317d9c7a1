"""A clock that stands still until a test moves it."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class ManualClock:
    """Wall and monotonic time of a test; ``sleep`` moves both at once and lets others run."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._monotonic_s = 1000.0

    def now(self) -> datetime:
        """Return the aware UTC time the test has set."""
        return self._now

    def monotonic_s(self) -> float:
        """Return seconds that move with ``advance``."""
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        """Move the time on."""
        self._now += timedelta(seconds=seconds)
        self._monotonic_s += seconds

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock on or back, as a person or NTP would; the monotonic one goes on as it was."""
        self._now += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Move the time on and let other tasks run."""
        self.advance(seconds)
        await asyncio.sleep(0)
