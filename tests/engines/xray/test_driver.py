"""The managed driver against the real core: what customers would notice, dialled with real clients."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from keystead.engines.xray.plan import plan
from keystead.reconcile.engine import Condition
from tests.support import xray


async def test_an_added_key_connects_and_a_removed_one_does_not(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user = await lab.add("k1-1")
        connected = await lab.dial(user)
        await lab.remove("k1-1")
        refused = await lab.dial(user, within_s=3)

    assert connected is not None
    assert refused is None


async def test_ready_means_that_the_first_dial_is_as_fast_as_the_hundredth(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_trusted=True, is_started=False) as lab:
        user = lab.want("k1-1")
        begun = time.monotonic()
        await lab.driver.start()
        await lab.ready()
        examined_s = time.monotonic() - begun
        async with xray.client(lab.profile(user)) as port:
            times = [await xray.get(port, lab.origin) for _ in range(100)]

    assert examined_s > 4.5, "the target was not examined; the laboratory shows nothing"
    assert examined_s < 8
    assert None not in times
    assert times[0] < max(1.0, 5 * (times[99] or 0))


async def test_a_restart_is_not_ready_before_it_is_warm_again(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_trusted=True) as lab:
        user = await lab.add("k1-1")
        lab.driver._core.kill("by the test")
        async with asyncio.timeout(5):
            await lab.driver._core.when_changed()
        assert not lab.driver._attendance.ready.is_set()
        await lab.ready()
        took_s = await lab.dial(user)

    assert took_s is not None
    assert took_s < 1


async def test_what_was_applied_is_what_is_observed(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        lab.want("k1-1")
        lab.want("k2-1", flow="")
        before = plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings)
        for step in before.steps:
            await lab.driver.apply(step, lab.desired)
        after = plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings)
        counts = await lab.driver.sizes()

    assert [step.verb.value for step in before.steps] == ["add", "add"]
    assert after.is_empty, str(after)
    assert counts == {"shared": 2}


async def test_a_foreign_user_in_our_inbound_is_removed(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        stranger = xray.XrayUser("somebody@example.org", "11111111-2222-4333-8444-555555555555")
        client = lab.driver._running().client
        await client.add_user("shared", stranger)
        found = plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings)
        for step in found.steps:
            await lab.driver.apply(step, lab.desired)
        refused = await lab.dial(stranger, within_s=3)
        left = await client.users("shared")

    assert [(step.verb.value, step.subject) for step in found.steps] == [("remove", "somebody@example.org")]
    assert refused is None
    assert set(left) == {"keystead-probe"}


async def test_a_twin_of_a_uuid_is_removed_without_cutting_the_right_user(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user = await lab.add("k1-1")
        parts = user.uuid.split("-")
        twin = xray.XrayUser("twin", "-".join([parts[0], parts[1], "4fff", *parts[3:]]))
        client = lab.driver._running().client
        await client.add_user("shared", twin)
        found = plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings)
        for step in found.steps:
            await lab.driver.apply(step, lab.desired)
        connected = await lab.dial(user)

    assert [(step.verb.value, step.subject) for step in found.steps] == [("remove", "twin"), ("change", "k1-1")]
    assert connected is not None


async def test_a_new_server_name_is_a_restart_after_which_it_is_served(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user = await lab.add("k1-1")
        process = lab.driver.status().process
        lab.inbound = xray.replace(lab.inbound, server_names=(xray.SERVER_NAME, "other.test"))
        found = plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings)
        for step in found.steps:
            await lab.driver.apply(step, lab.desired)
        await lab.ready()
        after = plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings)
        other = xray.replace(lab.profile(user), server_name="other.test")
        connected = await xray.dial(other, lab.origin)

    assert [step.verb.value for step in found.steps] == ["restart"]
    assert after.is_empty
    assert connected is not None
    assert lab.final_readings[0].process == process


async def test_a_killed_core_comes_back_with_its_users_and_over_its_stale_socket(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user = await lab.add("k1-1")
        before = lab.driver.status()
        lab.driver._core.kill("by the test")
        await lab.driver._core.when_changed()
        stale = lab.options.socket.exists()
        await lab.ready()
        after = lab.driver.status()
        connected = await lab.dial(user)

    assert stale
    assert connected is not None
    assert after.process != before.process
    assert after.pid != before.pid


async def test_while_the_core_is_down_a_removal_is_done_and_an_addition_is_not(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab:
        removed = lab.want("k2-1")
        with socket.create_server(("127.0.0.1", lab.inbound.port)):
            await lab.driver.start()
            await lab.driver._core.when(xray.State.BACKING_OFF)
            del lab.users["k2-1"]
            added = lab.want("k1-1")
            outcomes = await lab.driver.apply_marked(lab.part("k1-1", "k2-1"), ["k1-1", "k2-1"])
            was_reachable = await lab.driver.when_reachable()
        await lab.ready()
        connected, refused = await lab.dial(added), await lab.dial(removed, within_s=3)

    assert not was_reachable
    assert outcomes["k2-1"] is None
    assert getattr(outcomes["k1-1"], "code", "") == "engine_unavailable"
    assert connected is not None
    assert refused is None


async def test_a_stopped_core_is_unavailable_in_time_called_hung_and_replaced(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, call_timeout_s=0.5, hung_after_s=2.0) as lab:
        user = await lab.add("k1-1")
        before = lab.driver.status()
        xray.os.kill(before.pid or 0, xray.signal.SIGSTOP)
        begun = time.monotonic()
        lab.want("k2-1")
        outcomes = await lab.driver.apply_marked(lab.part("k2-1"), ["k2-1"])
        took_s = time.monotonic() - begun
        hung = (await lab.driver.probe()).condition
        await lab.driver._core.when(xray.State.BACKING_OFF)
        await lab.ready()
        connected = await lab.dial(user)

    assert getattr(outcomes["k2-1"], "code", "") == "engine_unavailable"
    assert took_s < 1.5
    assert hung is Condition.HUNG
    assert connected is not None


async def test_counters_grow_with_what_was_carried_and_name_their_process(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user = await lab.add("k1-1")
        await xray.dial(lab.profile(user), lab.origin, 100_000)
        await asyncio.sleep(0.2)
        reading = await lab.driver.read_counters()
        process = lab.driver.status().process

    assert reading.process == process
    assert set(reading.counters) == {"k1-1"}
    assert 100_000 <= reading.counters["k1-1"].downlink < 110_000
    assert lab.final_readings[-1].counters == reading.counters


async def test_no_private_key_is_in_a_command_line_an_environment_or_a_file(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        secret = lab.inbound.private_key.reveal()
        lines = xray.command_lines()
        environment = Path(f"/proc/{lab.driver.status().pid}/environ").read_text()
        files = [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_text(errors="ignore")]

    assert "run -config stdin:" in lines
    assert secret not in lines
    assert secret not in environment
    assert files == []


async def test_the_log_names_nobody_and_is_the_owners_alone(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user = await lab.add("k1-1")
        await lab.dial(user)
        await xray.dial(lab.profile(user), ("nowhere.invalid", 443), within_s=1)
        await asyncio.sleep(0.2)
    written = lab.options.keeper.place.core_log.read_text()

    assert lab.options.keeper.place.core_log.stat().st_mode & 0o777 == 0o600
    assert "Xray 26.7.28" in written
    for private in ("127.0.0.1", "nowhere.invalid", user.uuid, "accepted"):
        assert private not in written


async def test_a_target_that_goes_down_ends_readiness_and_its_return_restores_it(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        target_port = int(lab.inbound.target.rpartition(":")[2])
        await lab.close_target()
        async with asyncio.timeout(15):
            while lab.driver._attendance.ready.is_set():
                await asyncio.sleep(0.05)
        doubtful = (await lab.driver.probe()).condition
        context = xray.tls_1_3(tmp_path / "target-cert.pem", tmp_path / "target-key.pem")
        async with xray.serving(xray.silent_site, context, port=target_port):
            await lab.ready()

    assert doubtful is Condition.WARMING


async def test_without_an_inbound_the_core_runs_and_nothing_has_to_be_proven(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab:
        lab.without_inbound = True
        await lab.driver.start()
        await lab.ready(within_s=5)
        found = plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings)

        assert found.is_empty, str(found)


@pytest.mark.parametrize("listen", ["::", "0.0.0.0", "::1"])
async def test_every_form_of_listening_is_proven_and_serves(tmp_path: Path, listen: str) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab:
        lab.inbound = xray.replace(lab.inbound, listen=listen)
        user = lab.want("k1-1")
        await lab.driver.start()
        await lab.ready()
        host = "127.0.0.1" if listen == "0.0.0.0" else "::1"
        connected = await xray.dial(xray.replace(lab.profile(user), host=host), lab.origin)

    assert connected is not None


async def test_a_load_that_fails_is_tried_again(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab:
        lab.fail_loads = 2
        await lab.driver.start()
        await lab.driver._core.when(xray.State.BACKING_OFF)
        trouble = lab.driver.status().trouble
        await lab.ready()

    assert trouble == "the database is locked"
    assert lab.loads == 3
