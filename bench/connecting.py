"""What knowing every connection costs: the keeper's and Keystead's share of one processor core.

Real sockets and a real keeper, Keystead and core; the connections themselves are a crowd without tunnels (``crowd``).
Both processes are measured before anybody comes, too, and the whole share is what counts, idle part included.
"""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
from tests.support import xray

from bench import crowd
from bench.figures import Row, at_most
from bench.instances import Instance, ended, instance
from bench.load import PROJECT
from bench.processes import cpu_used
from bench.scale import Scale
from keystead.keeper import diag, protocol
from keystead.kit.files import noted_directory

SETTLE_S = 4.0


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """Measure each size of crowd on an instance of its own, with as many keys."""
    rows = []
    directory.mkdir(exist_ok=True)
    core = crowd.script(directory / "crowded-core", xray.xray_path())
    for size in scale.crowds:
        async with instance(directory / str(size), size, KEYSTEAD_XRAY_PATH=str(core)) as running:
            rows += await _shares(running, size, scale)
    return rows


async def _shares(running: Instance, size: int, scale: Scale) -> list[Row]:
    assert running.process is not None
    itself = psutil.Process(running.process.pid)
    keeper = next(child for child in itself.children() if "keystead.keeper" in " ".join(child.cmdline()))
    idle = await cpu_used(scale.crowd_s / 3, keeper, itself)
    async with _visited(running.vpn_port, size, scale.arrivals_per_s):
        await asyncio.sleep(min(SETTLE_S, scale.crowd_s))
        busy = await cpu_used(scale.crowd_s, keeper, itself)
        seen = len(diag.dump([running.vpn_port]))
        told = await asyncio.to_thread(_state, running.data_dir)
    case = f"{size:,} connections, {scale.arrivals_per_s} new a second"
    memory_mb = keeper.memory_info().rss / 1e6
    unknown = 100 * max(told["ownerless"].values())
    known = f"{seen:,} in the kernel's table at the end, {unknown:.1f} % without an owner; {memory_mb:.0f} MB"
    return [
        Row("keeper: share of one core", case, busy[0], at_most(10), "%", f"{known}; with nobody: {idle[0]:.1f} %"),
        Row(
            "Keystead: share of one core",
            case,
            busy[1],
            at_most(10),
            "%",
            f"as many keys; with nobody: {idle[1]:.1f} %",
        ),
    ]


def _state(data_dir: Path) -> dict[str, Any]:
    """Return what the keeper says of its watch."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(noted_directory(data_dir / "run") / protocol.SOCKET_NAME))
        wire.sendall(protocol.frame({"id": 1, "verb": "state"}))
        with wire.makefile("rb") as answers:
            while "answer" not in (said := json.loads(answers.read(int.from_bytes(answers.read(4), "big")))):
                continue
    answer: dict[str, Any] = said["answer"]
    return answer


@asynccontextmanager
async def _visited(port: int, count: int, per_s: int) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "KILL", "--"),
        *(sys.executable, "-m", "bench.crowd", "visitors", str(port), str(count), str(per_s)),
        stdout=asyncio.subprocess.PIPE,
        cwd=PROJECT,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(120):
            assert await process.stdout.readline() == b"there\n"
        yield
    finally:
        await ended(process)
