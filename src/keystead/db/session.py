"""How the database is called: one synchronous unit of work per request, in one executor hop.

A *unit* is a function of a connection. Reads open no transaction; writes run in one and never commit themselves. A unit
may be run a second time after a rollback, so it must keep its effects inside the connection and its return value.

SQLite: one process owns the file. Point reads run on the event loop's own connection (a hop costs more than the read),
larger reads on a reader thread, writes on a writer thread that gathers waiting units under one commit to disk.
PostgreSQL: a small pool of threads, a transaction for each write.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from keystead.db.prepared import execute
from keystead.kit.errors import KeysteadError, StorageBusy, StorageFailed

__all__ = [
    "Connection",
    "Database",
    "PostgresDatabase",
    "SqliteDatabase",
    "Unit",
    "Weight",
    "open_database",
    "sqlite_engine",
    "translated",
]

T = TypeVar("T")
Unit = Callable[[Connection], T]

_BATCH_MAX = 64
_QUEUE_MAX = 2000
_POSTGRESQL_THREADS = 6
_BUSY_TIMEOUT_MS = 5000
# How long a unit that nobody waits for may wait for a commit to share.
_PATIENCE_S = 0.03
# With so many that somebody waits for, one more unit in their commit is not noticed; beside a single one it is.
_BUSY_FROM = 2
_SQLITE_BUSY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# serialization_failure, deadlock_detected, lock_not_available, admin_shutdown, crash_shutdown, cannot_connect_now,
# too_many_connections.
_BUSY_STATES = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300"}


class Weight(Enum):
    """How much a read reads: a row or two by key, or more."""

    POINT = "point"
    LIST = "list"


class Database(Protocol):
    """An open database."""

    @property
    def engine(self) -> Engine:
        """Return the SQLAlchemy engine, for migrations and backups."""
        ...

    async def read(self, unit: Unit[T], weight: Weight = Weight.POINT) -> T:
        """Run a unit that only reads. Raises StorageBusy or StorageFailed."""
        ...

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction and commit. Raises what the unit raises, StorageBusy or StorageFailed."""
        ...

    async def write_soon(self, unit: Unit[T]) -> T:
        """Do the same for a unit that nobody waits for: it may wait a moment for another to share its commit with."""
        ...

    def close(self) -> None:
        """Finish what is queued and close the connections."""
        ...


def open_database(url: str, *, synchronous: str = "FULL") -> Database:
    """Open SQLite or PostgreSQL by SQLAlchemy URL; the tables must already be migrated."""
    if make_url(url).get_backend_name() == "sqlite":
        return SqliteDatabase(url, synchronous=synchronous)
    return PostgresDatabase(url)


def sqlite_engine(url: str, *, synchronous: str = "FULL") -> Engine:
    """Return an engine whose connections are in driver autocommit; writers begin immediate by hand.

    WAL with ``synchronous=FULL`` keeps the last commit through a power cut: an issued key was paid for.
    """
    engine = create_engine(
        url, isolation_level="AUTOCOMMIT", connect_args={"check_same_thread": False}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-16000",
            "journal_size_limit=67108864",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def translated(error: DBAPIError) -> KeysteadError:
    """Return the Keystead error for a driver's failure: busy (temporary) or failed.

    SQLite tells by its result code, whose low byte is the primary one (sqlite.org/rescode.html; Python has it since
    3.11). PostgreSQL tells by SQLSTATE (documentation, appendix A), and without one it was out of reach.
    """
    text = str(error.orig)
    state = getattr(error.orig, "sqlstate", None)
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if error.connection_invalidated or code in _SQLITE_BUSY_CODES or state in _BUSY_STATES:
        return StorageBusy("the database is busy; try again")
    if state is None and type(error.orig).__module__.startswith("psycopg"):
        return StorageBusy("the database is out of reach; try again")
    return StorageFailed(f"the database refused: {text.splitlines()[0] if text else type(error.orig).__name__}")


@dataclass
class _Queued:
    unit: Unit[Any]
    future: "asyncio.Future[Any]"
    is_urgent: bool
    since_s: float


_Outcome = tuple[_Queued, Any, BaseException | None]


class SqliteDatabase:
    """One SQLite file, one writer."""

    def __init__(self, url: str, *, synchronous: str) -> None:
        self._engine = sqlite_engine(url, synchronous=synchronous)
        self._inline = self._reader()
        self._threaded = self._reader()
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="db-reader")
        self._writer = _GroupWriter(self._engine.connect())

    @property
    def engine(self) -> Engine:
        """Return the engine; only migrations and backups may use it, while nothing else writes."""
        return self._engine

    def _reader(self) -> Connection:
        connection = self._engine.connect()
        connection.exec_driver_sql("PRAGMA query_only=ON")
        return connection

    async def read(self, unit: Unit[T], weight: Weight = Weight.POINT) -> T:
        """Run a unit that only reads: on the event loop for a point, on the reader thread for a list."""
        if weight is Weight.POINT:
            return _run_read(self._inline, unit)
        return await asyncio.get_running_loop().run_in_executor(self._readers, _run_read, self._threaded, unit)

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction; units waiting at the same time share one commit."""
        return await self._writer.submit(unit, is_urgent=True)

    async def write_soon(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction, with the next urgent ones or in a moment."""
        return await self._writer.submit(unit, is_urgent=False)

    def close(self) -> None:
        """Finish queued writes and close."""
        self._writer.close()
        self._readers.shutdown()
        for connection in (self._inline, self._threaded):
            connection.close()
        self._engine.dispose()


class PostgresDatabase:
    """A PostgreSQL database through psycopg 3."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(
            url,
            pool_size=_POSTGRESQL_THREADS,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 5},
            hide_parameters=True,
        )
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._threads = ThreadPoolExecutor(_POSTGRESQL_THREADS, thread_name_prefix="db")

    @property
    def engine(self) -> Engine:
        """Return the engine, for migrations and backups."""
        return self._engine

    async def read(self, unit: Unit[T], weight: Weight = Weight.POINT) -> T:
        """Run a unit that only reads, without a transaction."""
        return await self._run(self._read, unit)

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction of its own."""
        return await self._run(self._write, unit)

    async def write_soon(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction of its own; PostgreSQL gathers commits by itself."""
        return await self._run(self._write, unit)

    async def _run(self, how: Callable[[Unit[T]], T], unit: Unit[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, how, unit)

    def _read(self, unit: Unit[T]) -> T:
        try:
            with self._reading.connect() as connection:
                return unit(connection)
        except DBAPIError as error:
            raise translated(error) from error

    def _write(self, unit: Unit[T]) -> T:
        try:
            with self._engine.begin() as connection:
                return unit(connection)
        except DBAPIError as error:
            raise translated(error) from error

    def close(self) -> None:
        """Finish what runs and close the pool."""
        self._threads.shutdown()
        self._engine.dispose()


def _run_read(connection: Connection, unit: Unit[T]) -> T:
    try:
        return unit(connection)
    except DBAPIError as error:
        raise translated(error) from error


class _GroupWriter:
    """A thread that owns the writing connection and gathers waiting units under one commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[_Queued] = deque()
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="db-writer", daemon=True)
        self._thread.start()

    def submit(self, unit: Unit[T], *, is_urgent: bool) -> "asyncio.Future[T]":
        """Queue a unit of the running loop's; its future ends after the commit."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._changed:
            if self._is_closing:
                raise StorageBusy("the database is closing; try again")
            if len(self._waiting) >= _QUEUE_MAX:
                raise StorageBusy("too many writes are waiting; try again")
            self._waiting.append(_Queued(unit, future, is_urgent, time.monotonic()))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Finish the queue, end the thread and close its connection."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while batch := self._next_batch():
            if len(batch) > 1 and self._commit_together(batch):
                continue
            for position, queued in enumerate(batch):
                if not self._begin(batch[position:]):
                    break
                self._commit_alone(queued)

    def _begin(self, batch: list[_Queued]) -> bool:
        """Begin a transaction, or fail all that wait for it: each would wait for the same lock as long again."""
        try:
            execute(self._connection, "BEGIN IMMEDIATE")
        except DBAPIError as error:
            _tell([(queued, None, translated(error)) for queued in batch])
            return False
        return True

    def _next_batch(self) -> list[_Queued]:
        """Wait for units and return those of the next commit, which are none only when the thread is to end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closing)
                self._changed.wait_for(self._is_pressed, self._patience_s())
                batch = self._taken()
                is_ending = self._is_closing and not self._waiting
            batch = [queued for queued in batch if not queued.future.cancelled()]
            if batch or is_ending:
                return batch

    def _is_pressed(self) -> bool:
        return self._is_closing or any(queued.is_urgent for queued in self._waiting)

    def _patience_s(self) -> float:
        """Return how long the oldest unit may still wait; of a unit that somebody waits for it does not matter."""
        return max(0.0, self._waiting[0].since_s + _PATIENCE_S - time.monotonic()) if self._waiting else 0.0

    def _taken(self) -> list[_Queued]:
        """Take the units of the next commit: a single one that somebody waits for does not wait for patient ones."""
        urgent = [queued for queued in self._waiting if queued.is_urgent]
        if 0 < len(urgent) < _BUSY_FROM and self._patience_s() > 0:
            self._waiting = deque(queued for queued in self._waiting if not queued.is_urgent)
            return urgent
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH_MAX))]

    def _commit_together(self, batch: list[_Queued]) -> bool:
        """Run all units under one commit; return False with nothing done when they have to be run one by one."""
        if not self._begin(batch):
            return True
        outcomes: list[_Outcome] = []
        try:
            for queued in batch:
                execute(self._connection, "SAVEPOINT unit")
                outcomes.append(self._run_saved(queued))
                execute(self._connection, "RELEASE unit")
            execute(self._connection, "COMMIT")
        except DBAPIError:
            self._roll_back()
            return False
        _tell(outcomes)
        return True

    def _run_saved(self, queued: _Queued) -> _Outcome:
        try:
            return queued, queued.unit(self._connection), None
        except DBAPIError:
            raise
        except BaseException as error:  # noqa: BLE001 - carried to the caller's future, unit by unit
            execute(self._connection, "ROLLBACK TO unit")
            return queued, None, error

    def _commit_alone(self, queued: _Queued) -> None:
        try:
            value = queued.unit(self._connection)
            execute(self._connection, "COMMIT")
        except DBAPIError as error:
            self._roll_back()
            _tell([(queued, None, translated(error))])
        except BaseException as error:  # noqa: BLE001 - carried to the caller's future
            self._roll_back()
            _tell([(queued, None, error)])
        else:
            _tell([(queued, value, None)])

    def _roll_back(self) -> None:
        """Return to no transaction; SQLite may have rolled back by itself when the disk was full."""
        if getattr(self._connection.connection.dbapi_connection, "in_transaction", False):
            with suppress(DBAPIError):  # the next BEGIN tells whoever waits; this thread must live to say so
                execute(self._connection, "ROLLBACK")


def _tell(outcomes: list[_Outcome]) -> None:
    """Wake whoever waits, from the writer's thread: once for all of a commit, when they share an event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].future.get_loop(), []).append(outcome)
    for loop, theirs in by_loop.items():
        with suppress(RuntimeError):  # a loop that was closed meanwhile has nobody left to wait
            loop.call_soon_threadsafe(_resolve, theirs)


def _resolve(outcomes: list[_Outcome]) -> None:
    for queued, value, error in outcomes:
        if queued.future.done():
            continue
        if error is None:
            queued.future.set_result(value)
        else:
            queued.future.set_exception(error)
