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
    """A permission group of an account's catalogue.

    ``is_selectable`` says whether the asking token may give it; None where the answer does not say so, and the create
    of a token tells.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    is_selectable: bool | None


@dataclass(frozen=True)
class Policy:
    """What a token may do, or may not: the ids of permission groups, and on what, as Cloudflare writes it."""

    is_allowed: bool
    groups: frozenset[str]
    resources: Mapping[str, object]


class Profile(StrEnum):
    """A set of permissions to choose."""

    DOCUMENTED = "documented"
    DNS_ONLY = "dns-only"
    BULK_REDIRECTS = "bulk-redirects"


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
# Lists of redirects are the account's, and so are the rules that look into them.
READS_LISTS = _account("Account Rule Lists Read")
_BULK = (
    _account("Mass URL Redirects Read"),
    _account("Mass URL Redirects Write"),
    READS_LISTS,
    _account("Account Rule Lists Write"),
)
PROFILES: Mapping[Profile, Sequence[Wanted]] = {
    Profile.DOCUMENTED: (*_DOCUMENTED, *_OWN, *_CACHE),
    Profile.DNS_ONLY: (*_DNS, *_OWN),
    Profile.BULK_REDIRECTS: (*_DOCUMENTED, *_OWN, *_CACHE, *_BULK),
}


# With this a token can tell what it may: it is given where the bootstrap token may give it, and nothing fails without.
# A token of a user would need another one, of the user.
READS_ITSELF = _account("Account API Tokens Read")


@dataclass(frozen=True)
class Resolved:
    """The ids of the groups by scope, and the names of what may not be given or does not exist."""

    account: tuple[str, ...]
    zone: tuple[str, ...]
    missing: tuple[str, ...]


def needs_of(profile: str | None) -> Sequence[Wanted]:
    """Return what a profile needs; nothing is known of what a token made without one, or with a former one, needs."""
    return next((needs for one, needs in PROFILES.items() if one.value == profile), ())


def resolve(catalogue: Iterable[Group], wanted: Sequence[Wanted], *, optional: Sequence[Wanted] = ()) -> Resolved:
    """Return the groups of a profile out of a catalogue, and optional ones where they surely may be given."""
    known = _known(catalogue)
    found = {one: known.get((one.group, one.scope)) for one in (*wanted, *optional)}
    given = {
        one: group.id
        for one, group in found.items()
        if group is not None and (group.is_selectable or (group.is_selectable is None and one in wanted))
    }
    return Resolved(
        account=tuple(ident for one, ident in given.items() if one.scope == ACCOUNT),
        zone=tuple(ident for one, ident in given.items() if one.scope == ZONE),
        missing=tuple(one.name for one in wanted if one not in given),
    )


def lacking(
    account_id: str, catalogue: Iterable[Group], wanted: Sequence[Wanted], held: Sequence[Policy]
) -> tuple[str, ...]:
    """Return the names of what a token needs and may not do in all of its account, whatever the order of its policies.

    What the catalogue does not have under its name and scope is not known, and not said to be lacking.
    """
    known = _known(catalogue)
    return tuple(
        one.name
        for one in wanted
        if (group := known.get((one.group, one.scope))) is not None
        and not _is_held(group.id, one.scope, account_id, held)
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


def _known(catalogue: Iterable[Group]) -> dict[tuple[str, str], Group]:
    return {(group.name, scope): group for group in catalogue for scope in group.scopes}


def _is_held(group_id: str, scope: str, account_id: str, held: Sequence[Policy]) -> bool:
    """Tell whether a group is allowed on the whole account, and denied nowhere."""
    about = [one for one in held if group_id in one.groups]
    is_allowed = any(one.is_allowed and _is_all(one.resources, scope, account_id) for one in about)
    return is_allowed and all(one.is_allowed for one in about)


def _is_all(resources: Mapping[str, object], scope: str, account_id: str) -> bool:
    """Tell whether resources are all there are of a scope in an account; zones stand in it, or by themselves."""
    accounts = [resources.get(name) for name in (f"{ACCOUNT}.{account_id}", f"{ACCOUNT}.*")]
    if scope == ACCOUNT:
        return "*" in accounts
    zones = [one.get(f"{ZONE}.*") for one in (*accounts, resources) if isinstance(one, Mapping)]
    return "*" in zones
