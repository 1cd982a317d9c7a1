"""The keeper with the real core: no orphan, no shared port."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

from tests.support import xray

PARENT = """
import asyncio, pathlib, sys
from tests.support import xray

async def main():
    async with xray.lab(pathlib.Path(sys.argv[1])) as lab:
        print(lab.driver.status().pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_the_core_ends_with_a_killed_parent(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert parent.stdout is not None
    async with asyncio.timeout(20):
        pid = None
        while pid is None:
            line = await parent.stdout.readline()
            assert line, "the parent ended early"
            pid = int(line) if line.strip().isdigit() else None
    was_alive = Path(f"/proc/{pid}").exists()

    parent.send_signal(signal.SIGKILL)
    await parent.communicate()
    async with asyncio.timeout(10):
        while is_alive(pid):
            await asyncio.sleep(0.01)

    assert was_alive


def is_alive(pid: int | None) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_foreign_listener_on_the_port_is_named_and_the_core_starts_when_it_is_gone(tmp_path: Path) -> None:
    async with xray.lab(tmp_path, is_started=False) as lab:
        with socket.socket() as foreign:
            foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            foreign.bind(("127.0.0.1", lab.inbound.port))
            foreign.listen()
            await lab.driver.start()
            await lab.driver._core.when(xray.State.BACKING_OFF)
            status = lab.driver.status()
        await lab.ready()

    assert f"{lab.inbound.port} is in use by" in status.trouble
    assert f"(pid {xray.os.getpid()})" in status.trouble
    assert status.trouble == status.health.reason


async def test_a_second_core_of_ours_on_the_same_port_is_refused(tmp_path: Path) -> None:
    async with xray.lab(tmp_path / "first") as first, xray.lab(tmp_path / "second", is_started=False) as second:
        second.inbound = xray.replace(second.inbound, port=first.inbound.port)
        await second.driver.start()
        await second.driver._core.when(xray.State.BACKING_OFF)

        assert f"in use by xray (pid {first.driver.status().pid})" in second.driver.status().trouble
