"""The meter: a reading is booked, or the last known figures stand."""

from dataclasses import replace
from typing import Any

import pytest

from keystead.kit.errors import EngineUnavailable, KeysteadError, StorageBusy, StorageFailed
from keystead.vpn import booking, traffic
from keystead.vpn.accounting import Bytes
from keystead.vpn.meter import Meter
from keystead.vpn.store import processes
from keystead.vpn.store.processes import Stage
from tests.support.metering import Unwritable
from tests.support.shop import SCOPE, Shop, reading
from tests.support.work import Workplace


class Engine:
    """Answers with one reading, or not at all."""

    def __init__(self, taken: Any) -> None:
        self.taken = taken

    async def read_counters(self, label: str | None = None) -> Any:
        if isinstance(self.taken, KeysteadError):
            raise self.taken
        return self.taken


async def test_a_reading_is_booked_with_its_time(workplace: Workplace) -> None:
    shop = await Shop(workplace).open()
    key = await shop.issue()
    meter = Meter(SCOPE, Engine(reading("p1", k1_1=(1, 2))), database=workplace.database, clock=workplace.clock)

    seen = await meter.refresh(key)

    assert seen.fresh_at == workplace.clock.now()
    assert (await shop.do(traffic.usage, key)).visible == Bytes(1, 2)


@pytest.mark.parametrize("error", [StorageBusy("locked"), StorageFailed("full")], ids=["locked", "full"])
async def test_a_reading_that_cannot_be_booked_leaves_the_last_known(
    workplace: Workplace, error: KeysteadError
) -> None:
    shop = await Shop(workplace).open()
    key = await shop.issue()
    database: Any = Unwritable(workplace.database, error)
    meter = Meter(SCOPE, Engine(reading("p1", k1_1=(1, 2))), database=database, clock=workplace.clock)

    assert (await meter.refresh(key)).fresh_at is None
    assert (await shop.do(traffic.usage, key)).visible == Bytes()


async def test_an_engine_that_does_not_answer_leaves_the_last_known(workplace: Workplace) -> None:
    shop = await Shop(workplace).open()
    key = await shop.issue()
    meter = Meter(SCOPE, Engine(EngineUnavailable("down")), database=workplace.database, clock=workplace.clock)

    assert (await meter.refresh(key)).fresh_at is None


async def test_the_next_process_of_an_external_core_is_the_end_of_the_one_before(workplace: Workplace) -> None:
    shop = await Shop(workplace).open()
    key = await shop.issue()
    engine = Engine(None)
    meter = Meter(SCOPE, engine, database=workplace.database, clock=workplace.clock)

    for process, count in (("p1", 5), ("p2", 7), ("p2", 8), ("p3", 1)):
        engine.taken = replace(reading(process, k1_1=(0, count)), may_fall=True)
        await meter.sync()

    stages = await workplace.database.read(lambda connection: processes.stages(connection, SCOPE))
    assert stages == {"p1": Stage.FORGOTTEN, "p2": Stage.ENDED, "p3": Stage.LIVE}
    assert (await shop.do(traffic.usage, key)).visible == Bytes(0, 14)


async def test_a_core_of_ours_that_hands_over_is_read_to_its_end(workplace: Workplace) -> None:
    shop = await Shop(workplace).open()
    key = await shop.issue()
    engine = Engine(None)
    meter = Meter(SCOPE, engine, database=workplace.database, clock=workplace.clock)
    for process, count in (("p1", 5), ("p2", 7), ("p2", 8)):
        engine.taken = reading(process, k1_1=(0, count))
        await meter.sync()

    last_word = reading("p1", k1_1=(0, 100))
    now = workplace.clock.now()
    await workplace.database.write(lambda connection: booking.book_all(connection, SCOPE, last_word, now))

    assert (await shop.do(traffic.usage, key)).visible == Bytes(0, 108)
