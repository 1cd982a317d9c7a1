"""Starting with many keys: until the last one is usable, beyond what the bare core needs; and the memory it takes."""

import asyncio
import statistics
import time
from contextlib import suppress
from pathlib import Path

import orjson
import psutil

from bench.client import WarmClient, core, warm_client
from bench.figures import Row, at_most, take_turns
from bench.instances import Instance, ended, instance
from bench.scale import Scale
from keystead import main
from keystead.access import datakeys
from keystead.db.session import sqlite_engine
from keystead.engines.xray import config
from keystead.engines.xray.state import XrayDesired, XraySettings
from keystead.keeper.ports import free_loopback_port
from keystead.kit.clock import SystemClock
from keystead.kit.ids import RandomIds
from keystead.vpn.desired import XraySource
from keystead.vpn.links import parse_link
from keystead.vpn.values import ClientProfile

_ATTEMPT_EVERY_S = 0.02
_GIVE_UP_S = 60.0


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """Measure with the most keys."""
    keys = scale.most_keys
    async with instance(directory / "starting", keys) as running, warm_client() as client:
        memory = _memory(running, keys)
        with running.wire() as wire:
            profile = parse_link(wire.ask_json("GET", f"/api/keys/{keys}/link")["vless_link"])
        await running.stop()
        await client.use(profile)
        bare_config = await asyncio.to_thread(_configuration, running)

        async def ours() -> float:
            begun = time.perf_counter()
            await running.launch()
            await _until_served(client, running, profile)
            took_s = time.perf_counter() - begun
            await running.stop()
            return took_s

        async def bare() -> float:
            begun = time.perf_counter()
            process = await core(bare_config)
            await _until_served(client, running, profile)
            took_s = time.perf_counter() - begun
            await ended(process)
            return took_s

        measured = await take_turns(scale.starts, {"ours": ours, "bare": bare}, warm_up=1)
    ours_s, bare_s = (statistics.median(measured[name]) for name in ("ours", "bare"))
    note = f"{ours_s:.2f} s; the bare core with the same configuration: {bare_s:.2f} s"
    start = Row(
        "cold start to last key usable, beyond the core", f"{keys:,} keys", ours_s - bare_s, at_most(1.0), "s", note
    )
    return [memory, start]


def _memory(running: Instance, keys: int) -> Row:
    """Read memory after every key was listed and synced once, which is when it is largest."""
    with running.wire() as wire:
        wire.ask("GET", "/api/keys")
        wire.ask("POST", "/api/traffic/sync")
    assert running.process is not None
    own_mb = psutil.Process(running.process.pid).memory_info().rss / 1e6
    core_mb = running.core().memory_info().rss / 1e6
    note = f"after a list of all and a sync; the core beside it: {core_mb:.0f} MB"
    return Row("memory of Keystead", f"{keys:,} keys", own_mb, at_most(150), "MB", note)


async def _until_served(client: WarmClient, running: Instance, profile: ClientProfile) -> None:
    """Return when a dial of the last key comes back; a new one starts every few milliseconds."""
    give_up = time.monotonic() + _GIVE_UP_S
    while not await _is_open(profile.port):
        if time.monotonic() > give_up:
            raise RuntimeError("the VPN did not open its port")
        await asyncio.sleep(0.005)
    served = asyncio.Event()
    attempts = set()

    async def attempt() -> None:
        if await client.get(running.world.origin, within_s=5) is not None:
            served.set()

    while not served.is_set():
        if time.monotonic() > give_up:
            raise RuntimeError("the last key did not become usable")
        attempts.add(asyncio.create_task(attempt()))
        with suppress(TimeoutError):
            await asyncio.wait_for(served.wait(), _ATTEMPT_EVERY_S)
    for task in attempts:
        task.cancel()
    await asyncio.gather(*attempts, return_exceptions=True)


async def _is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def desired_of(running: Instance) -> XrayDesired:
    """Return what the core of an instance is to hold."""
    engine = sqlite_engine(f"sqlite:///{running.data_dir / 'keystead.db'}")
    with engine.connect() as connection:
        root = datakeys.load_root_key(running.data_dir, None)
        keys = datakeys.open_keys(connection, root, SystemClock().now())
        source = XraySource(main.SCOPE, keys=keys.ring, clock=SystemClock(), ids=RandomIds())
        desired = source.desired(connection)
    engine.dispose()
    return desired


def _configuration(running: Instance) -> bytes:
    """Return what the stopped instance would start its core with: the same keys, without our probe."""
    settings = XraySettings(allow_private=("127.0.0.0/8",))
    api = f"127.0.0.1:{free_loopback_port()}"
    return orjson.dumps(config.render(desired_of(running), api_listen=api, probe=None, settings=settings))
