"""Insert a row unless its identity exists: one statement that both databases have, spelled in two dialects.

For rows that several writers may make at once. On PostgreSQL the statement waits for a concurrent writer of the same
identity and then does nothing, so that a read after it sees the winner's row.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


class InsertIfAbsent:
    """A prebuilt ``INSERT … ON CONFLICT DO NOTHING`` of one table."""

    def __init__(self, table: Table) -> None:
        # Without preserve_rowcount SQLAlchemy forgets the count of an INSERT (2.1, Connection.execution_options).
        self._statements = {
            "sqlite": sqlite.insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True),
            "postgresql": postgresql.insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True),
        }

    def run(self, connection: Connection, values: Mapping[str, Any]) -> bool:
        """Insert the values; return whether the row is new."""
        return connection.execute(self._statements[connection.dialect.name], values).rowcount == 1
