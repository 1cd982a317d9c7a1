"""Undoings that must happen: what the database refuses to take back now is taken back as soon as it can be.

Used by the operations, whose callers were told that nothing was done. What a killed process could not undo becomes
valid at the next start, as if its answer had been lost on the way.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError, StorageFailed, Unavailable
from keystead.kit.log import get_logger

log = get_logger()

Undo = Callable[[], Awaitable[None]]

_RETRY_S = 1.0


class Undoing:
    """Carry out undoings, now or later."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left: deque[Undo] = deque()
        self._wake = asyncio.Event()

    async def carry_out(self, undo: Undo) -> None:
        """Undo now; while the database refuses, go on trying in the background."""
        try:
            await undo()
        except (Unavailable, StorageFailed) as error:
            log.warning("undoing put off", reason=error.message)
            self.later(undo)

    def later(self, undo: Undo) -> None:
        """Undo in the background."""
        self._left.append(undo)
        self._wake.set()

    async def run(self) -> None:
        """Carry out what was put off until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.finish()
            if self._left:
                self._wake.set()
                await self._clock.sleep(_RETRY_S)

    async def finish(self) -> None:
        """Try everything that is left once."""
        for _ in range(len(self._left)):
            undo = self._left.popleft()
            try:
                await self.carry_out(undo)
            except asyncio.CancelledError:
                self._left.append(undo)
                raise
            except KeysteadError as error:
                log.error("undoing failed", reason=error.message)
