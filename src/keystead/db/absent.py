"""Insert a row unless its identity exists: one statement that both databases have, spelled in two dialects.

For rows that several writers may make at once. On PostgreSQL the statement waits for a concurrent writer of the same
identity and then does nothing, so that a read after it sees the winner's row.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Insert, Table


class InsertIfAbsent:
    """An ``INSERT … ON CONFLICT DO NOTHING`` of one table, built at its first use in a kind of database."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._statements: dict[str, Insert] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> bool:
        """Insert the values; return whether the row is new."""
        product = connection.dialect.name
        if product not in self._statements:
            # Without preserve_rowcount SQLAlchemy forgets the count of an INSERT (2.1, Connection.execution_options).
            self._statements[product] = _insert(product, self._table).execution_options(preserve_rowcount=True)
        return connection.execute(self._statements[product], values).rowcount == 1


def _insert(product: str, table: Table) -> Insert:
    """Return the statement; the dialect of a database that is not used is not imported."""
    if product == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table).on_conflict_do_nothing()
