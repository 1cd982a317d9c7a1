"""The operator's side of a handover: restart, upgrade, a new keeper and stop, on the command line."""

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from keystead.keeper import protocol
from tests.support import xray
from tests.support.commands import runner
from tests.support.downloads import GAP_MAX_S, downloading
from tests.support.keystead import keystead

OTHER, PINNED = "26.6.27", "26.7.28"


async def test_an_operator_upgrades_core_and_keeper_and_stops_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keystead(tmp_path, is_detached=True, KEYSTEAD_XRAY_PATH=str(xray.xray_path(OTHER))) as instance:
        for name, value in instance.environment.items():
            monkeypatch.setenv(name, value)
        run = runner(capsys, monkeypatch, instance.data_dir)

        async def do(*arguments: str) -> Any:
            return await asyncio.to_thread(run, *arguments)

        key = await instance.create("watching")
        profile = await instance.profile(key["key_id"])
        async with downloading(profile) as download:
            nothing = await do("engine", "upgrade")
            refused = await do("engine", "stop")
            await instance.stop()
            del instance.environment["KEYSTEAD_XRAY_PATH"]
            await instance.start()
            await instance.ready()
            listed, told = await do("engine", "list"), await do("doctor", "--json")
            [was] = (await do("engine", "list", "--json")).json
            changed = await do("engine", "upgrade", "--yes")
            restarted = await do("engine", "restart", "--yes", "--json")
            renewed = await do("engine", "upgrade", "--keeper", "--yes")
            [now] = (await do("engine", "list", "--json")).json
            [leading] = [one for one in now["keepers"] if any(core["role"] == "serving" for core in one["cores"])]
            serving = [core for core in leading["cores"] if core["role"] == "serving"]
            dialled = await instance.dial(key["key_id"])

            assert not download.is_over
            assert download.longest_gap_s < GAP_MAX_S
        await instance.until_agreed(socket=_api_of(instance.data_dir, now))
        await instance.stop()
        stopped = await do("engine", "stop", "--json")
        again = await do("engine", "stop")

    assert (nothing.code, "nothing to do" in nothing.out) == (0, True)
    assert (refused.code, "Keystead serves on" in refused.err) == (3, True)
    assert f"{PINNED} at " in listed.out
    assert "keystead engine upgrade xray/main" in told.out
    assert was["engine"]["version"] == OTHER
    assert f"{OTHER} at " in changed.out
    assert "proven in public" in changed.err
    assert "done; " in changed.out
    assert restarted.json["plan"]["running"]["program"]["version"] == PINNED
    assert renewed.code == 0, renewed.err
    assert [core["version"] for core in serving] == [PINNED]
    assert len(now["keepers"]) == 2
    assert dialled is not None
    # The keeper that was left may end by itself at this very moment.
    assert [one["is_booked"] for one in stopped.json["ended"] if one["pid"] == leading["pid"]] == [True]
    assert (again.code, again.out) == (0, "no keeper runs\n")
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the client's connection is still closing
        free.bind(("127.0.0.1", instance.vpn_port))


async def test_a_program_that_does_not_run_is_refused_with_a_reason_and_nothing_is_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keystead(tmp_path, is_detached=True) as instance:
        for name, value in instance.environment.items():
            monkeypatch.setenv(name, value)
        run = runner(capsys, monkeypatch, instance.data_dir)
        key, core = await instance.create("watching"), instance.core_pid()
        await instance.stop()
        instance.environment["KEYSTEAD_XRAY_PATH"] = str(_broken(tmp_path))
        await instance.start()
        await instance.ready()
        ended = await asyncio.to_thread(run, "engine", "upgrade", "--yes")
        dialled = await instance.dial(key["key_id"])
        after = instance.core_pid()

    assert ended.code == 1
    assert "Failed to start: no reason" in ended.err
    assert "nothing was changed" in ended.err
    assert after == core
    assert dialled is not None


async def test_a_keeper_of_another_version_is_ended_when_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = tmp_path / "data"
    (data_dir / "run").mkdir(parents=True, mode=0o700)
    path = data_dir / "run" / protocol.SOCKET_NAME
    command = [sys.executable, "-m", "keystead.keeper", "--socket", str(path), "--speak", "99"]
    keeper = await asyncio.create_subprocess_exec(*command, "--core-log", str(data_dir / "xray.log"))
    async with asyncio.timeout(10):
        while not path.exists():
            await asyncio.sleep(0.05)

    ended = await asyncio.to_thread(runner(capsys, monkeypatch, data_dir), "engine", "stop")

    assert await keeper.wait() == 0
    assert (ended.code, ended.out) == (0, f"keeper {keeper.pid} has ended, with 0 processes and 0 connections\n")
    assert "could not be booked" in ended.err


def _broken(directory: Path) -> Path:
    """Return a program that calls itself an Xray and does not run."""
    path = directory / "broken"
    path.write_text(
        '#!/bin/sh\n[ "$1" = version ] && echo "Xray 26.8.1 (made for a test)" && exit\n'
        "cat > /dev/null; echo Failed to start: no reason; exit 23\n"
    )
    path.chmod(0o700)
    return path


def _api_of(data_dir: Path, scope: dict[str, Any]) -> Path:
    """Return the socket of the core that serves: each handover takes the next free one."""
    return max((data_dir / "run").glob("xray*.sock"), key=lambda path: path.stat().st_mtime)
