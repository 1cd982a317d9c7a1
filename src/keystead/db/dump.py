"""A portable copy of every table: JSON lines that load into SQLite and PostgreSQL alike.

Called by backups. Tables are read from the database itself, not from our models, so that a copy holds exactly what is
there at the revision it names; whoever loads it first builds the schema of that revision (``migrate.build``). A member
of a copy is one table: a line with the column names, then a line with a JSON array a row; bytes are
``{"base64": …}`` and days ``{"date": "2027-01-22"}``. Values are the stored ones: moments are microseconds, sealed
secrets stay sealed.
"""

import base64
import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, MetaData, Table, text

from keystead.kit.errors import Broken, Invalid

_BATCH = 500
_REVISION_TABLE = "alembic_version"
_LAST_NUMBERS_OF_SQLITE = text("SELECT name, seq FROM sqlite_sequence")
_COUNTED_TABLES_OF_SQLITE = text("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'")
_ADD_LAST_NUMBER = text(
    "INSERT INTO sqlite_sequence (name, seq) SELECT :name, 0 WHERE NOT EXISTS "
    "(SELECT 1 FROM sqlite_sequence WHERE name = :name)"
)
_RAISE_LAST_NUMBER = text("UPDATE sqlite_sequence SET seq = max(seq, :number) WHERE name = :name")
_SEQUENCE_OF = text("SELECT pg_get_serial_sequence(:table_name, :column_name)")
_SET_SEQUENCE = text("SELECT setval(CAST(:sequence AS regclass), :number)")


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Hold one unchanging view of the whole database for the duration; nobody who writes waits for it."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
            try:
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")
        else:
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            connection.rollback()


def tables(connection: Connection) -> list[Table]:
    """Return the database's tables, parents before children."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != _REVISION_TABLE]


def lines(connection: Connection, table: Table) -> Iterator[bytes]:
    """Yield a table as lines, a few hundred rows in memory at a time."""
    yield orjson.dumps([column.name for column in table.columns]) + b"\n"
    ordered = table.select().order_by(*table.primary_key.columns)
    for row in connection.execution_options(yield_per=_BATCH).execute(ordered):
        yield orjson.dumps([_written(value) for value in row], option=orjson.OPT_PASSTHROUGH_DATETIME) + b"\n"


def load(connection: Connection, table: Table, source: Iterable[bytes]) -> int:
    """Insert the lines of a table; return how many rows. Raises Invalid for lines that are no such table."""
    remaining = iter(source)
    try:
        columns = orjson.loads(next(remaining, b"null"))
        if not isinstance(columns, list) or not set(columns) <= set(table.columns.keys()):
            raise Invalid(f"the copy of {table.name} has columns that its revision does not know")
        statement = table.insert()
        count = 0
        while batch := list(itertools.islice(remaining, _BATCH)):
            rows = [dict(zip(columns, map(_read, orjson.loads(line)), strict=True)) for line in batch]
            connection.execute(statement, rows)
            count += len(rows)
    except (orjson.JSONDecodeError, ValueError, TypeError) as error:
        raise Invalid(f"the copy of {table.name} is damaged: {error}") from error
    return count


def last_numbers(connection: Connection, copied: Iterable[Table]) -> dict[str, int]:
    """Return the last number given out by each table that counts, rows since deleted included: none is given twice."""
    if connection.dialect.name == "sqlite":
        return {str(row.name): row.seq for row in connection.execute(_LAST_NUMBERS_OF_SQLITE)}
    numbers = {}
    for table, sequence in _sequences(connection, copied):
        last, is_called = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()  # noqa: S608
        if is_called:
            numbers[str(table.name)] = last
    return numbers


def continue_numbers(connection: Connection, loaded: Iterable[Table], numbers: Mapping[str, int]) -> None:
    """Let every table count on from its last number."""
    if connection.dialect.name == "sqlite":
        for name in connection.execute(_COUNTED_TABLES_OF_SQLITE).scalars().all():
            if name in numbers:
                connection.execute(_ADD_LAST_NUMBER, {"name": name})
                connection.execute(_RAISE_LAST_NUMBER, {"name": name, "number": numbers[name]})
        return
    for table, sequence in _sequences(connection, loaded):
        (column,) = table.primary_key.columns
        highest = connection.exec_driver_sql(f'SELECT max("{column.name}") FROM "{table.name}"').scalar()  # noqa: S608
        number = max(highest or 0, numbers.get(table.name, 0))
        if number:
            connection.execute(_SET_SEQUENCE, {"sequence": sequence, "number": number})


def check_parents(connection: Connection) -> None:
    """Raise Broken when a row lacks its parent; PostgreSQL has checked while loading."""
    if connection.dialect.name == "sqlite":
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if orphans:
            raise Broken(f"{len(orphans)} rows of the copy lack their parents, the first in {orphans[0][0]}")


def _sequences(connection: Connection, of: Iterable[Table]) -> Iterator[tuple[Table, str]]:
    for table in of:
        keys = list(table.primary_key.columns)
        if len(keys) == 1:
            names = {"table_name": f'"{table.name}"', "column_name": keys[0].name}
            sequence = connection.execute(_SEQUENCE_OF, names).scalar()
            if sequence is not None:
                yield table, sequence


def _written(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {"base64": base64.b64encode(value).decode()}
    if type(value) is date:  # and not one of its moments
        return {"date": value.isoformat()}
    return value


def _read(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return date.fromisoformat(value["date"]) if "date" in value else base64.b64decode(value["base64"])
