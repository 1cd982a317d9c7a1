"""Every kind of column that a table has travels in a copy, and arrives as it was."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Date, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from keystead.db import dump
from keystead.db.base import METADATA
from keystead.db.session import Connection, Database
from keystead.db.types import Json, UtcTime

# What stands in a column by its kind, the most particular kind first.
SAMPLES: dict[type[TypeEngine[Any]] | type[TypeDecorator[Any]], object] = {
    UtcTime: datetime(2026, 11, 29, 12, 0, 0, 5, tzinfo=UTC),
    Json: {"name": ["«ü»", 1, None, True]},
    Date: date(2027, 1, 22),
    Boolean: True,
    LargeBinary: b"\x00\xff",
    BigInteger: 2**63 - 1,
    Integer: 2**31 - 1,
    String: "«ü»\n",
    Text: "«ü»\n",
}


def bare() -> list[Table]:
    """Return every table without its keys and constraints, so that each takes a row of anything."""
    without = MetaData()
    return [
        Table(f"bare_{table.name}", without, *(type(column)(column.name, column.type) for column in table.columns))
        for table in METADATA.sorted_tables
    ]


def sample(kind: Any) -> object:
    return next(value for known, value in SAMPLES.items() if isinstance(kind, known))


async def test_a_row_of_every_table_arrives_as_it_was(database: Database) -> None:
    tables = bare()

    def fill(connection: Connection) -> None:
        for table in tables:
            table.create(connection)
            connection.execute(table.insert(), {column.name: sample(column.type) for column in table.columns})

    def rows(connection: Connection) -> dict[str, list[Any]]:
        return {table.name: list(connection.execute(table.select()).all()) for table in tables}

    def load(connection: Connection) -> None:
        for table in dump.tables(connection):
            if table.name in copied:
                connection.execute(table.delete())
                dump.load(connection, table, copied[table.name])

    await database.write(fill)
    before = await database.read(rows)
    with dump.snapshot(database.engine) as connection:
        stored = [table for table in dump.tables(connection) if table.name.startswith("bare_")]
        copied = {table.name: list(dump.lines(connection, table)) for table in stored}
    await database.write(load)

    after = await database.read(rows)
    assert len(copied) == len(METADATA.tables) > 30
    assert [len(found) for found in before.values()] == [1] * len(copied)
    assert [name for name in before if before[name] != after[name]] == []
