"""Queries of accounts, of their plans' edited limits, and of facts that are chosen once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from keystead.access.models import ACCOUNT_PLAN_LIMITS, ACCOUNTS, FIXED_FACTS
from keystead.db.absent import InsertIfAbsent
from keystead.db.types import AnyRow
from keystead.kit.page import Page


@dataclass(frozen=True)
class Account:
    """A tenant; the house account is the installation's own."""

    id: int
    name: str
    plan: str
    is_house: bool
    is_active: bool
    created_at: datetime


_ADD_ACCOUNT = InsertIfAbsent(ACCOUNTS)
_INSERT = insert(ACCOUNTS).returning(ACCOUNTS.c.id)
_ACCOUNT_ID = select(ACCOUNTS.c.id).where(ACCOUNTS.c.name == bindparam("name"))
_ACCOUNT = select(ACCOUNTS).where(ACCOUNTS.c.id == bindparam("account_id"))
_ACCOUNTS = select(ACCOUNTS).where(ACCOUNTS.c.id > bindparam("after")).order_by(ACCOUNTS.c.id).limit(bindparam("limit"))
_CHANGE = (
    update(ACCOUNTS)
    .where(ACCOUNTS.c.id == bindparam("account_id"))
    .values(name=bindparam("new_name"), plan=bindparam("new_plan"), is_active=bindparam("new_is_active"))
)
_LIMITS = select(ACCOUNT_PLAN_LIMITS.c.name, ACCOUNT_PLAN_LIMITS.c.value).where(
    ACCOUNT_PLAN_LIMITS.c.plan == bindparam("plan")
)
_ADD_LIMIT = insert(ACCOUNT_PLAN_LIMITS)
_DROP_LIMIT = delete(ACCOUNT_PLAN_LIMITS).where(
    ACCOUNT_PLAN_LIMITS.c.plan == bindparam("plan"), ACCOUNT_PLAN_LIMITS.c.name == bindparam("name")
)
_ADD_FACT = InsertIfAbsent(FIXED_FACTS)
_FACT = select(FIXED_FACTS.c.value).where(FIXED_FACTS.c.name == bindparam("name"))


def ensure_house(connection: Connection, name: str, plan: str, now: datetime) -> int:
    """Return the id of the account with a name, making it the house account when there is none."""
    account_id = connection.execute(_ACCOUNT_ID, {"name": name}).scalar()
    if account_id is None:
        house = {"name": name, "plan": plan, "is_house": True, "is_active": True, "created_at": now}
        _ADD_ACCOUNT.run(connection, house)
        account_id = connection.execute(_ACCOUNT_ID, {"name": name}).scalar_one()
    return int(account_id)


def insert_account(connection: Connection, values: dict[str, Any]) -> int:
    """Insert a row and return its id."""
    return int(connection.execute(_INSERT, values).scalar_one())


def by_name_or_number(connection: Connection, named: str) -> int | None:
    """Return the id of an account by its name, else by its number."""
    account_id = connection.execute(_ACCOUNT_ID, {"name": named}).scalar()
    if account_id is None and named.isdecimal() and len(named) < 19:
        found = account(connection, int(named))
        return None if found is None else found.id
    return account_id


def is_taken(connection: Connection, name: str) -> bool:
    """Tell whether an account has a name."""
    return connection.execute(_ACCOUNT_ID, {"name": name}).first() is not None


def account(connection: Connection, account_id: int) -> Account | None:
    """Return an account."""
    row = connection.execute(_ACCOUNT, {"account_id": account_id}).first()
    return None if row is None else _account(row)


def page(connection: Connection, wanted: Page) -> list[Account]:
    """Return a page of all accounts in order of their ids."""
    rows = connection.execute(_ACCOUNTS, {"after": wanted.after, "limit": wanted.limit})
    return [_account(row) for row in rows]


def change(connection: Connection, account_id: int, *, name: str, plan: str, is_active: bool) -> None:
    """Replace what may be changed of an account."""
    values = {"account_id": account_id, "new_name": name, "new_plan": plan, "new_is_active": is_active}
    connection.execute(_CHANGE, values)


def edited_limits(connection: Connection, plan: str) -> dict[str, int | None]:
    """Return the limits of a plan that somebody has edited, by name."""
    return {row.name: row.value for row in connection.execute(_LIMITS, {"plan": plan})}


def set_limit(connection: Connection, plan: str, name: str, value: int | None) -> None:
    """Replace a limit of a plan; None is no limit."""
    connection.execute(_DROP_LIMIT, {"plan": plan, "name": name})
    connection.execute(_ADD_LIMIT, {"plan": plan, "name": name, "value": value})


def fact(connection: Connection, name: str) -> object | None:
    """Return the value of a fact, or None."""
    value: object | None = connection.execute(_FACT, {"name": name}).scalar()
    return value


def add_fact(connection: Connection, name: str, value: object, now: datetime) -> bool:
    """Store a fact unless it is there; return whether it is new."""
    return _ADD_FACT.run(connection, {"name": name, "value": value, "chosen_at": now})


def _account(row: AnyRow) -> Account:
    return Account(row.id, row.name, row.plan, row.is_house, row.is_active, row.created_at)
