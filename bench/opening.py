"""Ports of their own: from the request to the first GET against the shared port, and what thousands of them cost."""

import asyncio
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import psutil

from bench.client import WarmClient, warm_client
from bench.controls import BareCore
from bench.figures import Row, at_most, median_ratio, milliseconds, take_turns
from bench.instances import Instance, instance
from bench.processes import cpu_used
from bench.scale import Scale
from bench.starting import desired_of
from bench.wire import Refused, Wire
from keystead.engines.xray.state import LIVE_TAG_PREFIX, XrayInbound
from keystead.keeper.ports import free_loopback_port
from keystead.vpn.links import parse_link
from keystead.vpn.values import ClientProfile

_KEYS = "/v1/vpn/keys"
_IDLE_S = 10.0
_FIRST_PORT = 11_000
# A token may ask for it three times a minute.
_SYNCHRONIZED = 3
_OWN = b'{"placement":"own-port"}'


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """Measure one port at a time, then with many."""
    ports = f"{_FIRST_PORT}-{_FIRST_PORT + scale.ports + scale.rounds * 2 + 50}"
    async with instance(directory / "opening", 0, KEYSTEAD_VPN_PORTS=ports) as running, warm_client() as client:
        with running.wire() as wire:
            first = await _one_at_a_time(running, client, wire, scale)
            opened = await asyncio.to_thread(_open_many, wire, scale.ports)
            opened.append(await asyncio.to_thread(_synchronized, wire, scale.ports))
        return [*first, *opened, *await _idle(running, scale), await _start(running, scale)]


@dataclass
class _Turns:
    """What is measured in turns on one instance."""

    running: Instance
    client: WarmClient
    wire: Wire
    core: BareCore
    like: XrayInbound
    public_host: str

    async def own(self) -> float:
        """Issue a key with a port of its own over HTTP and GET through it."""
        return await self._issued("own-port")

    async def shared(self) -> float:
        """Issue a key of the shared port over HTTP and GET through it."""
        return await self._issued("shared")

    async def bare(self) -> float:
        """Open an inbound with one user by a bare call and GET through it."""
        port = free_loopback_port()
        inbound = replace(self.like, tag=f"{LIVE_TAG_PREFIX}bench-{port}", port=port)
        took_s, user = self.core.open(inbound)
        profile = ClientProfile(
            host=self.public_host,
            port=port,
            uuid=user.uuid,
            flow=user.flow,
            public_key=inbound.public_key,
            short_id=inbound.short_ids[0],
            server_name=inbound.server_names[0],
            name=None,
        )
        dialled_s = await self._dialled(profile)
        self.core.close_inbound(inbound.tag)
        return took_s + dialled_s

    async def _issued(self, placement: str) -> float:
        took_s, answer = self.wire.ask("POST", _KEYS, orjson.dumps({"placement": placement}))
        link = self.wire.ask_json("GET", f"{_KEYS}/{orjson.loads(answer)['id']}/link")["link"]
        return took_s + await self._dialled(parse_link(link))

    async def _dialled(self, profile: ClientProfile) -> float:
        await self.client.use(profile)
        took_s = await self.client.get(self.running.world.origin)
        if took_s is None:
            raise RuntimeError("a key that got its answer does not connect")
        return took_s


async def _one_at_a_time(running: Instance, client: WarmClient, wire: Wire, scale: Scale) -> list[Row]:
    [like] = desired_of(running).inbounds
    turns = _Turns(running, client, wire, BareCore(running.engine_socket, like.tag), like, "127.0.0.1")
    try:
        told = await take_turns(scale.rounds, {"own": turns.own, "shared": turns.shared, "bare": turns.bare})
    finally:
        turns.core.close()
    own, shared, bare = told["own"], told["shared"], told["bare"]
    what = "request to first GET, port of its own"
    return [
        Row(what, "over the shared port", median_ratio(own, shared), None, note=_over(own, shared)),
        Row(what, "over AddInbound and dial", median_ratio(own, bare), None, note=_over(own, bare)),
    ]


def _over(ours: list[float], control: list[float]) -> str:
    return f"{milliseconds(ours)} over {milliseconds(control)}"


def _open_many(wire: Wire, count: int) -> list[Row]:
    took = [wire.ask("POST", _KEYS, _OWN)[0] for _ in range(count)]
    tenth = max(count // 10, 1)
    early, late = statistics.median(took[:tenth]), statistics.median(took[-tenth:])
    note = f"{late * 1000:.1f} ms at the end over {early * 1000:.1f} ms at the beginning"
    return [Row("request to 200, port of its own: flat", f"{count:,} ports", late / early, at_most(1.5), note=note)]


def _synchronized(wire: Wire, count: int) -> Row:
    """Have all ports compared with the core, where nothing differs."""
    took, late = [], 0
    for _ in range(_SYNCHRONIZED):
        begun = time.perf_counter()
        try:
            wire.ask("POST", "/api/system/sync-config")
        except Refused:  # 503: it takes longer, and goes on by itself
            late += 1
        took.append(time.perf_counter() - begun)
    note = f"{late} of {_SYNCHRONIZED} answered that it takes longer"
    return Row("sync-config, nothing differs", f"{count:,} ports", statistics.median(took), at_most(2.0), "s", note)


async def _idle(running: Instance, scale: Scale) -> list[Row]:
    """Tell what open ports cost while nobody connects."""
    assert running.process is not None
    api, core = psutil.Process(running.process.pid), running.core()
    keeper = core.parent()
    assert keeper is not None
    case = f"{scale.ports:,} ports"
    used = await cpu_used(min(_IDLE_S, scale.crowd_s), api, keeper)
    sizes = [process.memory_info().rss / 1e6 for process in (core, api, keeper)]
    note = "core {:.0f} MB, Keystead {:.0f} MB, keeper {:.0f} MB".format(*sizes)
    return [
        Row("memory of all three", case, sum(sizes), None, "MB", note),
        Row("file descriptors of the core", case, core.num_fds(), None, ""),
        Row("Keystead, of a core, idle", case, used[0], at_most(10), "%"),
        Row("keeper, of a core, idle", case, used[1], at_most(10), "%"),
    ]


async def _start(running: Instance, scale: Scale) -> Row:
    """Start anew and wait until the last port listens."""
    last = max(inbound.port for inbound in desired_of(running).inbounds if inbound.is_live)
    await running.stop()
    begun = time.perf_counter()
    await running.launch()
    while not await _is_open(last):
        await asyncio.sleep(0.01)
    took_s = time.perf_counter() - begun
    return Row("cold start until every port listens", f"{scale.ports:,} ports", took_s, None, "s")


async def _is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
