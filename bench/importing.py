"""Taking another panel over: reading, planning, applying, and the start after it; and the way out again.

The control of an application is a bare bulk insert: the very rows that it wrote, put into a database of the same schema
by SQLite's own ``executemany`` in one transaction. An export is held against reading the rows of its keys and writing
them as JSON, without opening a secret.
"""

import asyncio
import io
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pyrage
from tests.support import founded
from tests.support.panels import moving
from tests.support.panels.remnawave import Remnawave

from bench.figures import Row
from bench.instances import Instance, instance
from bench.scale import Scale
from keystead import taking_over
from keystead.cli import offline
from keystead.db import migrate
from keystead.importing import sources
from keystead.importing.found import Source
from keystead.kit.age import Lock
from keystead.main import SCOPE
from keystead.settings import Settings
from keystead.taking_over import Answers

T = TypeVar("T")
Tables = dict[str, tuple[list[str], list[tuple[Any, ...]]]]

LIVE_S = 120.0


async def measure(directory: Path, scale: Scale) -> list[Row]:
    """Import many customers into an instance that was started once, start it, and export them again."""
    async with instance(directory / "home", 0) as home:
        started_s = await _restarted(home)
        await home.stop()
        return await _moved(home, scale.most_keys, started_s)


async def _moved(home: Instance, count: int, started_s: float) -> list[Row]:
    chosen, database = founded.settings_of(home.environment), home.data_dir / "keystead.db"
    files = await asyncio.to_thread(_panel, home, count)
    before = _rows(database)
    found, read_s = _timed(lambda: sources.read(Source.REMNAWAVE, files, sources.Beside(), now=datetime.now(UTC)))
    planned, plan_s = await asyncio.to_thread(_timed, lambda: taking_over.plan(chosen, found, Answers()))
    _, apply_s = await asyncio.to_thread(
        _timed,
        lambda: taking_over.apply(chosen, SCOPE, found, Answers(), digest=planned.digest, progress=lambda _: None),
    )
    written = _new(before, _rows(database))
    bare_s = await asyncio.to_thread(_inserted, home.directory / "bare.db", written)
    export_s, size = await asyncio.to_thread(_exported, chosen)
    _, dumped_s = _timed(lambda: _dumped(database))
    after_s, live_s = await _started(home, database, count)
    customers = f"{count:,} customers"
    rows = sum(len(table[1]) for table in written.values())
    return [
        Row("import: read", customers, read_s / bare_s, None, note=f"{read_s:.2f} s, of JSON in pages"),
        Row("import: plan", customers, plan_s / bare_s, None, note=f"{plan_s:.2f} s, {len(planned.keys):,} keys"),
        Row(
            "import: apply",
            customers,
            apply_s / bare_s,
            None,
            note=f"{apply_s:.2f} s with its own plan; the same {rows:,} rows bare in {bare_s:.2f} s",
        ),
        Row(
            "import: start after it",
            customers,
            after_s / started_s,
            None,
            note=f"{after_s:.2f} s until ready, {started_s:.2f} s without them; all keys live after {live_s:.2f} s",
        ),
        Row(
            "export with secrets",
            f"{count:,} keys",
            export_s / dumped_s,
            None,
            note=f"{export_s:.2f} s, {size / 1e6:.1f} MB; bare rows as JSON in {dumped_s:.2f} s",
        ),
    ]


def _panel(home: Instance, count: int) -> tuple[Path, ...]:
    """Write a panel with many customers behind the instance's own target."""
    panel = Remnawave()
    panel.profile("main", moving.listener(0, home.world.target_port))
    panel.squad("plain", moving.TAG)
    for number in range(1, count + 1):
        panel.user(f"user {number}", number, "plain", used=moving.USED, trafficLimitBytes=moving.QUOTA)
    place = home.directory / "panel"
    place.mkdir()
    return panel.write(place)


def _rows(database: Path) -> Tables:
    """Return every row of a database, by table."""
    with closing(sqlite3.connect(database)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found: Tables = {}
        for name in names:
            if not name.startswith("sqlite_") and name != "alembic_version":
                cursor = connection.execute(f'SELECT * FROM "{name}"')
                found[name] = ([column[0] for column in cursor.description], cursor.fetchall())
    return found


def _new(before: Tables, after: Tables) -> Tables:
    """Return the rows that were not there before."""
    found: Tables = {}
    for name, (columns, rows) in after.items():
        known = set(before[name][1])
        found[name] = (columns, [row for row in rows if row not in known])
    return found


def _inserted(database: Path, tables: Tables) -> float:
    """Insert rows into a fresh database of the same schema; return the seconds."""
    migrate.upgrade(f"sqlite:///{database}")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        begun = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for name, (columns, rows) in tables.items():
            places = ", ".join("?" * len(columns))
            connection.executemany(f'INSERT INTO "{name}" VALUES ({places})', rows)
        connection.execute("COMMIT")
        return time.perf_counter() - begun


def _exported(chosen: Settings) -> tuple[float, int]:
    """Export everything with secrets; return the seconds and the size in bytes."""
    lock = Lock(recipient=str(pyrage.x25519.Identity.generate().to_public()))
    target = io.BytesIO()
    _, took_s = _timed(lambda: offline.export(chosen, lock, target, lambda _: None))
    return took_s, target.tell()


def _dumped(database: Path) -> int:
    """Read the rows of all keys and write them as JSON; return the size."""
    with closing(sqlite3.connect(database)) as connection:
        return sum(
            len(orjson.dumps(connection.execute(f"SELECT * FROM {name}").fetchall()))
            for name in ("vpn_keys", "vpn_traffic", "vpn_terms")
        )


async def _restarted(home: Instance) -> float:
    await home.stop()
    begun = time.perf_counter()
    await home.start()
    return time.perf_counter() - begun


async def _started(home: Instance, database: Path, count: int) -> tuple[float, float]:
    """Start; return the seconds until it is ready, and until every key is confirmed in the core."""
    begun = time.perf_counter()
    await home.start()
    ready_s = time.perf_counter() - begun
    async with asyncio.timeout(LIVE_S):
        while _count_live(database) < count:
            await asyncio.sleep(0.05)
    return ready_s, time.perf_counter() - begun


def _count_live(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM vpn_keys WHERE state = 'live'").fetchone()[0])


def _timed(what: Callable[[], T]) -> tuple[T, float]:
    begun = time.perf_counter()
    answer = what()
    return answer, time.perf_counter() - begun
