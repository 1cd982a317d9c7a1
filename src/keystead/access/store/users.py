"""Queries of users, and of the accounts they are members of."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from keystead.access.models import ACCOUNTS, MEMBERS, ROLES, USER_ROLES, USERS
from keystead.db.types import AnyRow
from keystead.kit.page import Page


@dataclass(frozen=True)
class User:
    """A person who signs in to Keystead; ``account_id`` is where it is at home."""

    id: int
    account_id: int
    login: str
    is_active: bool
    created_at: datetime


@dataclass(frozen=True)
class Membership:
    """An account that a user may work in; roles are those it has there, by name."""

    account_id: int
    account_name: str
    plan: str
    is_house: bool
    is_active: bool
    joined_at: datetime
    roles: tuple[str, ...]


_USER_COLUMNS = [column for column in USERS.c if column.name != "password_hash"]
_OF_ACCOUNT = (
    select(*_USER_COLUMNS)
    .join(MEMBERS, MEMBERS.c.user_id == USERS.c.id)
    .where(MEMBERS.c.account_id == bindparam("account_id"))
)

_INSERT_USER = insert(USERS).returning(USERS.c.id)
_INSERT_MEMBER = insert(MEMBERS)
_USER = _OF_ACCOUNT.where(USERS.c.id == bindparam("user_id"))
_USERS = _OF_ACCOUNT.where(USERS.c.id > bindparam("after")).order_by(USERS.c.id).limit(bindparam("limit"))
_BY_ID = select(*_USER_COLUMNS, USERS.c.password_hash).where(USERS.c.id == bindparam("user_id"))
_BY_LOGIN = select(*_USER_COLUMNS, USERS.c.password_hash).where(USERS.c.login == bindparam("login"))
_SET_ACTIVE = update(USERS).where(USERS.c.id == bindparam("user_id")).values(is_active=bindparam("flag"))
_SET_PASSWORD = update(USERS).where(USERS.c.id == bindparam("user_id")).values(password_hash=bindparam("new_hash"))
_MEMBERSHIPS = (
    select(
        ACCOUNTS.c.id,
        ACCOUNTS.c.name,
        ACCOUNTS.c.plan,
        ACCOUNTS.c.is_house,
        ACCOUNTS.c.is_active,
        MEMBERS.c.joined_at,
        ROLES.c.name.label("role"),
    )
    .select_from(MEMBERS)
    .join(ACCOUNTS, ACCOUNTS.c.id == MEMBERS.c.account_id)
    .outerjoin(USER_ROLES, USER_ROLES.c.user_id == MEMBERS.c.user_id)
    .outerjoin(ROLES, (ROLES.c.id == USER_ROLES.c.role_id) & (ROLES.c.account_id == MEMBERS.c.account_id))
    .where(MEMBERS.c.user_id == bindparam("user_id"))
    .order_by(MEMBERS.c.joined_at, ACCOUNTS.c.id, ROLES.c.name)
)
_COUNT_MEMBERS = select(func.count()).select_from(MEMBERS).where(MEMBERS.c.account_id == bindparam("account_id"))
_LOGINS_WITH_ROLE = (
    select(USERS.c.login)
    .join(USER_ROLES, USER_ROLES.c.user_id == USERS.c.id)
    .join(ROLES, ROLES.c.id == USER_ROLES.c.role_id)
    .where(ROLES.c.account_id == bindparam("account_id"), ROLES.c.name == bindparam("role"), USERS.c.is_active)
    .order_by(USERS.c.id)
)
_REMOVE_ROLES = delete(USER_ROLES).where(
    USER_ROLES.c.user_id == bindparam("user_id"),
    USER_ROLES.c.role_id.in_(select(ROLES.c.id).where(ROLES.c.account_id == bindparam("account_id"))),
)
_REMOVE_MEMBER = delete(MEMBERS).where(
    MEMBERS.c.user_id == bindparam("user_id"), MEMBERS.c.account_id == bindparam("account_id")
)
_OTHER_HOLDERS = (
    select(func.count())
    .select_from(USER_ROLES)
    .join(USERS, USERS.c.id == USER_ROLES.c.user_id)
    .join(ROLES, ROLES.c.id == USER_ROLES.c.role_id)
    .where(
        ROLES.c.account_id == bindparam("account_id"),
        ROLES.c.name == bindparam("role"),
        USERS.c.is_active,
        USERS.c.id != bindparam("user_id"),
    )
)


def insert_user(connection: Connection, values: dict[str, Any]) -> int:
    """Insert a row, make the user a member of its home, and return its id."""
    user_id = int(connection.execute(_INSERT_USER, values).scalar_one())
    add_member(connection, values["account_id"], user_id, values["created_at"])
    return user_id


def user(connection: Connection, account_id: int, user_id: int) -> User | None:
    """Return a member of an account."""
    row = connection.execute(_USER, {"account_id": account_id, "user_id": user_id}).first()
    return None if row is None else _user(row)


def page(connection: Connection, account_id: int, wanted: Page) -> list[User]:
    """Return a page of the account's members in order of their ids."""
    rows = connection.execute(_USERS, {"account_id": account_id, "after": wanted.after, "limit": wanted.limit})
    return [_user(row) for row in rows]


def by_id(connection: Connection, user_id: int) -> tuple[User, str] | None:
    """Return a user of any account and the hash of the password."""
    row = connection.execute(_BY_ID, {"user_id": user_id}).first()
    return None if row is None else (_user(row), row.password_hash)


def by_login(connection: Connection, login: str) -> tuple[User, str] | None:
    """Return the user with a login and the hash of the password."""
    row = connection.execute(_BY_LOGIN, {"login": login}).first()
    return None if row is None else (_user(row), row.password_hash)


def set_active(connection: Connection, user_id: int, *, is_active: bool) -> None:
    """Let a user in, or keep it out."""
    connection.execute(_SET_ACTIVE, {"user_id": user_id, "flag": is_active})


def set_password(connection: Connection, user_id: int, password_hash: str) -> None:
    """Replace the hash of a password."""
    connection.execute(_SET_PASSWORD, {"user_id": user_id, "new_hash": password_hash})


def memberships(connection: Connection, user_id: int) -> list[Membership]:
    """Return the accounts a user is a member of, the one it joined first before the others."""
    found: dict[int, Membership] = {}
    for row in connection.execute(_MEMBERSHIPS, {"user_id": user_id}):
        roles = (*(found[row.id].roles if row.id in found else ()), *((row.role,) if row.role else ()))
        found[row.id] = Membership(row.id, row.name, row.plan, row.is_house, row.is_active, row.joined_at, roles)
    return list(found.values())


def add_member(connection: Connection, account_id: int, user_id: int, now: datetime) -> None:
    """Make a user a member of an account."""
    connection.execute(_INSERT_MEMBER, {"account_id": account_id, "user_id": user_id, "joined_at": now})


def remove_member(connection: Connection, account_id: int, user_id: int) -> None:
    """Take a user and its roles out of an account."""
    connection.execute(_REMOVE_ROLES, {"account_id": account_id, "user_id": user_id})
    connection.execute(_REMOVE_MEMBER, {"account_id": account_id, "user_id": user_id})


def count_members(connection: Connection, account_id: int) -> int:
    """Return how many members an account has."""
    return int(connection.execute(_COUNT_MEMBERS, {"account_id": account_id}).scalar_one())


def count_other_holders(connection: Connection, account_id: int, role: str, user_id: int) -> int:
    """Return how many active users but one have a role of an account."""
    values = {"account_id": account_id, "role": role, "user_id": user_id}
    return int(connection.execute(_OTHER_HOLDERS, values).scalar_one())


def logins_with_role(connection: Connection, account_id: int, role: str) -> list[str]:
    """Return the logins of the active users who have a role of an account."""
    return list(connection.execute(_LOGINS_WITH_ROLE, {"account_id": account_id, "role": role}).scalars())


def _user(row: AnyRow) -> User:
    return User(row.id, row.account_id, row.login, row.is_active, row.created_at)
