"""An inbound whose target does not answer keeps nobody waiting but its own clients, on a real core."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from keystead.engines.xray import handover
from keystead.keeper.ports import free_loopback_port
from keystead.operations.instance import checks
from keystead.operations.instance.doctor import Status
from keystead.operations.instance.engines import EngineStatus
from keystead.reconcile.engine import Condition
from tests.support import xray

DEAD = "import-1"


async def test_others_are_served_and_another_process_takes_over_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab:
        lab.want("k1-1")
        dead_port = free_loopback_port()
        lab.own["k1-1"] = replace(
            lab.inbound,
            tag=DEAD,
            port=free_loopback_port(),
            target=f"127.0.0.1:{dead_port}",
            server_names=("dead.test",),
        )
        await lab.driver.start()
        async with asyncio.timeout(20):
            while lab.driver.status().health.condition is not Condition.PARTIAL:
                await lab.driver.when_warmth_changes()
        user = await lab.add("k2-1")
        cold = await lab.driver.cold(lab.driver.places(lab.part("k1-1", "k2-1"), ["k1-1", "k2-1"]))
        connected = await lab.dial(user)
        found = checks.engine_condition("xray/main", told(lab))
        before = lab.driver.status().pid
        monkeypatch.setattr(handover, "WARM_WITHIN_S", 3.0)  # a test cannot wait as long as a slow target may need
        await lab.replace()
        after, again = lab.driver.status(), await lab.dial(user)

    assert connected is not None
    assert set(cold) == {"k1-1"}
    assert f"the inbound {DEAD}, whose target is 127.0.0.1:{dead_port}" in cold["k1-1"].message
    assert found.status is Status.FAIL
    assert f"through the inbound {DEAD}" in found.message
    assert after.pid != before
    assert after.health.condition is Condition.PARTIAL
    assert again is not None


def told(lab: xray.Lab) -> EngineStatus:
    """Return what doctor is told of a core."""
    status = lab.driver.status()
    return EngineStatus("/bin/xray", "1", "for a test", status.state, status.pid, status.health, "", ())
