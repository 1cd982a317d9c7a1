"""What is done now and then: made up for when it fails, and done sooner when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from keystead.kit.errors import StorageBusy
from keystead.kit.loops import again_s, repeat
from tests.support.clocks import ManualClock

HOUR_S = 3600.0


class Turns:
    """Turns of a loop, which fail as often as a test says."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.sooner = asyncio.Event()
        self.fails = 0
        self.taken = 0

    async def take(self) -> None:
        self.taken += 1
        if self.fails:
            self.fails -= 1
            raise StorageBusy("the database is locked")

    @asynccontextmanager
    async def running(self, every_s: float) -> AsyncIterator[None]:
        loop = asyncio.create_task(repeat(self.take, every_s, self.clock, failing="not taken", sooner=self.sooner))
        await self.until_it_waits()
        yield
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop

    async def until_it_waits(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def pass_by(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.until_it_waits()


async def test_a_turn_is_taken_again_in_its_time() -> None:
    turns = Turns()

    async with turns.running(HOUR_S):
        await turns.pass_by(HOUR_S - 1)
        before = turns.taken
        await turns.pass_by(1)

    assert (before, turns.taken) == (1, 2)


async def test_what_is_seldom_done_is_made_up_for_soon_when_it_failed() -> None:
    turns = Turns()
    turns.fails = 2

    async with turns.running(HOUR_S):
        waits = [turns.clock.waits_s()]
        await turns.pass_by(5)
        waits.append(turns.clock.waits_s())
        await turns.pass_by(10)
        waits.append(turns.clock.waits_s())

    assert waits == [[5.0], [10.0], [HOUR_S]]
    assert turns.taken == 3


async def test_who_is_told_to_takes_the_next_turn_at_once() -> None:
    turns = Turns()

    async with turns.running(HOUR_S):
        turns.sooner.set()
        await turns.until_it_waits()

    assert turns.taken == 2


@pytest.mark.parametrize(
    ("every_s", "waits"),
    [
        (2.0, [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]),
        (30.0, [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]),
        (120.0, [5.0, 10.0, 20.0, 40.0, 80.0, 120.0, 120.0]),
    ],
)
def test_failures_in_a_row_are_followed_by_longer_and_longer_waits(every_s: float, waits: list[float]) -> None:
    assert [again_s(every_s, failures) for failures in range(len(waits))] == waits
    assert again_s(every_s, 10_000) == waits[-1]
