"""Roles: named sets of permissions that users are given. Three are built in and follow the program's version."""

from collections.abc import Iterable

from sqlalchemy.exc import IntegrityError

from keystead.access import users
from keystead.access.permissions import (
    ALL_PERMISSIONS,
    VPN_PERMISSIONS,
    Permission,
    requires,
    written_permissions,
)
from keystead.access.store import users as store
from keystead.access.store.users import Role
from keystead.access.work import Work
from keystead.kit.errors import AlreadyExists, Invalid, NotFound

OWNER = "owner"
OPERATOR = "operator"
VIEWER = "viewer"
BUILT_IN = {
    OWNER: ALL_PERMISSIONS,
    OPERATOR: VPN_PERMISSIONS
    | {
        Permission.ENGINES_READ,
        Permission.ENGINES_APPLY,
        Permission.METRICS_READ,
        Permission.AUDIT_READ,
        Permission.WEBHOOKS_READ,
    },
    VIEWER: frozenset(
        {
            Permission.VPN_KEYS_READ,
            Permission.VPN_TRAFFIC_READ,
            Permission.VPN_PLANS_READ,
            Permission.TOKENS_READ,
            Permission.USERS_READ,
            Permission.ENGINES_READ,
            Permission.METRICS_READ,
        }
    ),
}
_NAME_LENGTH_MAX = 64


@requires(Permission.USERS_MANAGE)
def create(work: Work, *, name: str, permissions: Iterable[Permission]) -> Role:
    """Create a role; raise Forbidden for permissions the caller lacks and AlreadyExists when the name is taken."""
    bare = name.strip()
    if not 0 < len(bare) <= _NAME_LENGTH_MAX or not bare.isprintable():
        raise Invalid(f"a role's name has 1 to {_NAME_LENGTH_MAX} characters", fields={"name": "wrong length or form"})
    granted = frozenset(permissions)
    work.principal.check_grant(granted)
    try:
        role_id = store.insert_role(work.connection, work.principal.account_id, bare, granted)
    except IntegrityError as error:
        raise AlreadyExists(f"role {bare} exists") from error
    work.audit("access.role.create", f"role {role_id}", name=bare, permissions=written_permissions(granted))
    return _found(work, bare)


@requires(Permission.USERS_READ)
def list_(work: Work) -> list[Role]:
    """Return the account's roles by name."""
    return store.roles(work.connection, work.principal.account_id)


@requires(Permission.USERS_READ)
def list_of_user(work: Work, user_id: int) -> list[Role]:
    """Return a user's roles by name; raise NotFound for the user."""
    users.found(work, user_id)
    return store.roles_of(work.connection, user_id)


@requires(Permission.USERS_MANAGE)
def assign(work: Work, *, user_id: int, name: str) -> None:
    """Give a user a role. Tell the door after the commit: ``door.forget_all()``."""
    users.found(work, user_id)
    role = _found(work, name)
    work.principal.check_grant(role.permissions)
    if store.assign(work.connection, user_id, role.id):
        work.audit("access.role.assign", f"user {user_id}", role=name)


@requires(Permission.USERS_MANAGE)
def withdraw(work: Work, *, user_id: int, name: str) -> None:
    """Take a role from a user. Tell the door after the commit: ``door.forget_all()``."""
    users.found(work, user_id)
    role = _found(work, name)
    if store.withdraw(work.connection, user_id, role.id):
        work.audit("access.role.withdraw", f"user {user_id}", role=name)


@requires(Permission.USERS_MANAGE)
def ensure_built_in(work: Work) -> None:
    """Make the built-in roles what this version says they are; called at start with the system's principal."""
    for name, permissions in BUILT_IN.items():
        role = store.role(work.connection, work.principal.account_id, name)
        if role is None:
            create(work, name=name, permissions=permissions)
        elif role.permissions != permissions:
            store.set_role_permissions(work.connection, role.id, permissions)
            work.audit("access.role.change", f"role {role.id}", name=name, permissions=written_permissions(permissions))


def _found(work: Work, name: str) -> Role:
    role = store.role(work.connection, work.principal.account_id, name)
    if role is None:
        raise NotFound("role", name)
    return role
