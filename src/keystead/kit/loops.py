"""Loops that must not end: something done now and then, and the boundary at which a crash of a loop is recorded.

Loops whose next turn depends on what the last one found have their own waits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger
from keystead.kit.waiting import within

log = get_logger()

_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 60.0
_LIVED_WELL_S = 300.0
# What is seldom done is tried again soon after a failure, and what is often done is not tried for ever as often.
_AGAIN_FIRST_S = 5.0
_AGAIN_LONGEST_S = 60.0


async def repeat(
    turn: Callable[[], Awaitable[object]],
    every_s: float,
    clock: Clock,
    *,
    failing: str,
    sooner: asyncio.Event | None = None,
    **facts: object,
) -> NoReturn:
    """Take a turn now and then until cancelled; one that fails is logged as ``failing``, and made up for.

    ``sooner`` begins the next turn at once, also when it was set during the last one. There is no jitter: processes
    that share a database begin at moments of their own.
    """
    failures = 0
    while True:
        wait_s = every_s
        if sooner is not None:
            sooner.clear()
        try:
            await turn()
            failures = 0
        except KeysteadError as error:
            wait_s, failures = again_s(every_s, failures), failures + 1
            log.warning(failing, **facts, reason=error.message, again_in_s=wait_s)
        if sooner is None:
            await clock.sleep(wait_s)
        else:
            await within(clock, wait_s, sooner.wait())


def again_s(every_s: float, failures: int) -> float:
    """Return how long to wait after a turn that failed, and so many before it; pure."""
    longest_s = max(every_s, _AGAIN_LONGEST_S)
    return min(longest_s, min(every_s, _AGAIN_FIRST_S) * 2.0 ** min(failures, 32))


async def keep_running(name: str, run: Callable[[], Awaitable[object]], clock: Clock) -> NoReturn:
    """Run a loop until cancelled; one that crashes is logged and begun again, ever later while it keeps crashing."""
    delay_s = _FIRST_DELAY_S
    while True:
        begun_s = clock.monotonic_s()
        try:
            await run()
        except Exception:
            log.exception("loop crashed", loop=name, again_in_s=delay_s)
        if clock.monotonic_s() - begun_s > _LIVED_WELL_S:
            delay_s = _FIRST_DELAY_S
        await clock.sleep(delay_s)
        delay_s = min(delay_s * 2, _LONGEST_DELAY_S)
