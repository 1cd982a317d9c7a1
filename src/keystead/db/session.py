"""How the database is called: one synchronous unit of work per request, in one executor hop.

A *unit* is a function of a connection. Reads open no transaction; writes run in one and never commit themselves. A unit
may be run a second time after a rollback, so it must keep its effects inside the connection and its return value.

SQLite: one process owns the file. Point reads run on the event loop's own connection (a hop costs more than the read),
larger reads on a reader thread, writes on a writer thread that gathers waiting units under one commit to disk.
PostgreSQL: a small pool of threads, a transaction for each write.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from keystead.db.failures import translated
from keystead.db.writing import GroupWriter, Unit, Writing, outcome, tell

__all__ = [
    "Connection",
    "Database",
    "PostgresDatabase",
    "SqliteDatabase",
    "Unit",
    "Weight",
    "open_database",
    "sqlite_engine",
]

T = TypeVar("T")

_POSTGRESQL_THREADS = 6
_BUSY_TIMEOUT_MS = 5000


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

    async def write_whole(self, unit: Unit[T]) -> T:
        """Do the same, and do not let it be called off.

        A caller who is cancelled meanwhile gets the outcome and is cancelled at the next wait, so that whoever has to
        undo the rest knows of what. Not for use under ``asyncio.timeout``.
        """
        ...

    async def write_soon(self, unit: Unit[T]) -> T:
        """Run a unit that nobody waits for: it may wait a moment for another to share its commit with."""
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


class SqliteDatabase:
    """One SQLite file, one writer."""

    def __init__(self, url: str, *, synchronous: str) -> None:
        self._engine = sqlite_engine(url, synchronous=synchronous)
        self._inline = self._reader()
        self._threaded = self._reader()
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="db-reader")
        self._writer = GroupWriter(self._engine.connect())

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
        return await self._writer.submit(unit, asyncio.get_running_loop().create_future())

    async def write_whole(self, unit: Unit[T]) -> T:
        """Run a unit in the same way, to its end."""
        return await outcome(self._writer.submit(unit, Writing()))

    async def write_soon(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction, with the next urgent ones or in a moment."""
        return await self._writer.submit(unit, asyncio.get_running_loop().create_future(), is_urgent=False)

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
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, unit)

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._write, unit)

    async def write_whole(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction of its own, to its end."""
        writing: Writing[T] = Writing()
        self._threads.submit(self._write, unit).add_done_callback(partial(tell, writing))
        return await outcome(writing)

    async def write_soon(self, unit: Unit[T]) -> T:
        """Run a unit in a transaction of its own; PostgreSQL gathers commits by itself."""
        return await self.write(unit)

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
