"""Time as a parameter: verbs, loops and the keeper read the clock they are given, so that tests can set it."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tell the time and wait."""

    def now(self) -> datetime:
        """Return the aware UTC wall time."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back, for measuring and for deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop; for loops, settle and the keeper only."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the aware UTC wall time."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return the monotonic clock in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(seconds)
