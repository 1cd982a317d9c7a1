"""Reading all zones of an account into an instance: requests to Cloudflare against the fewest its pages allow."""

import asyncio
import math
import time
from pathlib import Path
from typing import Any

from tests.support.standins.cloudflare import MINE, Cloudflare, cloudflare

from bench import held
from bench.figures import Row, at_most
from bench.instances import instance
from bench.scale import Scale
from bench.wire import Wire

# The most that Cloudflare's document allows a page of zones to have.
_PAGE = 50


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """Connect an account that has many zones; the connection reads them all."""
    with cloudflare() as remote:
        remote.add_zones(scale.zones)
        async with instance(directory / "zones", 0, KEYSTEAD_PROVIDER_CLOUDFLARE_URL=remote.url) as running:
            token = await held.owner_token(running)
            with Wire(running.port, token) as wire:
                took_s, told = await asyncio.to_thread(_connect, wire, remote)
    if told["sync"]["zones"] != scale.zones:
        raise RuntimeError(f"not every zone was read: {told}")
    used, fewest = len(remote.asked("GET", "/zones")), math.ceil(scale.zones / _PAGE)
    case = f"{scale.zones:,} zones"
    return [
        Row("zone sync, requests over the fewest", case, used / fewest, at_most(1.0), note=f"{used} over {fewest}"),
        Row("connected and read", case, took_s, None, "s"),
    ]


def _connect(wire: Wire, remote: Cloudflare) -> tuple[float, dict[str, Any]]:
    body = {"cf_account_id": MINE, "bootstrap_token": remote.bootstrap().value}
    begun = time.perf_counter()
    told: dict[str, Any] = wire.ask_json("POST", "/integrations/cloudflare/init", body)
    return time.perf_counter() - begun, told
