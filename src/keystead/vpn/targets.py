"""Whether REALITY's target still passes its examination: what new keys depend on, checked again and again.

The examination itself is the engine's business and is handed in; this only remembers its last word.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger

log = get_logger()

# Examine now; return None when a client could connect, else a sentence that names the target and the problem.
Examine = Callable[[], Awaitable[str | None]]

GOOD_INTERVAL_S = 600.0
BAD_INTERVAL_S = 30.0


class TargetWatch:
    """Remember what the last examination of the target found."""

    def __init__(self, examine: Examine, clock: Clock) -> None:
        self._examine = examine
        self._clock = clock
        self._examined = asyncio.Event()
        self._problem: str | None = "the REALITY target has not been examined yet; try again in a few seconds"

    async def when_examined(self, timeout_s: float) -> str | None:
        """Return why no new key could connect, or None; wait for the first examination after a start."""
        if not self._examined.is_set():  # as it is but once; waiting in any case would take a task
            with suppress(TimeoutError):
                await asyncio.wait_for(self._examined.wait(), timeout_s)
        return self._problem

    @property
    def problem(self) -> str | None:
        """Return why no new key could connect, or None."""
        return self._problem

    async def check(self) -> str | None:
        """Examine now and remember the answer."""
        found = await self._examine()
        if found is not None and found != self._problem:
            log.warning("no key can be issued", reason=found, again_in_s=BAD_INTERVAL_S)
        elif found != self._problem:
            log.info("REALITY target is valid")
        self._problem = found
        self._examined.set()
        return found

    async def run(self) -> None:
        """Check periodically until cancelled, more often while something is wrong."""
        while True:
            try:
                is_good = await self.check() is None
            except KeysteadError as error:
                log.warning("REALITY target not examined", reason=error.message)
                is_good = False
            await self._clock.sleep(GOOD_INTERVAL_S if is_good else BAD_INTERVAL_S)
