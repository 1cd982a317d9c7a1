"""The meter: a reading is booked, or the last known figures stand."""

from typing import Any

import pytest

from keystead.kit.errors import EngineUnavailable, KeysteadError, StorageBusy, StorageFailed
from keystead.vpn import traffic
from keystead.vpn.accounting import Bytes
from keystead.vpn.meter import Meter
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
