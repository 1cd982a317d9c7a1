"""Thousands of keys in one call: what each of them costs, until all are usable, over the bare calls of the core."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import orjson

from bench import controls
from bench.client import WarmClient, core, warm_client
from bench.figures import Row, at_most, median_ratio
from bench.instances import Instance, ended, instance
from bench.scale import Scale
from bench.starting import desired_of
from bench.wire import Wire
from keystead.engines.xray import config
from keystead.engines.xray.state import XraySettings
from keystead.keeper.ports import free_loopback_port
from keystead.vpn.links import parse_link

_BULK = "/v1/vpn/bulk"
_POLL_S = 0.02
_START_S = 30.0


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """Create keys in one call and users by bare calls, in turns; then dial one of the keys."""
    ours: list[float] = []
    bare: list[float] = []
    async with instance(directory / "bulk", 0) as running, warm_client() as client, _bare_core(running) as bare_core:
        with running.wire() as wire:
            for number in range(scale.bulks):
                bare.append(await controls.add_many(*bare_core, scale.bulk))
                ours.append(await asyncio.to_thread(_create, wire, scale.bulk, number))
            handed_s, last = await asyncio.to_thread(_last_link, wire, scale.bulks)
        await _dial(running, client, last)
    case = f"{scale.bulk:,} keys"
    our_us, bare_us = (statistics.median(took) / scale.bulk * 1e6 for took in (ours, bare))
    note = f"{our_us:.0f} µs over {bare_us:.0f} µs a key; {min(ours):.1f} to {max(ours):.1f} s in all"
    return [
        Row("create in one call, a key, over pipelined AddUser", case, median_ratio(ours, bare), at_most(4), note=note),
        Row("their links as CSV", case, handed_s, None, "s"),
    ]


def _create(wire: Wire, count: int, number: int) -> float:
    """Create keys in one call and wait until the bulk says that all are usable."""
    body = {"action": "create", "create": {"count": count, "name": f"batch-{number}-{{n}}"}}
    begun = time.perf_counter()
    bulk = orjson.loads(wire.ask("POST", _BULK, orjson.dumps(body))[1])
    while bulk["state"] in {"waiting", "running"}:
        time.sleep(_POLL_S)
        bulk = wire.ask_json("GET", f"{_BULK}/{bulk['id']}")
    if bulk["outcomes"] != {"done": count}:
        raise RuntimeError(f"not every key was created: {bulk}")
    return time.perf_counter() - begun


def _last_link(wire: Wire, bulk: int) -> tuple[float, str]:
    took_s, table = wire.ask("GET", f"{_BULK}/{bulk}/links?format=csv")
    return took_s, table.decode().splitlines()[-1].split(",")[4]


async def _dial(running: Instance, client: WarmClient, link: str) -> None:
    await client.use(parse_link(link))
    if await client.get(running.world.origin) is None:
        raise RuntimeError("a key of a bulk that is done does not connect")


@asynccontextmanager
async def _bare_core(running: Instance) -> AsyncIterator[tuple[Path, str]]:
    """Run a core of the same configuration beside, at another port, which nobody watches."""
    socket, desired = running.directory / "bare.sock", desired_of(running)
    [shared] = desired.inbounds
    moved = replace(desired, inbounds=(replace(shared, port=free_loopback_port()),))
    api = config.api_on_socket(socket)
    process = await core(orjson.dumps(config.render(moved, api_listen=api, probe=None, settings=XraySettings())))
    try:
        async with asyncio.timeout(_START_S):
            while not socket.exists():
                await asyncio.sleep(0.01)
        yield socket, shared.tag
    finally:
        await ended(process)
