"""Roles: named sets of permissions that members of an account are given.

Four are built in: every account has them, and they follow the program's version. What a role allows beyond what the
account's people may hold (``permissions.ceiling``) has no effect there.
"""

from collections.abc import Iterable

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from keystead.access import reach, users
from keystead.access.permissions import (
    ALL_PERMISSIONS,
    USUAL_VPN_PERMISSIONS,
    Permission,
    ceiling,
    requires,
    written_permissions,
)
from keystead.access.store import roles as store
from keystead.access.store.roles import Role
from keystead.access.work import Work
from keystead.kit.errors import AlreadyExists, Invalid, NotFound

OWNER = reach.OWNER
EDITOR = "editor"
OPERATOR = "operator"
VIEWER = "viewer"
BUILT_IN = {
    OWNER: ALL_PERMISSIONS,
    # Everything an account works with, and nothing about who may work in it.
    EDITOR: USUAL_VPN_PERMISSIONS
    | {
        Permission.VPN_PLANS_MANAGE,
        Permission.ENGINES_READ,
        Permission.METRICS_READ,
        Permission.WEBHOOKS_READ,
        Permission.WEBHOOKS_MANAGE,
        Permission.TOKENS_READ,
        Permission.USERS_READ,
    },
    OPERATOR: USUAL_VPN_PERMISSIONS
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
    return store.roles_of(work.connection, work.principal.account_id, user_id)


@requires(Permission.USERS_MANAGE)
def assign(work: Work, *, user_id: int, name: str) -> None:
    """Give a user a role in the caller's account. Tell the doors after the commit: ``forget_all()``."""
    users.found(work, user_id)
    role = _found(work, name)
    work.principal.check_grant(role.permissions & ceiling(is_house=work.principal.is_house))
    if store.assign(work.connection, user_id, role.id):
        work.audit("access.role.assign", f"user {user_id}", role=name)


@requires(Permission.USERS_MANAGE)
def withdraw(work: Work, *, user_id: int, name: str) -> None:
    """Take a role from a user; raise Forbidden when the user may do more than the caller.

    Raises Conflict for the last owner's role. Tell the doors after the commit: ``forget_all()``.
    """
    users.found(work, user_id)
    reach.check(work, user_id)
    role = _found(work, name)
    if name == OWNER:
        reach.check_owner_left(work, user_id)
    if store.withdraw(work.connection, user_id, role.id):
        work.audit("access.role.withdraw", f"user {user_id}", role=name)


@requires(Permission.USERS_MANAGE)
def ensure_built_in(work: Work) -> None:
    """Make the built-in roles of every account what this version says; called at start as the system."""
    for name, permissions in BUILT_IN.items():
        written = written_permissions(permissions)
        if store.add_role(work.connection, work.principal.account_id, name, permissions):
            work.audit("access.role.create", f"role {name}", name=name, permissions=written)
        elif changed := store.set_everywhere(work.connection, name, permissions):
            work.audit("access.role.change", f"role {name}", name=name, permissions=written, accounts=changed)


def add_built_in(connection: Connection, account_id: int) -> None:
    """Give a new account the built-in roles."""
    for name, permissions in BUILT_IN.items():
        store.add_role(connection, account_id, name, permissions)


def _found(work: Work, name: str) -> Role:
    role = store.role(work.connection, work.principal.account_id, name)
    if role is None:
        raise NotFound("role", name)
    return role
