"""The list of all domains of an account against the bare query and its JSON: what everything in between costs."""

import asyncio
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
from sqlalchemy import Connection, insert

from bench import held
from bench.figures import Row, Turn, median_ratio, milliseconds, take_turns
from bench.instances import instance
from bench.scale import Scale
from bench.wire import Wire
from keystead.vault.models import DOMAINS, ZONES

_LIST = "/domains"
_BARE = (
    "SELECT d.*, z.remote_id, z.status, z.name_servers FROM domains d LEFT JOIN zones z ON z.id = d.zone_id "
    "WHERE d.account_id = 1 ORDER BY d.name"
)


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """List all domains in turns with the bare query on the same file."""
    async with instance(directory / "domains", 0) as running:
        await running.stop()
        token = await held.owner_token(running)
        await asyncio.to_thread(held.credentials, running, 1)
        held.write(running, lambda connection: _put(connection, scale.domains))
        await running.start()
        bare = sqlite3.connect(running.data_dir / "keystead.db")
        bare.row_factory = sqlite3.Row
        with Wire(running.port, token) as wire:
            listed = len(wire.ask_json("GET", _LIST)["domains"])
            measured = await take_turns(scale.rounds // 2, {"ours": _ours(wire), "bare": _bare(bare)})
        bare.close()
    if listed != scale.domains:
        raise RuntimeError(f"{listed} domains were listed")
    note = f"{milliseconds(measured['ours'])} over {milliseconds(measured['bare'])}"
    case = f"{scale.domains:,} domains"
    ratio = median_ratio(measured["ours"], measured["bare"])
    return [Row("list of all domains, over query and JSON", case, ratio, None, note=note)]


def _ours(wire: Wire) -> Turn:
    async def turn() -> float:
        return wire.ask("GET", _LIST)[0]

    return turn


def _bare(connection: sqlite3.Connection) -> Turn:
    async def turn() -> float:
        begun = time.perf_counter()
        orjson.dumps([dict(row) for row in connection.execute(_BARE)])
        return time.perf_counter() - begun

    return turn


def _put(connection: Connection, count: int) -> None:
    now = datetime.now(UTC)
    zones = [
        {
            "id": number,
            "account_id": 1,
            "credential_id": 1,
            "remote_id": f"{number:032x}",
            "name": f"site-{number:06d}.example",
            "status": "active",
            "plan": "free",
            "name_servers": ["bob.ns.cloudflare.com", "lola.ns.cloudflare.com"],
            "synced_at": now,
            "checks": 0,
        }
        for number in range(1, count + 1)
    ]
    domains = [
        {
            "account_id": 1,
            "zone_id": zone["id"],
            "credential_id": 1,
            "name": zone["name"],
            "role": "reserve",
            "is_blocked": False,
            "created_at": now,
        }
        for zone in zones
    ]
    connection.execute(insert(ZONES), zones)
    connection.execute(insert(DOMAINS), domains)
