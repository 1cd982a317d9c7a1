"""Giving memory back to the system that was needed for a moment: the start, a list of everything, a backup.

The C library keeps what is freed for later, some megabytes for good. Sources: malloc_trim(3) and mallopt(3), of glibc;
another C library has none, and nothing is done there.
"""

import asyncio
import ctypes

from keystead.kit.clock import Clock

FIRST_S = 5.0
EVERY_S = 60.0


_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_OWN_MAPPING_FROM_BYTES = 128 * 1024
_ARENAS = 2


def keep_little() -> bool:
    """Have large blocks given back when they are freed, and threads share what is free; tell whether that is so.

    Without, the first large list lets the library keep blocks of its size from then on.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = {_M_MMAP_THRESHOLD: _OWN_MAPPING_FROM_BYTES, _M_ARENA_MAX: _ARENAS}
    return all(mallopt(option, value) for option, value in wanted.items())


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
