"""Every permission there is, and the decorator that puts one on a verb: it checks, registers and documents."""

import functools
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from keystead.kit.errors import Forbidden

P = ParamSpec("P")
R = TypeVar("R")
W = TypeVar("W", bound="ActsForSomebody")

PERMISSION_ATTRIBUTE = "__permission__"


class Permission(StrEnum):
    """What a principal may be allowed to do."""

    VPN_KEYS_READ = "vpn.keys.read"
    VPN_KEYS_ISSUE = "vpn.keys.issue"
    VPN_KEYS_CHANGE = "vpn.keys.change"
    VPN_KEYS_REVOKE = "vpn.keys.revoke"
    VPN_LINKS_READ = "vpn.links.read"
    VPN_TRAFFIC_READ = "vpn.traffic.read"
    VPN_TRAFFIC_RESET = "vpn.traffic.reset"
    VPN_TERMS_CHANGE = "vpn.terms.change"
    VPN_PLANS_READ = "vpn.plans.read"
    VPN_PLANS_MANAGE = "vpn.plans.manage"
    VPN_ADDRESSES_READ = "vpn.addresses.read"
    VPN_PAIRS_READ = "vpn.pairs.read"
    VPN_PAIRS_MANAGE = "vpn.pairs.manage"
    VAULT_READ = "vault.credentials.read"
    VAULT_CONNECT = "vault.credentials.connect"
    VAULT_CHANGE = "vault.credentials.change"
    VAULT_USE = "vault.credentials.use"
    VAULT_REVEAL = "vault.credentials.reveal"
    RELAYS_MANAGE = "providers.relays.manage"
    TOKENS_READ = "access.tokens.read"
    TOKENS_MANAGE = "access.tokens.manage"
    USERS_READ = "access.users.read"
    USERS_MANAGE = "access.users.manage"
    ACCOUNTS_MANAGE = "access.accounts.manage"
    SIGN_IN = "access.sign_in"
    AUDIT_READ = "access.audit.read"
    ENGINES_READ = "engines.read"
    ENGINES_APPLY = "engines.apply"
    WEBHOOKS_READ = "webhooks.read"
    WEBHOOKS_MANAGE = "webhooks.manage"
    METRICS_READ = "metrics.read"
    BACKUP_MAKE = "system.backup"
    EXPORT_MAKE = "system.export"
    EXPORT_SECRETS = "system.export.secrets"
    SECRETS_ROTATE = "system.secrets.rotate"


VPN_PERMISSIONS = frozenset(permission for permission in Permission if permission.value.startswith("vpn."))
# What a token or a role is given unless more is asked for: customers' addresses are personal data, and a key pair is
# the whole instance's.
USUAL_VPN_PERMISSIONS = VPN_PERMISSIONS - {
    Permission.VPN_ADDRESSES_READ,
    Permission.VPN_PAIRS_READ,
    Permission.VPN_PAIRS_MANAGE,
}
ALL_PERMISSIONS = frozenset(Permission)
# What concerns the whole installation: its engines, its ports, its database, other people's accounts. Only the house
# account's principals may hold it, whatever their roles say.
INSTALLATION_PERMISSIONS = frozenset(
    permission
    for permission in Permission
    if permission is Permission.ACCOUNTS_MANAGE
    or permission.value.startswith(("vpn.", "engines.", "metrics.", "system.", "providers."))
)
TENANT_PERMISSIONS = ALL_PERMISSIONS - INSTALLATION_PERMISSIONS
_BY_VALUE = {permission.value: permission for permission in Permission}


def known_permissions(stored: Iterable[str]) -> frozenset[Permission]:
    """Return stored permissions as a set; one that this version does not know allows nothing."""
    return frozenset(_BY_VALUE[value] for value in stored if value in _BY_VALUE)


def written_permissions(permissions: Iterable[Permission]) -> list[str]:
    """Return permissions as they are stored and audited: sorted texts."""
    return sorted(permission.value for permission in permissions)


def ceiling(*, is_house: bool) -> frozenset[Permission]:
    """Return what principals of an account may hold at most."""
    return ALL_PERMISSIONS if is_house else TENANT_PERMISSIONS


class Permitted(Protocol):
    """Whoever holds permissions (``Principal``)."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """Return what may be done."""
        ...


class ActsForSomebody(Protocol):
    """What a verb is given first (``Work``): it knows for whom it works."""

    @property
    def principal(self) -> Permitted:
        """Return for whom."""
        ...


def check(principal: Permitted, permission: Permission) -> None:
    """Raise Forbidden for a principal without a permission."""
    if permission not in principal.permissions:
        raise Forbidden(f"this credential lacks the permission {permission.value}", permission=permission.value)


def requires(
    permission: Permission,
) -> Callable[[Callable[Concatenate[W, P], R]], Callable[Concatenate[W, P], R]]:
    """Let a verb run only for a principal that holds the permission; raise Forbidden otherwise."""

    def decorate(verb: Callable[Concatenate[W, P], R]) -> Callable[Concatenate[W, P], R]:
        @functools.wraps(verb)
        def guarded(work: W, /, *args: P.args, **kwargs: P.kwargs) -> R:
            check(work.principal, permission)
            return verb(work, *args, **kwargs)

        setattr(guarded, PERMISSION_ATTRIBUTE, permission)
        return guarded

    return decorate


def permission_of(verb: Callable[..., Any]) -> Permission | None:
    """Return the permission a verb declares, or None when it declares none."""
    return getattr(verb, PERMISSION_ATTRIBUTE, None)
