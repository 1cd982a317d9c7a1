"""Loops that must not end: the boundary at which a crash of one is recorded and the loop begun again."""

from collections.abc import Awaitable, Callable
from typing import NoReturn

from keystead.kit.clock import Clock
from keystead.kit.log import get_logger

log = get_logger()

_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 60.0
_LIVED_WELL_S = 300.0


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
