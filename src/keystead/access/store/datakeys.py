"""Queries of data keys, and of the sealed columns that a rotation rewrites."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, delete, func, insert, select, text, tuple_, update

from keystead.access.models import DATA_KEYS
from keystead.db.types import AnyRow


class Purpose(StrEnum):
    """What a data key does. ``retired`` once sealed columns and only opens them, until all are rewritten."""

    SECRETS = "secrets"
    RETIRED = "retired"
    AUDIT = "audit"


@dataclass(frozen=True)
class WrappedKey:
    """A data key as it is stored, wrapped by the root key."""

    name: str
    purpose: Purpose
    wrapped_by: str
    wrapped: str


_INSERT = insert(DATA_KEYS)
_ALL = select(DATA_KEYS.c.name, DATA_KEYS.c.purpose, DATA_KEYS.c.wrapped_by, DATA_KEYS.c.wrapped).order_by(
    DATA_KEYS.c.created_at, DATA_KEYS.c.name
)
_REPLACE = (
    update(DATA_KEYS)
    .where(DATA_KEYS.c.name == bindparam("key_name"))
    .values(purpose=bindparam("new_purpose"), wrapped_by=bindparam("new_wrapped_by"), wrapped=bindparam("new_wrapped"))
)
_DELETE_RETIRED = delete(DATA_KEYS).where(DATA_KEYS.c.purpose == Purpose.RETIRED.value)


def insert_key(connection: Connection, key: WrappedKey, now: datetime) -> None:
    """Insert a data key."""
    connection.execute(
        _INSERT,
        {
            "name": key.name,
            "purpose": key.purpose.value,
            "wrapped_by": key.wrapped_by,
            "wrapped": key.wrapped,
            "created_at": now,
        },
    )


def all_keys(connection: Connection) -> list[WrappedKey]:
    """Return all data keys, oldest first."""
    return [WrappedKey(row.name, Purpose(row.purpose), row.wrapped_by, row.wrapped) for row in connection.execute(_ALL)]


def replace_key(connection: Connection, key: WrappedKey) -> None:
    """Store a data key wrapped anew."""
    connection.execute(
        _REPLACE,
        {
            "key_name": key.name,
            "new_purpose": key.purpose.value,
            "new_wrapped_by": key.wrapped_by,
            "new_wrapped": key.wrapped,
        },
    )


def delete_retired(connection: Connection) -> int:
    """Delete the retired keys; return how many."""
    return connection.execute(_DELETE_RETIRED).rowcount


class SealedRows:
    """The prebuilt statements over one sealed column."""

    def __init__(self, table: Table, keys: Sequence[Column[Any]], column: Column[Any]) -> None:
        outdated = ~column.startswith(bindparam("current"), autoescape=False)
        after = tuple_(*(bindparam(f"after_{key.name}", type_=key.type) for key in keys))
        first = select(*keys, column).where(column.is_not(None), outdated).order_by(*keys).limit(bindparam("limit"))
        self._hold = text(f'LOCK TABLE "{table.name}" IN SHARE MODE')
        self._keys = keys
        self._first = first
        self._next = first.where(tuple_(*keys) > after)
        self._count = select(func.count()).select_from(table).where(column.is_not(None), outdated)
        self._replace = (
            update(table)
            .where(*(key == bindparam(f"row_{key.name}") for key in keys), column == bindparam("old_sealed"))
            .values({column: bindparam("new_sealed")})
        )

    def outdated(
        self, connection: Connection, current: str, after: Sequence[object] | None, limit: int
    ) -> Sequence[AnyRow]:
        """Return (keys…, sealed) of rows that do not begin with ``current``, after a row's keys."""
        values: dict[str, object] = {"current": current, "limit": limit}
        if after is None:
            return connection.execute(self._first, values).all()
        cursor = {f"after_{key.name}": value for key, value in zip(self._keys, after, strict=True)}
        return connection.execute(self._next, {**values, **cursor}).all()

    def count_outdated(self, connection: Connection, current: str) -> int:
        """Return how many rows do not begin with ``current``."""
        return int(connection.execute(self._count, {"current": current}).scalar_one())

    def replace(self, connection: Connection, row: Sequence[object], old: str, new: str) -> bool:
        """Replace a sealed value unless it changed meanwhile; return whether it was replaced."""
        keys = {f"row_{key.name}": value for key, value in zip(self._keys, row, strict=True)}
        return connection.execute(self._replace, {**keys, "old_sealed": old, "new_sealed": new}).rowcount == 1

    def hold_writers(self, connection: Connection) -> None:
        """Wait for writers of the table and keep new ones out until the transaction ends.

        SQLite has one writer, which is the caller.
        """
        if connection.dialect.name == "postgresql":
            connection.execute(self._hold)
