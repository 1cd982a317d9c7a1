"""Queries of users and roles."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from keystead.access.models import ROLES, USER_ROLES, USERS
from keystead.access.permissions import Permission, known_permissions, written_permissions
from keystead.db.absent import InsertIfAbsent
from keystead.db.types import AnyRow
from keystead.kit.page import Page


@dataclass(frozen=True)
class User:
    """A person who signs in to Keystead."""

    id: int
    account_id: int
    login: str
    is_active: bool
    created_at: datetime


@dataclass(frozen=True)
class Role:
    """A named set of permissions."""

    id: int
    account_id: int
    name: str
    permissions: frozenset[Permission]


_USER_COLUMNS = [column for column in USERS.c if column.name != "password_hash"]

_INSERT_USER = insert(USERS).returning(USERS.c.id)
_USER = select(*_USER_COLUMNS).where(USERS.c.id == bindparam("user_id"), USERS.c.account_id == bindparam("account_id"))
_USERS = (
    select(*_USER_COLUMNS)
    .where(USERS.c.account_id == bindparam("account_id"), USERS.c.id > bindparam("after"))
    .order_by(USERS.c.id)
    .limit(bindparam("limit"))
)
_BY_LOGIN = select(*_USER_COLUMNS, USERS.c.password_hash).where(USERS.c.login == bindparam("login"))
_SET_ACTIVE = update(USERS).where(USERS.c.id == bindparam("user_id")).values(is_active=bindparam("flag"))
_SET_PASSWORD = update(USERS).where(USERS.c.id == bindparam("user_id")).values(password_hash=bindparam("new_hash"))
_PERMISSIONS_OF_USER = (
    select(ROLES.c.permissions)
    .join(USER_ROLES, USER_ROLES.c.role_id == ROLES.c.id)
    .where(USER_ROLES.c.user_id == bindparam("user_id"))
)

_INSERT_ROLE = insert(ROLES).returning(ROLES.c.id)
_ROLE = select(ROLES).where(ROLES.c.account_id == bindparam("account_id"), ROLES.c.name == bindparam("name"))
_ROLES = select(ROLES).where(ROLES.c.account_id == bindparam("account_id")).order_by(ROLES.c.name)
_ROLES_OF_USER = (
    select(ROLES)
    .join(USER_ROLES, USER_ROLES.c.role_id == ROLES.c.id)
    .where(USER_ROLES.c.user_id == bindparam("user_id"))
    .order_by(ROLES.c.name)
)
_SET_PERMISSIONS = update(ROLES).where(ROLES.c.id == bindparam("role_id")).values(permissions=bindparam("granted"))
_ASSIGN = InsertIfAbsent(USER_ROLES)
_WITHDRAW = delete(USER_ROLES).where(
    USER_ROLES.c.user_id == bindparam("user_id"), USER_ROLES.c.role_id == bindparam("role_id")
)


def insert_user(connection: Connection, values: dict[str, Any]) -> int:
    """Insert a row and return its id."""
    return int(connection.execute(_INSERT_USER, values).scalar_one())


def user(connection: Connection, account_id: int, user_id: int) -> User | None:
    """Return a user of an account."""
    row = connection.execute(_USER, {"account_id": account_id, "user_id": user_id}).first()
    return None if row is None else _user(row)


def page(connection: Connection, account_id: int, wanted: Page) -> list[User]:
    """Return a page of the account's users in order of their ids."""
    rows = connection.execute(_USERS, {"account_id": account_id, "after": wanted.after, "limit": wanted.limit})
    return [_user(row) for row in rows]


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


def permissions_of(connection: Connection, user_id: int) -> frozenset[Permission]:
    """Return what all roles of a user allow together."""
    rows = connection.execute(_PERMISSIONS_OF_USER, {"user_id": user_id}).scalars()
    return frozenset(permission for stored in rows for permission in known_permissions(stored))


def insert_role(connection: Connection, account_id: int, name: str, permissions: frozenset[Permission]) -> int:
    """Insert a role and return its id."""
    values = {"account_id": account_id, "name": name, "permissions": written_permissions(permissions)}
    return int(connection.execute(_INSERT_ROLE, values).scalar_one())


def role(connection: Connection, account_id: int, name: str) -> Role | None:
    """Return a role of an account."""
    row = connection.execute(_ROLE, {"account_id": account_id, "name": name}).first()
    return None if row is None else _role(row)


def roles(connection: Connection, account_id: int) -> list[Role]:
    """Return the account's roles by name."""
    return [_role(row) for row in connection.execute(_ROLES, {"account_id": account_id})]


def roles_of(connection: Connection, user_id: int) -> list[Role]:
    """Return a user's roles by name."""
    return [_role(row) for row in connection.execute(_ROLES_OF_USER, {"user_id": user_id})]


def set_role_permissions(connection: Connection, role_id: int, permissions: frozenset[Permission]) -> None:
    """Replace what a role allows."""
    connection.execute(_SET_PERMISSIONS, {"role_id": role_id, "granted": written_permissions(permissions)})


def assign(connection: Connection, user_id: int, role_id: int) -> bool:
    """Give a user a role; return whether it is new."""
    return _ASSIGN.run(connection, {"user_id": user_id, "role_id": role_id})


def withdraw(connection: Connection, user_id: int, role_id: int) -> bool:
    """Take a role from a user; return whether the user had it."""
    return connection.execute(_WITHDRAW, {"user_id": user_id, "role_id": role_id}).rowcount == 1


def _user(row: AnyRow) -> User:
    return User(row.id, row.account_id, row.login, row.is_active, row.created_at)


def _role(row: AnyRow) -> Role:
    return Role(row.id, row.account_id, row.name, known_permissions(row.permissions))
