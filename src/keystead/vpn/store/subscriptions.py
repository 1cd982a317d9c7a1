"""Queries of subscriptions."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from keystead.vpn.models import KEYS, SUBSCRIPTIONS

S = SUBSCRIPTIONS.c

_SEALED = select(S.sealed_token).where(S.key_number == bindparam("number"))
_KEY = (
    select(KEYS.c.number, KEYS.c.account_id)
    .join_from(SUBSCRIPTIONS, KEYS, S.key_number == KEYS.c.number)
    .where(S.fingerprint == bindparam("fingerprint"))
)
_FINGERPRINTS = select(S.fingerprint)
_ADD = insert(SUBSCRIPTIONS)
_REMOVE = delete(SUBSCRIPTIONS).where(S.key_number == bindparam("number"))


def sealed_token(connection: Connection, number: int) -> str | None:
    """Return the sealed token of a key's subscription."""
    found: str | None = connection.execute(_SEALED, {"number": number}).scalar()
    return found


def find_key(connection: Connection, fingerprint: str) -> tuple[int, int] | None:
    """Return number and account of the key behind a subscription's token."""
    row = connection.execute(_KEY, {"fingerprint": fingerprint}).first()
    return None if row is None else (row[0], row[1])


def add(connection: Connection, number: int, fingerprint: str, sealed: str, at: datetime) -> None:
    """Store the token of a key's subscription."""
    values = {"key_number": number, "fingerprint": fingerprint, "sealed_token": sealed, "created_at": at}
    connection.execute(_ADD, values)


def add_many(connection: Connection, rows: Sequence[tuple[int, str, str]], at: datetime) -> None:
    """Store tokens of keys' subscriptions: number, fingerprint, sealed token."""
    names = ("key_number", "fingerprint", "sealed_token")
    if rows:
        connection.execute(_ADD, [dict(zip(names, row, strict=True)) | {"created_at": at} for row in rows])


def fingerprints(connection: Connection) -> frozenset[str]:
    """Return the fingerprints of all subscriptions' tokens."""
    return frozenset(connection.execute(_FINGERPRINTS).scalars())


def remove(connection: Connection, number: int) -> None:
    """Delete a key's subscription."""
    connection.execute(_REMOVE, {"number": number})
