"""The reconciler as its callers see it."""

import asyncio

import pytest

from keystead.db.session import Database
from keystead.kit.clock import SystemClock
from keystead.kit.errors import Conflict, EngineUnavailable
from keystead.reconcile import store
from keystead.reconcile.confirming import ScopeWiring
from keystead.reconcile.engine import EngineView
from keystead.reconcile.loop import Reconciler
from keystead.reconcile.replacement import Kind, Program, Progress, Replacement, Running, Wish
from tests.support.engine import FakeEngine, FakeSource, Part, plan

SCOPE = "fake/main"


class SlowEngine(FakeEngine):
    """Counts how often it was looked at, and can be told to keep everybody waiting."""

    looks = 0

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()

    async def observe(self) -> frozenset[str]:
        self.looks += 1
        await self.answers.wait()
        return await super().observe()


async def test_callers_do_not_queue_up_behind_a_slow_engine(database: Database) -> None:
    await database.write(lambda connection: store.register(connection, SCOPE))
    engine = SlowEngine()
    wiring = ScopeWiring[Part, frozenset[str]](SCOPE, engine, FakeSource(), plan)
    reconciler = Reconciler([wiring], database=database, clock=SystemClock())

    given_up = await asyncio.gather(*(reconciler.reconcile_now(SCOPE, 0.1) for _ in range(20)), return_exceptions=True)
    engine.answers.set()
    await reconciler.reconcile_now(SCOPE, 3.0)

    assert all(isinstance(outcome, EngineUnavailable) for outcome in given_up)
    assert engine.looks <= 2


async def test_a_pass_that_began_before_the_question_does_not_answer_it(database: Database) -> None:
    await database.write(lambda connection: store.register(connection, SCOPE))
    engine = SlowEngine()
    wiring = ScopeWiring[Part, frozenset[str]](SCOPE, engine, FakeSource(), plan)
    reconciler = Reconciler([wiring], database=database, clock=SystemClock())

    with pytest.raises(EngineUnavailable):
        await reconciler.reconcile_now(SCOPE, 0.1)
    engine.answers.set()
    await reconciler.reconcile_now(SCOPE, 3.0)

    assert engine.looks == 2


class SlowReplacer:
    """Plan one replacement and take as long over it as the test lets it."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.is_needed = True
        self.carried_out = 0

    async def plan(self, scope: str, wish: Wish) -> Replacement:
        running = Running("p-1", Program("/bin/xray", "1"), 7, None, 3, 5)
        return Replacement(scope, wish, running, Program("/bin/xray", "2", "newer"), self.is_needed)

    async def prepare(self, replacement: Replacement, desired: Part) -> None:
        await self.go_on.wait()

    async def carry_out(self, replacement: Replacement, desired: Part) -> None:
        self.carried_out += 1

    async def progress(self) -> Progress:
        return Progress()

    async def view(self) -> EngineView:
        raise EngineUnavailable("the keeper is gone")


async def test_a_replacement_goes_on_without_its_caller_and_is_one_at_a_time(database: Database) -> None:
    replacer, wish = SlowReplacer(), Wish(Kind.UPGRADE)
    wiring = ScopeWiring[Part, frozenset[str]](SCOPE, FakeEngine(), FakeSource(), plan, replacer)
    reconciler = Reconciler([wiring], database=database, clock=SystemClock())
    digest = (await reconciler.plan_replacement(SCOPE, wish)).digest

    with pytest.raises(Conflict, match="look at it again"):
        await reconciler.replace(SCOPE, wish, digest="0" * 16, timeout_s=1)
    with pytest.raises(EngineUnavailable, match="takes long and goes on"):
        await reconciler.replace(SCOPE, wish, digest=digest, timeout_s=0.01)
    with pytest.raises(Conflict, match="under way"):
        await reconciler.replace(SCOPE, wish, digest=digest, timeout_s=1)
    replacer.go_on.set()
    async with asyncio.timeout(2):
        while not replacer.carried_out:
            await asyncio.sleep(0.01)

    replacer.is_needed = False
    digest = (await reconciler.plan_replacement(SCOPE, wish)).digest
    assert not (await reconciler.replace(SCOPE, wish, digest=digest, timeout_s=1)).is_needed
    assert replacer.carried_out == 1
    assert await reconciler.views() == {}


async def test_an_engine_that_somebody_else_runs_is_replaced_by_them(database: Database) -> None:
    wiring = ScopeWiring[Part, frozenset[str]](SCOPE, FakeEngine(), FakeSource(), plan)
    reconciler = Reconciler([wiring], database=database, clock=SystemClock())

    with pytest.raises(Conflict, match="run by somebody else, who has to restart it"):
        await reconciler.plan_replacement(SCOPE, Wish(Kind.RESTART))
    assert await reconciler.progress(SCOPE) == Progress()
