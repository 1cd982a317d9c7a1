"""Numbers given out ahead: for rows that are inserted thousands at a time and name themselves by their number."""

from collections.abc import Sequence

from sqlalchemy import Connection, Table, text

_LAST_OF_SQLITE = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
_NEXT_OF_POSTGRESQL = text(
    "SELECT nextval(pg_get_serial_sequence(:table_name, :column_name)) FROM generate_series(1, :count)"
)


def reserve(connection: Connection, table: Table, count: int) -> Sequence[int]:
    """Return numbers of a table that counts and never gives one twice; rows with them follow in this transaction.

    SQLite has one writer, which is the caller, and counts on behind the highest number that was inserted.
    """
    if connection.dialect.name == "sqlite":
        last = connection.execute(_LAST_OF_SQLITE, {"name": table.name}).scalar() or 0
        return range(last + 1, last + 1 + count)
    [column] = table.primary_key.columns
    values = {"table_name": f'"{table.name}"', "column_name": column.name, "count": count}
    return [int(number) for number in connection.execute(_NEXT_OF_POSTGRESQL, values).scalars()]
