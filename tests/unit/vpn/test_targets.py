"""The memory of the last examination of REALITY's target, and when it is examined again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from keystead.kit.errors import EngineUnavailable
from keystead.vpn.targets import BAD_INTERVAL_S, GOOD_INTERVAL_S, TargetWatch
from tests.support.clocks import ManualClock

PROBLEM = "REALITY target site.test:443: it does not answer"


class Examiner:
    """Answers one after the other; an exception is raised."""

    def __init__(self, *answers: str | Exception | None) -> None:
        self._answers: Iterator[str | Exception | None] = iter(answers)

    async def __call__(self) -> str | None:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


@asynccontextmanager
async def watching(*answers: str | Exception | None) -> AsyncIterator[tuple[TargetWatch, ManualClock]]:
    clock = ManualClock()
    watch = TargetWatch(Examiner(*answers), clock)
    running = asyncio.create_task(watch.run())
    try:
        await slept(clock)
        yield watch, clock
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def slept(clock: ManualClock) -> float:
    """Wait until the watch sleeps; return for how long."""
    async with asyncio.timeout(5):
        while not clock.waits_s():
            await asyncio.sleep(0)
    return clock.waits_s()[0]


async def passed(clock: ManualClock, seconds: float) -> float:
    """Let the watch sleep to its end and look again; return how long it sleeps then."""
    clock.advance(seconds)
    async with asyncio.timeout(5):
        while not clock.waits_s() or clock.waits_s()[0] <= 0:
            await asyncio.sleep(0)
    return clock.waits_s()[0]


async def test_a_target_that_fails_is_examined_again_soon_and_one_that_passes_later() -> None:
    async with watching(PROBLEM, None, PROBLEM) as (watch, clock):
        first, told = clock.waits_s()[0], watch.problem
        second = await passed(clock, first)
        good = watch.problem
        third = await passed(clock, second)

        assert (first, second, third) == (BAD_INTERVAL_S, GOOD_INTERVAL_S, BAD_INTERVAL_S)
        assert (told, good, watch.problem) == (PROBLEM, None, PROBLEM)


async def test_an_examination_that_could_not_be_made_leaves_the_last_word_and_is_made_again() -> None:
    async with watching(None, EngineUnavailable("away"), None) as (watch, clock):
        soon = await passed(clock, GOOD_INTERVAL_S)

        assert (soon, watch.problem) == (BAD_INTERVAL_S, None)


@pytest.mark.parametrize("answer", [None, PROBLEM])
async def test_a_create_waits_for_the_first_examination(answer: str | None) -> None:
    watch = TargetWatch(Examiner(answer), ManualClock())
    asking = asyncio.create_task(watch.when_examined(30.0))
    await asyncio.sleep(0)
    before = asking.done()

    await watch.check()

    assert (before, await asking) == (False, answer)


async def test_before_any_examination_it_says_so() -> None:
    watch = TargetWatch(Examiner(None), ManualClock())

    assert "has not been examined yet" in (await watch.when_examined(0.0) or "")
