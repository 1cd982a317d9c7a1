"""Queries of accounts and of facts that are chosen once."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from keystead.access.models import ACCOUNTS, FIXED_FACTS
from keystead.db.absent import InsertIfAbsent

_ADD_ACCOUNT = InsertIfAbsent(ACCOUNTS)
_ACCOUNT_ID = select(ACCOUNTS.c.id).where(ACCOUNTS.c.name == bindparam("name"))
_ADD_FACT = InsertIfAbsent(FIXED_FACTS)
_FACT = select(FIXED_FACTS.c.value).where(FIXED_FACTS.c.name == bindparam("name"))


def ensure(connection: Connection, name: str, now: datetime) -> int:
    """Return the id of the account with a name, making it when there is none."""
    account_id = connection.execute(_ACCOUNT_ID, {"name": name}).scalar()
    if account_id is None:
        _ADD_ACCOUNT.run(connection, {"name": name, "created_at": now})
        account_id = connection.execute(_ACCOUNT_ID, {"name": name}).scalar_one()
    return int(account_id)


def fact(connection: Connection, name: str) -> object | None:
    """Return the value of a fact, or None."""
    value: object | None = connection.execute(_FACT, {"name": name}).scalar()
    return value


def add_fact(connection: Connection, name: str, value: object, now: datetime) -> bool:
    """Store a fact unless it is there; return whether it is new."""
    return _ADD_FACT.run(connection, {"name": name, "value": value, "chosen_at": now})
