"""Carrying out errands: what is done together ends together, and a loop that crashed takes up nothing twice."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from keystead.kit.secret import Secret
from keystead.operations.vault.errands import Done, Outcome
from keystead.vault import errands
from keystead.vault.errands import Kind
from keystead.vault.store.errands import Errand
from tests.support.standins.cloudflare import Cloudflare
from tests.support.vaulted import Vaulted
from tests.support.work import Workplace


class Chores:
    """Errands of two kinds: one fails in the way of the test, the other waits until it is told to go on."""

    def __init__(self, vaulted: Vaulted, failure: Exception) -> None:
        self.vaulted = vaulted
        self.failure = failure
        self.goes_on, self.has_begun, self.has_failed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.done = 0
        vaulted.runner.on(Kind.SYNC, self._fail)
        vaulted.runner.on(Kind.SWEEP, self._wait)

    async def put(self) -> None:
        for kind in (Kind.SYNC, Kind.SWEEP):
            await self.vaulted.workplace.do(errands.put, kind, {}, secret=None, after=timedelta())

    async def _fail(self, _: Errand, __: Secret[str] | None) -> Outcome:
        self.has_failed.set()
        raise self.failure

    async def _wait(self, _: Errand, __: Secret[str] | None) -> Outcome:
        self.has_begun.set()
        await self.goes_on.wait()
        self.done += 1
        return Done({})


@pytest.fixture
def vaulted(workplace: Workplace) -> Vaulted:
    return Vaulted(workplace, Cloudflare())


async def test_a_round_ends_with_the_last_of_its_errands(vaulted: Vaulted) -> None:
    chores = Chores(vaulted, ZeroDivisionError())
    await chores.put()
    rounding = asyncio.create_task(vaulted.runner.round())
    await asyncio.gather(chores.has_begun.wait(), chores.has_failed.wait())
    for _ in range(100):
        await asyncio.sleep(0)

    was_over = rounding.done()
    chores.goes_on.set()
    with pytest.raises(ZeroDivisionError):
        await rounding

    assert (was_over, chores.done) == (False, 1)
    assert await vaulted.waiting() == [Kind.SYNC.value]


async def test_a_loop_that_crashed_takes_up_what_it_had_only_when_the_lease_has_run_out(
    vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch
) -> None:
    chores = Chores(vaulted, ZeroDivisionError())
    chores.goes_on.set()
    await chores.put()
    with pytest.raises(ZeroDivisionError):
        await vaulted.runner.run()
    claimed = list[int]()
    round_ = vaulted.runner.round

    async def counted() -> int:
        claimed.append(await round_())
        raise asyncio.CancelledError

    monkeypatch.setattr(vaulted.runner, "round", counted)

    with suppress(asyncio.CancelledError):
        await vaulted.runner.run()

    assert claimed == [0]
