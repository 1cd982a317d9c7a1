"""The reconciler as its callers see it."""

import asyncio

import pytest

from keystead.db.session import Database
from keystead.kit.clock import SystemClock
from keystead.kit.errors import EngineUnavailable
from keystead.reconcile import store
from keystead.reconcile.confirming import ScopeWiring
from keystead.reconcile.loop import Reconciler
from tests.support.engine import FakeEngine, FakeSource, Part, plan

SCOPE = "fake/main"


class SlowEngine(FakeEngine):
    """Counts how often it was looked at, and can be told to keep everybody waiting."""

    looks = 0

    def __post_init__(self) -> None:
        super().__post_init__()
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
