"""Queries of roles, and of what they allow whom."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from keystead.access.models import ACCOUNTS, ROLES, USER_ROLES
from keystead.access.permissions import Permission, ceiling, known_permissions, written_permissions
from keystead.db.absent import InsertIfAbsent
from keystead.db.types import AnyRow


@dataclass(frozen=True)
class Role:
    """A named set of permissions."""

    id: int
    account_id: int
    name: str
    permissions: frozenset[Permission]


_PERMISSIONS_OF_USER = (
    select(ROLES.c.permissions, ACCOUNTS.c.is_house)
    .join(USER_ROLES, USER_ROLES.c.role_id == ROLES.c.id)
    .join(ACCOUNTS, ACCOUNTS.c.id == ROLES.c.account_id)
    .where(USER_ROLES.c.user_id == bindparam("user_id"), ROLES.c.account_id == bindparam("account_id"))
)
_INSERT_ROLE = insert(ROLES).returning(ROLES.c.id)
_ADD_ROLE = InsertIfAbsent(ROLES)
_ROLE = select(ROLES).where(ROLES.c.account_id == bindparam("account_id"), ROLES.c.name == bindparam("name"))
_ROLES = select(ROLES).where(ROLES.c.account_id == bindparam("account_id")).order_by(ROLES.c.name)
_ROLES_OF_USER = (
    select(ROLES)
    .join(USER_ROLES, USER_ROLES.c.role_id == ROLES.c.id)
    .where(USER_ROLES.c.user_id == bindparam("user_id"), ROLES.c.account_id == bindparam("account_id"))
    .order_by(ROLES.c.name)
)
# A role of every account at once; what is right already is left alone.
_SET_EVERYWHERE = (
    update(ROLES)
    .where(
        ROLES.c.name == bindparam("role_name"),
        ROLES.c.permissions != bindparam("granted", type_=ROLES.c.permissions.type),
    )
    .values(permissions=bindparam("granted", type_=ROLES.c.permissions.type))
)
_ASSIGN = InsertIfAbsent(USER_ROLES)
_WITHDRAW = delete(USER_ROLES).where(
    USER_ROLES.c.user_id == bindparam("user_id"), USER_ROLES.c.role_id == bindparam("role_id")
)


def permissions_of(connection: Connection, account_id: int, user_id: int) -> frozenset[Permission]:
    """Return what all roles of a user in an account allow together, within what the account's people may hold."""
    rows = connection.execute(_PERMISSIONS_OF_USER, {"account_id": account_id, "user_id": user_id}).all()
    held = frozenset(permission for row in rows for permission in known_permissions(row.permissions))
    return held & ceiling(is_house=bool(rows and rows[0].is_house))


def insert_role(connection: Connection, account_id: int, name: str, permissions: frozenset[Permission]) -> int:
    """Insert a role and return its id."""
    return int(connection.execute(_INSERT_ROLE, _values(account_id, name, permissions)).scalar_one())


def add_role(connection: Connection, account_id: int, name: str, permissions: frozenset[Permission]) -> bool:
    """Insert a role unless the account has one of that name; return whether it is new."""
    return _ADD_ROLE.run(connection, _values(account_id, name, permissions))


def role(connection: Connection, account_id: int, name: str) -> Role | None:
    """Return a role of an account."""
    row = connection.execute(_ROLE, {"account_id": account_id, "name": name}).first()
    return None if row is None else _role(row)


def roles(connection: Connection, account_id: int) -> list[Role]:
    """Return the account's roles by name."""
    return [_role(row) for row in connection.execute(_ROLES, {"account_id": account_id})]


def roles_of(connection: Connection, account_id: int, user_id: int) -> list[Role]:
    """Return a user's roles in an account by name."""
    return [_role(row) for row in connection.execute(_ROLES_OF_USER, {"account_id": account_id, "user_id": user_id})]


def set_everywhere(connection: Connection, name: str, permissions: frozenset[Permission]) -> int:
    """Replace what the roles of a name allow in every account; return how many were different."""
    values = {"role_name": name, "granted": written_permissions(permissions)}
    return connection.execute(_SET_EVERYWHERE, values).rowcount


def assign(connection: Connection, user_id: int, role_id: int) -> bool:
    """Give a user a role; return whether it is new."""
    return _ASSIGN.run(connection, {"user_id": user_id, "role_id": role_id})


def withdraw(connection: Connection, user_id: int, role_id: int) -> bool:
    """Take a role from a user; return whether the user had it."""
    return connection.execute(_WITHDRAW, {"user_id": user_id, "role_id": role_id}).rowcount == 1


def _values(account_id: int, name: str, permissions: frozenset[Permission]) -> dict[str, object]:
    return {"account_id": account_id, "name": name, "permissions": written_permissions(permissions)}


def _role(row: AnyRow) -> Role:
    return Role(row.id, row.account_id, row.name, known_permissions(row.permissions))
