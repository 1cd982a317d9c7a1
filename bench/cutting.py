"""Ending a customer's connections: how soon after a delete, what others notice of it, and how far beyond a quota."""

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path

from tests.support import xray

from bench.figures import Row, at_most, milliseconds, p99
from bench.instances import Instance, instance
from bench.scale import Scale
from bench.watching import Origin, Watched, viewers
from bench.wire import Wire
from keystead.vpn.links import parse_link

OTHERS = 3
_DOWNLOAD_PER_S, _OTHERS_PER_S = 100_000, 500_000
# 100 Mbit/s.
LINE_PER_S = 12_500_000
QUOTA_BYTES = 40_000_000
_ENDED_WITHIN_S = 15.0


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """Measure on one instance with its real core."""
    async with instance(directory / "cutting", 0) as running:
        return [*await _deletes(running, scale.cuts), *await _quotas(running, scale.quotas)]


async def _deletes(running: Instance, cuts: int) -> list[Row]:
    """Delete keys one after the other while all of them download."""
    with running.wire() as wire:
        keys = [wire.ask_json("POST", "/api/keys", {"name": "viewer"}) for _ in range(cuts + OTHERS)]
        profiles = [_profile(wire, key["key_id"]) for key in keys]
        async with viewers(running.world, profiles) as (origin, clients), AsyncExitStack() as stack:
            others = [
                await stack.enter_async_context(clients.watching(cuts + number, per_s=_OTHERS_PER_S))
                for number in range(OTHERS)
            ]
            downloads = [
                await stack.enter_async_context(clients.watching(number, per_s=_DOWNLOAD_PER_S))
                for number in range(cuts)
            ]
            await asyncio.sleep(1.5)  # the keeper has looked at all of them
            for other in others:
                other.longest_gap_s = 0.0
            from_request, from_answer = [], []
            for key, download in zip(keys, downloads, strict=False):
                begun_s = time.perf_counter()
                await asyncio.to_thread(wire.ask, "DELETE", f"/api/keys/{key['key_id']}")
                answered_s = time.perf_counter()
                ended_s = await _end_of(download)
                from_request.append(ended_s - begun_s)
                from_answer.append(ended_s - answered_s)
            await _finished(origin, others)
    gap_s = max(other.longest_gap_s for other in others)
    carried = sum(other.received for other in others)
    case = f"{cuts} deletes, all of them downloading"
    note = f"median; from the request {milliseconds(from_request)}, from the 200 {milliseconds(from_answer)}"
    return [
        Row("delete to the client's end", case, statistics.median(from_request) * 1000, at_most(1000), "ms", note),
        Row("delete to the client's end, p99", case, p99(from_request) * 1000, at_most(1000), "ms"),
        Row(
            "bytes that others behind the same address lost meanwhile",
            f"{OTHERS} downloads",
            sum(other.lost for other in others),
            at_most(0),
            "B",
            f"of {carried:,}, compared byte by byte; longest gap {gap_s * 1000:.0f} ms, sent every 20 ms",
        ),
    ]


async def _quotas(running: Instance, count: int) -> list[Row]:
    """Let keys download at line rate until their quota cuts them; what came beyond it is the overshoot."""
    wish = {"name": "buyer", "terms": {"quota_bytes": QUOTA_BYTES}}
    beyond: list[int] = []
    rates: list[float] = []
    with running.wire() as wire:
        keys = [wire.ask_json("POST", "/v1/vpn/keys", wish) for _ in range(count)]
        profiles = [_profile(wire, key["number"]) for key in keys]
        async with viewers(running.world, profiles) as (_, clients):
            for number in range(count):
                begun_s = time.perf_counter()
                async with clients.watching(number, per_s=LINE_PER_S) as download:
                    ended_s = await _end_of(download)
                    rates.append(download.received * 8e-6 / (ended_s - begun_s))
                    beyond.append(download.received - QUOTA_BYTES)
    over_mb = [max(value, 0) / 1e6 for value in beyond]
    middle_mb, rate = statistics.median(beyond) / 1e6, statistics.median(rates)
    note = (
        f"the largest of {count}, median {middle_mb:.2f} MB; quota {QUOTA_BYTES / 1e6:.0f} MB, {rate:.0f} Mbit/s came"
    )
    budget = at_most(2 + LINE_PER_S / 1e6)
    return [Row("bytes beyond a quota that cuts", "100 Mbit/s, spliced", max(over_mb), budget, "MB", note)]


async def _end_of(download: Watched) -> float:
    async with asyncio.timeout(_ENDED_WITHIN_S):
        while download.ended_s is None:
            await asyncio.sleep(0.002)
    return download.ended_s


async def _finished(origin: Origin, downloads: list[Watched]) -> None:
    """Stop sending and wait until all that was sent has come."""
    origin.stopping.set()
    end_s = time.perf_counter() + 5
    while any(one.sent > one.received for one in downloads) and time.perf_counter() < end_s:
        await asyncio.sleep(0.02)


def _profile(wire: Wire, number: int) -> xray.Profile:
    link = parse_link(wire.ask_json("GET", f"/api/keys/{number}/link")["vless_link"])
    return xray.Profile(link.host, link.port, link.uuid, link.public_key, link.short_id, link.server_name, link.flow)
