"""Strangers may ask for health as often as they like; the engine is dialled once a second at most."""

import asyncio

import pytest

from keystead.db.session import Database
from keystead.operations.instance.health import REMEMBER_S, HealthCheck
from keystead.reconcile.engine import Condition, Health
from tests.support.clock import ManualClock


class Engine:
    """An engine that counts how often it is probed."""

    def __init__(self) -> None:
        self.condition = Condition.READY
        self.probes = 0

    async def probe(self) -> Health:
        self.probes += 1
        await asyncio.sleep(0)
        return Health(self.condition)


@pytest.mark.parametrize(
    ("condition", "problem", "status", "reasons"),
    [
        (Condition.READY, None, "ok", []),
        (Condition.PARTIAL, None, "degraded", ["vpn engine partial"]),
        (Condition.WARMING, None, "degraded", ["vpn engine warming"]),
        (Condition.HUNG, None, "unhealthy", ["vpn engine hung"]),
        (Condition.DOWN, None, "unhealthy", ["vpn engine down"]),
        (Condition.READY, "REALITY target 192.0.2.1:443 is silent", "degraded", ["reality target not valid"]),
    ],
)
async def test_health_is_three_words_and_reasons_without_details(
    database: Database, condition: Condition, problem: str | None, status: str, reasons: list[str]
) -> None:
    engine = Engine()
    engine.condition = condition
    check = HealthCheck(database, engine.probe, lambda: problem, ManualClock())

    report = await check.report()

    assert (report.status, report.reasons) == (status, reasons)


async def test_many_questions_are_one_probe_and_a_second_later_another(database: Database) -> None:
    engine, clock = Engine(), ManualClock()
    check = HealthCheck(database, engine.probe, lambda: None, clock)

    await asyncio.gather(*(check.report() for _ in range(50)))
    assert engine.probes == 1
    clock.advance(REMEMBER_S)
    engine.condition = Condition.DOWN

    assert (await check.report()).status == "unhealthy"
    assert engine.probes == 2
