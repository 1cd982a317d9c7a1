"""Another process takes the place of the one that serves, while real clients dial and download."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from keystead.engines.xray import handover
from keystead.engines.xray.attendance import Attendance
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.plan import plan
from keystead.kit.errors import EngineUnavailable
from keystead.reconcile.engine import CoreView, KeeperView
from keystead.reconcile.plan import Step, Verb
from keystead.reconcile.replacement import Kind, Phase
from tests.support import xray
from tests.support.downloads import DIAL_MAX_S, GAP_MAX_S, MB, Trickles, downloading, streaming, trickling
from tests.support.halfway import STEPS, die_halfway

OFTEN = {"opened", "told-one"}
OTHER, PINNED = "26.6.27", "26.7.28"
ANSWER = len(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n") + 1000
RESTART = Step("core", "xray/main", Verb.RESTART, "", "serving", "asked for by the test")


@asynccontextmanager
async def dialling(port: int, origin: tuple[str, int]) -> AsyncIterator[list[float | None]]:
    """Dial through a client without a pause; yield how long each took, None for one that failed."""
    times: list[float | None] = []

    async def dial() -> None:
        while True:
            times.append(await xray.get(port, origin))

    tasks = [asyncio.create_task(dial()) for _ in range(3)]
    try:
        yield times
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_no_dial_fails_and_no_download_stops_while_a_process_takes_over(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        before = lab.driver.status()
        async with xray.client(lab.profile(user)) as port, downloading(lab.profile(other)) as download:
            async with dialling(port, lab.origin) as times:
                await asyncio.sleep(1)
                await lab.driver.apply(RESTART, lab.desired)
                await asyncio.sleep(1)
            after = lab.driver.status()
            planned = plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings)
            assert not download.is_over
            assert download.longest_gap_s < GAP_MAX_S

    assert after.process != before.process
    assert after.pid != before.pid
    assert planned.is_empty
    assert len(times) > 20
    assert None not in times
    assert max(took_s for took_s in times if took_s is not None) < DIAL_MAX_S


async def test_a_removed_key_is_cut_within_a_second_and_its_neighbour_is_not(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        async with downloading(lab.profile(user)) as cut, downloading(lab.profile(other)) as kept:
            await asyncio.sleep(1.5)
            begun_s = asyncio.get_running_loop().time()
            await lab.remove("k1-1")
            async with asyncio.timeout(5):
                while not cut.is_over:
                    await asyncio.sleep(0.01)
            took_s = asyncio.get_running_loop().time() - begun_s
            received = kept.received
            await asyncio.sleep(0.5)

            assert took_s < 1
            assert not kept.is_over
            assert kept.received > received
            assert kept.longest_gap_s < GAP_MAX_S


async def test_ten_handovers_to_the_other_core_and_back_cost_nobody_anything(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        async with xray.client(lab.profile(user)) as port, trickling(lab.profile(other)) as trickles:
            async with dialling(port, lab.origin) as times:
                versions = [await handed_over(lab, trickles, OTHER if turn % 2 == 0 else PINNED) for turn in range(10)]
                async with asyncio.timeout(60):
                    while len(times) < 2_000:
                        await asyncio.sleep(0.1)
            await trickles.end()
            counted = await counted_in_all(lab, processes=11)

    took = [took_s for took_s in times if took_s is not None]
    assert versions == [OTHER, PINNED] * 5
    assert len(took) == len(times)
    assert len(times) >= 2_000
    assert max(took) < DIAL_MAX_S
    assert len(trickles.downloads) == 50
    assert max(download.longest_gap_s for download in trickles.downloads) < GAP_MAX_S
    assert counted["k2-1"] == sum(download.received for download in trickles.downloads)
    assert 0 <= counted["k1-1"] - len(times) * ANSWER <= 3 * ANSWER  # those under way when the dialling was ended


async def handed_over(lab: xray.Lab, trickles: Trickles, version: str) -> str:
    """Begin five downloads, hand over to a core of a version, and return the version that serves then."""
    await trickles.begin(5)
    lab.found = xray.binary(version)
    await lab.replace(Kind.UPGRADE)
    return lab.driver.status().binary.version


async def counted_in_all(lab: xray.Lab, *, processes: int) -> dict[str, int]:
    """Return what each label's download was in all processes, when all but the last have been read and have ended."""
    async with asyncio.timeout(20):
        while len({reading.process for reading in lab.final_readings}) < processes - 1:
            await asyncio.sleep(0.1)
    last = {reading.process: reading for reading in [*lab.final_readings, await lab.driver.read_counters()]}
    total: dict[str, int] = {}
    for reading in last.values():
        for label, counters in reading.counters.items():
            total[label] = total.get(label, 0) + counters.downlink
    return total


@pytest.mark.parametrize(
    "has_new_keeper", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["one keeper", "two keepers"]
)
async def test_a_speed_limit_holds_over_the_process_that_leaves_and_the_one_that_serves(
    tmp_path: Path, has_new_keeper: bool
) -> None:
    async with xray.lab(tmp_path) as lab:
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        lab.limits["k1-1"] = 3 * MB
        await lab.options.keeper.ask_all("limit", limits=lab.limits)
        async with (
            streaming(lab.profile(user), bytes_per_s=20 * MB) as before,
            streaming(lab.profile(other), bytes_per_s=4 * MB) as neighbour,
        ):
            await lab.replace(has_new_keeper=has_new_keeper)
            async with streaming(lab.profile(user), bytes_per_s=20 * MB) as after:
                await asyncio.sleep(3)
                rates = await asyncio.gather(*(stream.per_s(8) for stream in (before, after, neighbour)))
                holders = {one.process for one in await lab.driver.watching.connections(["k1-1"])}

    assert len(holders) == 2
    assert 0.85 * 3 * MB < rates[0] + rates[1] < 1.15 * 3 * MB
    assert min(rates[0], rates[1]) > 0.5 * MB
    assert rates[2] > 0.85 * 4 * MB


async def test_a_new_keeper_takes_over_and_the_old_one_ends_by_itself(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        [before] = await keepers(lab)
        async with xray.client(lab.profile(user)) as port, trickling(lab.profile(other)) as trickles:
            await trickles.begin(3)
            lab.limits["k2-1"] = 10_000_000
            await lab.options.keeper.ask_all("limit", limits=lab.limits)
            async with dialling(port, lab.origin) as times:
                await lab.replace(Kind.UPGRADE, has_new_keeper=True)
                during = await keepers(lab)
                rules = [state["limits"] for state in await lab.options.keeper.ask_all("state")]
                await asyncio.sleep(2)
                carried = await lab.driver.carried()
            new = await lab.add("k3-1")
            joined = await lab.dial(new)
            await trickles.end()
            async with asyncio.timeout(20):
                while len(after := await keepers(lab)) > 1:
                    await asyncio.sleep(0.2)
            counted = await counted_in_all(lab, processes=2)

    assert {keeper.pid for keeper in during} == {before.pid, after[0].pid}
    assert [keeper.is_leading for keeper in after] == [True]
    assert after[0].pid != before.pid
    assert joined is not None
    assert rules == [{"k2-1": 10_000_000}] * 2
    assert None not in times
    # An interpreter starts beside the core, and on a small machine takes time from the dials.
    assert max(took_s for took_s in times if took_s is not None) < DIAL_MAX_S
    assert max(download.longest_gap_s for download in trickles.downloads) < GAP_MAX_S
    # Each keeper tells of its own process alone, although both look at the same port.
    assert [set(found.labels) & {"k2-1"} for found in carried if not found.is_ended] == [{"k2-1"}, set()]
    assert counted["k2-1"] == sum(download.received for download in trickles.downloads)


@pytest.mark.alone
@pytest.mark.slow
async def test_a_key_that_is_removed_is_cut_in_the_process_that_leaves_with_an_old_keeper(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user, other = await lab.add("k1-1"), await lab.add("k2-1")
        async with downloading(lab.profile(user)) as cut, downloading(lab.profile(other)) as kept:
            await lab.replace(has_new_keeper=True)
            await asyncio.sleep(1.5)
            await lab.remove("k1-1")
            async with asyncio.timeout(2):
                while not cut.is_over:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)

            assert not kept.is_over
            assert kept.longest_gap_s < GAP_MAX_S


async def keepers(lab: xray.Lab) -> tuple[KeeperView, ...]:
    """Return what the keepers say of themselves."""
    return (await lab.driver.replacing.view()).keepers


@pytest.mark.parametrize(
    "step",
    [step if step in OFTEN else pytest.param(step, marks=[pytest.mark.slow, pytest.mark.alone]) for step in STEPS],
)
async def test_an_api_that_is_killed_in_a_handover_leaves_one_that_the_next_finishes(tmp_path: Path, step: str) -> None:
    async with xray.lab(tmp_path, is_attached=False) as lab:
        user = await lab.add("k1-1")
        async with xray.client(lab.profile(user)) as port, dialling(port, lab.origin) as times:
            await lab.driver.stop()
            code = await die_halfway(lab, step)
            lab.renew()
            await lab.driver.start()
            await lab.ready()
            left = await one_process(lab)
            await asyncio.sleep(0.3)
        planned = plan("xray/main", lab.desired, await lab.driver.observe(), settings=lab.options.settings)

    assert code == -signal.SIGKILL
    assert left.role == "serving"
    assert planned.is_empty
    assert None not in times
    assert max(took_s for took_s in times if took_s is not None) < DIAL_MAX_S


async def one_process(lab: xray.Lab) -> CoreView:
    """Wait until one keeper with one process is left, and return that."""
    async with asyncio.timeout(20):
        while True:
            cores = [core for keeper in await keepers(lab) for core in keeper.cores]
            if len(cores) == 1 and len(await keepers(lab)) == 1:
                return cores[0]
            await asyncio.sleep(0.1)


async def test_a_program_that_ends_at_once_is_given_up_and_nothing_is_changed(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        user = await lab.add("k1-1")
        before, lab.found = lab.driver.status(), broken_program(tmp_path)
        async with xray.client(lab.profile(user)) as port, dialling(port, lab.origin) as times:
            with pytest.raises(EngineUnavailable, match=r"does not (start|prove itself): .*nothing was changed"):
                await lab.replace(Kind.UPGRADE)
            await asyncio.sleep(0.3)
        left = await one_process(lab)
        progress = await lab.driver.replacing.progress()

    assert (left.pid, left.version) == (before.pid, PINNED)
    assert progress.phase is Phase.FAILED
    assert "nothing was changed" in progress.message
    assert None not in times


async def test_a_successor_that_no_dial_comes_back_through_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with xray.lab(tmp_path) as lab:
        before = lab.driver.status()
        monkeypatch.setattr(handover, "WARM_WITHIN_S", 2.0)  # a test cannot wait as long as a slow target may need
        await lab.close_target()
        with pytest.raises(EngineUnavailable, match="no dial through it comes back; nothing was changed"):
            await lab.replace()
        left = await one_process(lab)

    assert left.pid == before.pid


async def test_a_successor_that_does_not_serve_in_public_is_given_up_and_with_it_its_keeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with xray.lab(tmp_path) as lab:
        user = await lab.add("k1-1")
        before = lab.driver.status()
        monkeypatch.setattr(handover, "PROVEN_WITHIN_S", 1.0)  # a test cannot wait as long as a slow target may need
        monkeypatch.setattr(Attendance, "prove", lambda _: asyncio.sleep(60))  # nothing real warms and then fails
        async with xray.client(lab.profile(user)) as port, dialling(port, lab.origin) as times:
            with pytest.raises(EngineUnavailable, match="in public; nothing was changed"):
                await lab.replace(has_new_keeper=True)
            left = await one_process(lab)
            await asyncio.sleep(0.3)

    assert left.pid == before.pid
    assert None not in times


async def test_a_core_that_is_taken_over_goes_on_with_its_version_even_after_a_crash(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_attached=False) as lab:
        lab.found = xray.binary(OTHER)
        await lab.replace(Kind.UPGRADE)
        await lab.driver.stop()
        lab.found = xray.binary()
        lab.renew()
        await lab.driver.start()
        await lab.ready()
        taken, view = lab.driver.status(), await lab.driver.replacing.view()
        assert taken.pid is not None
        os.kill(taken.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            while lab.driver.status().pid in {taken.pid, None}:
                await asyncio.sleep(0.05)
        await lab.ready()
        again = await one_process(lab)
        running = Path(f"/proc/{again.pid}/exe").resolve()

    assert taken.binary.version == OTHER
    assert view.available is not None
    assert view.available.version == PINNED
    assert again.version == OTHER
    assert running == xray.xray_path(OTHER)


async def test_a_listener_beside_ours_is_named_within_seconds(tmp_path: Path) -> None:
    async with xray.lab(tmp_path) as lab:
        before = (await lab.driver.replacing.view()).foreign
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            thief.bind((lab.inbound.listen, lab.inbound.port))
            thief.listen()
            await asyncio.sleep(2.5)
            beside = (await lab.driver.replacing.view()).foreign
        await asyncio.sleep(2.5)
        after = (await lab.driver.replacing.view()).foreign

    assert before == after == ()
    assert len(beside) == 1
    assert f"127.0.0.1:{lab.inbound.port} by" in beside[0]
    assert f"(pid {os.getpid()})" in beside[0]


async def test_a_listener_that_was_there_before_is_named_and_never_shared_with(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab:
        with socket.socket() as orphan:
            orphan.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            orphan.bind((lab.inbound.listen, lab.inbound.port))
            orphan.listen()
            await lab.driver.start()
            status = lab.driver.status()
        await lab.ready()

    assert status.pid is None
    assert f"in use by {Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()})" in status.trouble


async def test_a_keeper_of_another_version_is_named_and_left_alone(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False, is_attached=False) as lab:
        place = lab.options.keeper.place
        command = [sys.executable, "-m", "keystead.keeper", "--socket", str(place.socket), "--speak", "99"]
        process = await asyncio.create_subprocess_exec(*command, "--core-log", str(place.core_log))
        async with asyncio.timeout(10):
            while not place.socket.exists():
                await asyncio.sleep(0.05)
        await lab.driver.start()
        status, told = lab.driver.status(), await keepers(lab)
        is_there = process.returncode is None
        process.terminate()
        await process.wait()
        await lab.ready(30)

    assert is_there
    assert status.pid is None
    assert f"(pid {process.pid}) speaks version 99" in status.trouble
    assert "keystead engine stop" in status.trouble
    assert [(keeper.pid, keeper.is_understood) for keeper in told] == [(process.pid, False)]


def broken_program(directory: Path) -> Binary:
    """Return a program that calls itself an Xray and ends as soon as it is run."""
    path = directory / "broken"
    path.write_text("#!/bin/sh\ncat > /dev/null\necho Failed to start: no reason\nexit 23\n")
    path.chmod(0o700)
    return Binary(path, "26.8.1", "made for a test")
