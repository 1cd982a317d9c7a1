"""The watch over engines: one word when it goes down, one when it is back, none for a hiccup or a restart of ours."""

import pytest
from sqlalchemy import select

from keystead.access import webhooks
from keystead.db.session import Database
from keystead.kit.errors import StorageBusy
from keystead.kit.reach import reach
from keystead.outbox.models import DELIVERIES
from keystead.outbox.watch import LOOK_EVERY_S, EngineWatch
from keystead.reconcile.engine import Condition, Health
from tests.support.work import Workplace


class Engine:
    """An engine that a test makes well or ill."""

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self.condition = Condition.READY
        self.watch = self.another_watch()

    def another_watch(self) -> EngineWatch:
        place = self.place
        return EngineWatch("xray/main", self.probe, database=place.database, clock=place.clock, ids=place.ids)

    async def probe(self) -> Health:
        return Health(self.condition, "told so")

    async def be(self, condition: Condition, seconds: float) -> None:
        """Be like that for so long, watched all the time."""
        self.condition = condition
        for _ in range(int(seconds // LOOK_EVERY_S)):
            await self.watch.look()
            self.place.clock.advance(LOOK_EVERY_S)

    async def said(self) -> list[str]:
        return await self.place.database.read(
            lambda c: list(c.execute(select(DELIVERIES.c.event).order_by(DELIVERIES.c.number)).scalars())
        )


@pytest.fixture
async def engine(workplace: Workplace) -> Engine:
    url = "https://example.com/"
    await workplace.do(webhooks.create, url=url, description="", events=(), reach=reach([]))
    return Engine(workplace)


async def test_down_and_up_are_said_once_each(engine: Engine) -> None:
    await engine.be(Condition.READY, 60)
    await engine.be(Condition.DOWN, 60)
    await engine.be(Condition.HUNG, 60)
    assert await engine.said() == ["engine.down"]

    await engine.be(Condition.READY, 60)

    assert await engine.said() == ["engine.down", "engine.up"]


async def test_a_hiccup_and_a_warm_up_are_not_worth_a_word(engine: Engine) -> None:
    await engine.be(Condition.READY, 60)
    for condition, seconds in (
        (Condition.DOWN, 5),
        (Condition.READY, 5),
        (Condition.WARMING, 40),
        (Condition.READY, 60),
    ):
        await engine.be(condition, seconds)

    assert await engine.said() == []


async def test_an_engine_that_never_gets_warm_is_down(engine: Engine) -> None:
    await engine.be(Condition.WARMING, 90)

    assert await engine.said() == ["engine.down"]


async def test_another_process_or_a_restart_repeats_nothing(engine: Engine) -> None:
    await engine.be(Condition.DOWN, 30)
    engine.watch = engine.another_watch()
    await engine.be(Condition.DOWN, 30)
    assert await engine.said() == ["engine.down"]
    engine.watch = engine.another_watch()

    await engine.be(Condition.READY, 30)

    assert await engine.said() == ["engine.down", "engine.up"]


async def test_what_could_not_be_written_is_said_at_the_next_look(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    async def refuse(*_: object) -> None:
        raise StorageBusy("busy")

    with monkeypatch.context() as patch:  # a database that is busy for exactly these looks
        patch.setattr(engine.place.database, "write", refuse)
        with pytest.raises(StorageBusy):
            await engine.be(Condition.DOWN, 30)

    await engine.be(Condition.DOWN, 30)

    assert await engine.said() == ["engine.down"]
