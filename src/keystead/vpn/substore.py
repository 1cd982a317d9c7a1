"""Queries of subscriptions."""

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


def remove(connection: Connection, number: int) -> None:
    """Delete a key's subscription."""
    connection.execute(_REMOVE, {"number": number})
