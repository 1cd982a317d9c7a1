"""Giving memory back to the system that was needed for a moment: the start, a list of everything, a backup.

The C library keeps what is freed for later, some megabytes for good. Source: malloc_trim(3), of glibc; another C
library has none, and nothing is done there.
"""

import asyncio
import ctypes

from keystead.kit.clock import Clock

FIRST_S = 5.0
EVERY_S = 60.0


def give_back() -> bool:
    """Give back what is free; tell whether there was something."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and bool(trim(0))


async def run(clock: Clock) -> None:
    """Give memory back soon after the start and every minute, until cancelled."""
    await clock.sleep(FIRST_S)
    while True:
        await asyncio.to_thread(give_back)
        await clock.sleep(EVERY_S)
