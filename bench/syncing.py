"""Syncing the traffic of many keys, every counter of which has moved, against one bare question and one bulk update;
and what their history costs when the hour turns.

Moving ten thousand counters of a real core would take ten thousand clients; so both sides read from a stand-in that
speaks the core's gRPC and answers at once. A real core would add the same time to both, and flatter the ratio.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import grpc
from sqlalchemy import Connection, func, select

from bench.controls import BareDatabase
from bench.figures import Row, at_most, median_ratio, milliseconds, take_turns
from bench.instances import instance
from bench.scale import Scale
from keystead.db.session import open_database
from keystead.engines.xray import wire_pb2 as wire
from keystead.engines.xray.state import Counters, Reading
from keystead.main import SCOPE
from keystead.vpn import booking
from keystead.vpn.keyvalue import label_of
from keystead.vpn.models import HOURS

_QUERY = "/xray.app.stats.command.StatsService/QueryStats"
_STEP_BYTES = 1500
_WARM_UP = 2
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """Measure with the most keys."""
    keys, rounds = scale.most_keys, max(scale.rounds // 4, 1)
    with stats_service(directory, keys, 2 * (rounds + _WARM_UP)) as socket:
        async with instance(directory / "syncing", keys, module="bench.stubbed", BENCH_STATS=str(socket)) as running:
            bare = BareSync(socket, BareDatabase(running.data_dir / "keystead.db", directory / "sync-copy.db"))

            async def ours() -> float:
                return (await asyncio.to_thread(ask.ask, "POST", "/api/traffic/sync"))[0]

            with closing(bare), running.wire() as ask:
                measured = await take_turns(rounds, {"ours": ours, "bare": bare.sync}, warm_up=_WARM_UP)
                report = ask.ask_json("GET", "/api/keys/1/traffic")
            assert report["total"] > 0, report
    written, plain_s, turn_s = await turning_hours(running.data_dir / "keystead.db", keys)
    return [
        Row(
            "sync of all keys, every counter moved",
            f"{keys:,} keys",
            median_ratio(measured["ours"], measured["bare"]),
            at_most(3.0),
            note=f"{milliseconds(measured['ours'])} over QueryStats, bulk update: {milliseconds(measured['bare'])}",
        ),
        Row(
            "history: rows written in an hour in which every key carried",
            f"{keys:,} keys",
            written,
            at_most(2 * keys),
            unit="rows",
            note=f"booked in {milliseconds(turn_s)} when the hour turns, in {milliseconds(plain_s)} otherwise",
        ),
    ]


async def turning_hours(path: Path, keys: int, hours: int = 3) -> tuple[float, list[float], list[float]]:
    """Book every key twice an hour; return the rows of an hour, and the seconds of plain and of turning bookings."""
    database = open_database(f"sqlite:///{path}", synchronous="FULL")
    moment = datetime.now(UTC).replace(minute=0) + timedelta(hours=1)

    async def book(step: int) -> float:
        counters = {label_of(number, 1): Counters(step, step) for number in range(1, keys + 1)}
        reading, at = Reading("turning", counters), moment + step * timedelta(minutes=30)
        begun = time.perf_counter()
        await database.write(partial(booking.book_all, scope=SCOPE, reading=reading, at=at))
        return time.perf_counter() - begun

    try:
        await book(2)
        before = await database.read(_history_rows)
        took = [await book(step) for step in range(3, 2 * hours + 3)]
        written = await database.read(_history_rows) - before
    finally:
        database.close()
    return written / hours, took[::2], took[1::2]


def _history_rows(connection: Connection) -> int:
    """Count buckets; a bucket of a day is written once an hour."""
    return 2 * int(connection.execute(select(func.count()).select_from(HOURS)).scalar_one())


class BareSync:
    """One QueryStats with the plain blocking client, and one bulk update."""

    def __init__(self, socket: Path, database: BareDatabase) -> None:
        self._channel = grpc.insecure_channel(f"unix:{socket}", _UNLIMITED)
        self._query = self._channel.unary_unary(_QUERY, None, None)
        self._database = database
        self._last: dict[str, int] = {}

    def close(self) -> None:
        """Close the channel and the copy."""
        self._channel.close()
        self._database.close()

    async def sync(self) -> float:
        """Sync once; return the seconds."""
        return await asyncio.to_thread(self._sync)

    def _sync(self) -> float:
        begun = time.perf_counter()
        answer = wire.QueryStatsResponse.FromString(self._query(b"\n\x07user>>>", timeout=30))
        moved: dict[int, tuple[int, int]] = {}
        values = {stat.name: stat.value for stat in answer.stat}
        for name, value in values.items():
            stem, _, direction = name.rpartition(">>>")
            if direction == "uplink":
                down = f"{stem}>>>downlink"
                number = int(stem[8:].partition("-")[0])
                moved[number] = value - self._last.get(name, 0), values[down] - self._last.get(down, 0)
        self._last = values
        self._database.book(moved)
        return time.perf_counter() - begun


@contextmanager
def stats_service(directory: Path, keys: int, answers: int) -> Iterator[Path]:
    """Serve QueryStats on a Unix socket: every answer is a step further, and was made beforehand."""
    prepared = itertools.chain([_answer(keys, step) for step in range(1, answers + 2)], itertools.repeat(b""))

    def query(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        return next(prepared)

    server = grpc.server(ThreadPoolExecutor(1), options=_UNLIMITED)
    handler = grpc.unary_unary_rpc_method_handler(query)
    service = "xray.app.stats.command.StatsService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"QueryStats": handler}),))
    socket = directory / "stats.sock"
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield socket
    finally:
        server.stop(None).wait()


def _answer(keys: int, step: int) -> bytes:
    answer = wire.QueryStatsResponse()
    for number in range(1, keys + 1):
        for direction in ("uplink", "downlink"):
            name = f"user>>>{label_of(number, 1)}>>>traffic>>>{direction}"
            answer.stat.add(name=name, value=step * (_STEP_BYTES + number))
    return answer.SerializeToString()
