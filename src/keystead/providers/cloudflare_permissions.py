"""Which permissions a working token gets at Cloudflare: by the names the integrations document uses, and the real ones.

A permission group is known by name and scope together: names repeat over scopes (terraform-provider-cloudflare#1650).
The document's "Rules Read" and "Rules Write" are Cloudflare's "Dynamic URL Redirects Read" and "… Write" (the dashboard
says "Single Redirect"); what it lists under scope Account is mostly of scope zone. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

ACCOUNT, ZONE = "com.cloudflare.api.account", "com.cloudflare.api.account.zone"


@dataclass(frozen=True)
class Wanted:
    """A permission that a working token needs: the name it is called by here, and Cloudflare's own name and scope."""

    name: str
    group: str
    scope: str


@dataclass(frozen=True)
class Group:
    """A permission group of an account's catalogue; ``is_selectable`` says whether the asking token may give it."""

    id: str
    name: str
    scopes: tuple[str, ...]
    is_selectable: bool


class Profile(StrEnum):
    """A set of permissions to choose."""

    DOCUMENTED = "documented"
    DNS_ONLY = "dns-only"


def _zone(name: str, group: str | None = None) -> Wanted:
    return Wanted(name, group or name, ZONE)


def _account(name: str) -> Wanted:
    return Wanted(name, name, ACCOUNT)


_DNS = (
    _zone("Zone Read"),
    _zone("Zone Settings Read"),
    _zone("Zone Settings Write"),
    _zone("DNS Read"),
    _zone("DNS Write"),
)
# What its own flows need beside the thirteen: making zones, and the account's name; and emptying caches.
_OWN = (_zone("Zone Write"), _account("Account Settings Read"))
_CACHE = (_zone("Cache Purge"),)
_DOCUMENTED = (
    *_DNS,
    _account("Workers Scripts Read"),
    _account("Workers Scripts Write"),
    _account("Workers KV Storage Read"),
    _account("Workers KV Storage Write"),
    _zone("Workers Routes Read"),
    _zone("Workers Routes Write"),
    _zone("Rules Read", "Dynamic URL Redirects Read"),
    _zone("Rules Write", "Dynamic URL Redirects Write"),
)
PROFILES: Mapping[Profile, Sequence[Wanted]] = {
    Profile.DOCUMENTED: (*_DOCUMENTED, *_OWN, *_CACHE),
    Profile.DNS_ONLY: (*_DNS, *_OWN),
}


@dataclass(frozen=True)
class Resolved:
    """The ids of the groups by scope, and the names of what may not be given or does not exist."""

    account: tuple[str, ...]
    zone: tuple[str, ...]
    missing: tuple[str, ...]


def resolve(catalogue: Iterable[Group], wanted: Sequence[Wanted]) -> Resolved:
    """Return the groups of a profile out of an account's catalogue."""
    known = {(group.name, scope): group for group in catalogue for scope in group.scopes}
    found = {one: known.get((one.group, one.scope)) for one in wanted}
    given = {one: group.id for one, group in found.items() if group is not None and group.is_selectable}
    return Resolved(
        account=tuple(ident for one, ident in given.items() if one.scope == ACCOUNT),
        zone=tuple(ident for one, ident in given.items() if one.scope == ZONE),
        missing=tuple(one.name for one in wanted if one not in given),
    )


def policies(account_id: str, resolved: Resolved) -> list[dict[str, object]]:
    """Return a token's policies: the account itself, and all zones of the account, which have to be nested in it."""
    resource = f"{ACCOUNT}.{account_id}"
    resources: list[tuple[tuple[str, ...], dict[str, object]]] = [
        (resolved.account, {resource: "*"}),
        (resolved.zone, {resource: {f"{ZONE}.*": "*"}}),
    ]
    return [
        {"effect": "allow", "permission_groups": [{"id": ident} for ident in ids], "resources": where}
        for ids, where in resources
        if ids
    ]
