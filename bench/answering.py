"""Answering requests: authenticated GET, list of 100 and POST of a key, as shares of the bare framework's hello."""

import statistics
from pathlib import Path

from bench.figures import Row, Turn, at_least, take_turns
from bench.instances import Instance, bare_framework, instance
from bench.load import LoadGenerator, Result
from bench.scale import Scale
from bench.wire import request_bytes

_LISTED = 100
_BUDGETS = {
    "GET one key": at_least(0.20, aim=0.50),
    "GET a list of 100": at_least(0.06, aim=0.12),
    "POST a key": at_least(0.09, aim=0.15),
}


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """Measure with every number of connections; the engine is idle."""
    rows: list[Row] = []
    async with (
        bare_framework(directory) as hello_port,
        instance(directory / "listing", _LISTED, module="bench.stubbed") as listing,
        instance(directory / "posting", scale.most_keys, module="bench.stubbed") as posting,
        LoadGenerator() as load,
    ):
        for connections in scale.connections:
            targets = {"hello": (hello_port, request_bytes("GET", "/")), **_targets(listing, posting)}
            results: dict[str, list[Result]] = {name: [] for name in targets}
            turns = {
                name: _turn(load, port, connections, scale.load_s, request, results[name])
                for name, (port, request) in targets.items()
            }
            measured = await take_turns(scale.rounds_of_load, turns, warm_up=1)
            rows += [_row(name, connections, measured, results) for name in _BUDGETS]
    return rows


def _targets(listing: Instance, posting: Instance) -> dict[str, tuple[int, bytes]]:
    body = b'{"name":"anna"}'
    return {
        "GET one key": (posting.port, request_bytes("GET", "/api/keys/7", token=posting.token)),
        "GET a list of 100": (listing.port, request_bytes("GET", "/api/keys", token=listing.token)),
        "POST a key": (posting.port, request_bytes("POST", "/api/keys", body, posting.token)),
    }


def _turn(
    load: LoadGenerator, port: int, connections: int, seconds: float, request: bytes, results: list[Result]
) -> Turn:
    async def turn() -> float:
        results.append(await load.load(port, connections, seconds, request))
        return results[-1].per_second

    return turn


def _row(name: str, connections: int, measured: dict[str, list[float]], results: dict[str, list[Result]]) -> Row:
    # Shares are taken round by round: what disturbs a round disturbs both.
    shares = [ours / hello for ours, hello in zip(measured[name], measured["hello"], strict=True)]
    slowest_ms = statistics.median(result.p99_s for result in results[name]) * 1000
    rate, hello_rate = statistics.median(measured[name]), statistics.median(measured["hello"])
    return Row(
        name,
        f"{connections} connection{'s' if connections > 1 else ''}",
        statistics.median(shares),
        _BUDGETS[name],
        unit="of hello",
        note=f"{rate:,.0f} of {hello_rate:,.0f} a second; p99 {slowest_ms:.1f} ms",
    )
