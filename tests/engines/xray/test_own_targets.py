"""Keys at ports whose target is none of ours, on a real core: their pair is examined before they are answered."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from keystead.engines.xray import warmth
from keystead.engines.xray.attendance import Attendance
from keystead.engines.xray.state import LIVE_TAG_PREFIX, XrayUser
from keystead.keeper.ports import free_loopback_port
from keystead.kit.errors import Conflict, KeysteadError
from keystead.reconcile.engine import Condition
from keystead.reconcile.replacement import Kind, Wish
from tests.support import xray
from tests.support.gated import Gate, gated

NAME = "other.test"


def target_port(lab: xray.Lab) -> int:
    return int(lab.inbound.target.rpartition(":")[2])


def at_port(lab: xray.Lab, label: str, port: int, *names: str) -> None:
    """Desire for a label a port that hides behind a site of its own."""
    own = free_loopback_port()
    target = f"127.0.0.1:{port}"
    tag, names = f"{LIVE_TAG_PREFIX}{own}", names or (NAME,)
    lab.own[label] = replace(lab.inbound, tag=tag, port=own, target=target, server_names=names, short_ids=("aa",))


async def opened(lab: xray.Lab, label: str, port: int, *names: str) -> XrayUser:
    """Tell the core of a label with such a port, as the loop does, and ask what it waits for."""
    at_port(lab, label, port, *names)
    user = await lab.add(label)
    await cold(lab, label)
    return user


async def cold(lab: xray.Lab, *labels: str) -> Mapping[str, KeysteadError]:
    """Return which of these labels would have to wait, as the loop asks before it answers."""
    return await lab.driver.cold(lab.driver.places(lab.part(*labels), labels))


async def until_warm(lab: xray.Lab, *labels: str) -> None:
    async with asyncio.timeout(30):
        while await cold(lab, *labels):
            await lab.driver.when_warmth_changes()


async def until_condition(lab: xray.Lab, condition: Condition) -> str:
    async with asyncio.timeout(30):
        while lab.driver.status().health.condition is not condition:
            await lab.driver.when_warmth_changes()
    return lab.driver.status().health.reason


def serving(lab: xray.Lab) -> Attendance:
    found = lab.driver._attendance
    assert found is not None
    return found


async def begun(lab: xray.Lab) -> Attendance:
    """Return what is known of a successor, once there is one."""
    async with asyncio.timeout(20):
        while not (found := lab.driver._handover.candidates()):
            await asyncio.sleep(0.02)
    return found[0]


def place(gate: Gate) -> str:
    return warmth.pair(f"127.0.0.1:{gate.port}", NAME)


async def test_a_key_is_cold_until_its_own_pair_was_examined_and_the_others_are_not(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab, gated(target_port(lab)) as gate:
        user = await opened(lab, "k1-1", gate.port)
        await lab.add("k2-1")
        await lab.open("k3-1")
        waiting = await cold(lab, "k1-1", "k2-1", "k3-1")
        reason = await until_condition(lab, Condition.PARTIAL)
        gate.open()
        await until_warm(lab, "k1-1")
        dialled = await lab.dial(user)

        told = f"no dial has come back yet through ports of their own with the target 127.0.0.1:{gate.port} as {NAME}"
        assert {label: error.message for label, error in waiting.items()} == {"k1-1": told}
        assert reason == told
        assert dialled is not None
        assert lab.driver.status().health.condition is Condition.READY


async def test_the_first_dial_after_that_does_not_wait_for_an_examination(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_trusted=True) as lab:
        site = xray.tls_1_3(tmp_path / "target-cert.pem", tmp_path / "target-key.pem")
        async with xray.serving(xray.silent_site, site) as port:
            user = await opened(lab, "k1-1", port)
            waiting = await cold(lab, "k1-1")
            await until_warm(lab, "k1-1")
            dialled = await lab.dial(user, within_s=4.0)  # the core lets an early client sleep five

    assert set(waiting) == {"k1-1"}
    assert dialled is not None


async def test_a_name_that_is_dead_holds_no_other(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab, gated(target_port(lab)) as dead, gated(target_port(lab)) as gate:
        await opened(lab, "k1-1", dead.port)
        others = {f"k{number}-1": (f"{number}.test", f"www{number}.test") for number in range(2, 8)}
        for label, names in others.items():
            await opened(lab, label, gate.port, *names)
        before = await cold(lab, "k1-1", *others)
        gate.open()
        await until_warm(lab, *others)

        assert set(before) == {"k1-1", *others}
        assert set(await cold(lab, "k1-1", *others)) == {"k1-1"}


async def test_a_pair_that_nobody_has_any_more_holds_up_nothing_and_is_dialled_when_it_is_wanted_again(
    tmp_path: Path,
) -> None:
    async with xray.lab(tmp_path) as lab, gated(target_port(lab)) as gate:
        await opened(lab, "k1-1", gate.port)
        await opened(lab, "k2-1", gate.port)
        await lab.remove("k1-1")
        with_one = lab.driver.status().health.condition
        await lab.remove("k2-1")
        with_none = lab.driver.status().health.condition
        user = await opened(lab, "k3-1", gate.port)
        waiting = await cold(lab, "k3-1")
        gate.open()
        await until_warm(lab, "k3-1")

        assert (with_one, with_none) == (Condition.PARTIAL, Condition.READY)
        assert set(waiting) == {"k3-1"}
        assert await lab.dial(user) is not None


async def test_a_core_that_starts_again_has_the_pair_examined_before_its_key_is_answered(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab, gated(target_port(lab), is_open=True) as gate:
        user = await opened(lab, "k1-1", gate.port)
        await lab.add("k2-1")
        await until_warm(lab, "k1-1")
        gate.close()
        lab.driver._core.kill("by the test")
        async with asyncio.timeout(5):
            await lab.driver._core.when_changed()
        await until_condition(lab, Condition.PARTIAL)
        waiting = await cold(lab, "k1-1", "k2-1")
        gate.open()
        await until_warm(lab, "k1-1")

        assert set(waiting) == {"k1-1"}
        assert await lab.dial(user) is not None


async def test_a_start_has_the_pair_from_its_configuration(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab, gated(target_port(lab)) as gate:
        user = lab.want("k1-1")
        at_port(lab, "k1-1", gate.port)
        await lab.driver.start()
        await until_condition(lab, Condition.PARTIAL)
        known = place(gate) in serving(lab).started.needs
        waiting = await cold(lab, "k1-1")
        gate.open()
        await lab.ready()

        assert known
        assert set(waiting) == {"k1-1"}
        assert await lab.dial(user) is not None
        assert (await lab.driver.probe()).condition is Condition.READY


async def test_the_next_keystead_has_the_pair_dialled_in_the_core_it_takes_over(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_attached=False) as lab, gated(target_port(lab), is_open=True) as gate:
        user = await opened(lab, "k1-1", gate.port)
        await until_warm(lab, "k1-1")
        process = lab.driver.status().process
        await lab.driver.stop()
        gate.close()
        lab.renew()
        await lab.driver.start()
        await until_condition(lab, Condition.PARTIAL)
        waiting = await cold(lab, "k1-1")
        gate.open()
        await until_warm(lab, "k1-1")
        tags = await serving(lab).client.inbound_tags()

        assert set(waiting) == {"k1-1"}
        assert lab.driver.status().process == process
        assert len([tag for tag in tags if tag.startswith("keystead-warmer-")]) == 1
        assert await lab.dial(user) is not None


async def test_a_successor_takes_over_when_the_pair_is_examined_there_too(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab, gated(target_port(lab), is_open=True) as gate:
        user = await opened(lab, "k1-1", gate.port)
        await until_warm(lab, "k1-1")
        gate.close()
        replacing = asyncio.create_task(lab.replace())
        candidate = await begun(lab)
        async with asyncio.timeout(20):
            while not candidate.is_warm("shared"):
                await candidate.changed.wait()
        is_early = candidate.warm.is_set() or candidate.is_warm(place(gate))
        gate.open()
        await replacing

        assert not is_early
        assert serving(lab) is candidate
        assert await cold(lab, "k1-1") == {}
        assert await lab.dial(user) is not None


async def test_a_pair_that_comes_into_use_while_a_successor_waits_is_examined_there_first(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab, gated(target_port(lab)) as gate:
        planned = await lab.driver.replacing.plan("xray/main", Wish(Kind.RESTART, has_new_keeper=False))
        await lab.driver.replacing.prepare(planned, lab.desired)
        [candidate] = lab.driver._handover.candidates()
        user = await opened(lab, "k1-1", gate.port)
        with pytest.raises(Conflict):
            await lab.driver.replacing.carry_out(planned, lab.desired)
        gate.open()
        await lab.driver.replacing.prepare(planned, lab.desired)
        await lab.driver.replacing.carry_out(planned, lab.desired)

        assert serving(lab) is candidate
        assert candidate.is_warm(place(gate))
        assert await cold(lab, "k1-1") == {}
        assert await lab.dial(user) is not None
