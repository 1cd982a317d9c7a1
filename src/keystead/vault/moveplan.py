"""What a move would do to each domain of a list, out of what providers and DNS say now; pure.

The plan is what a person approves by its digest: which zones are made, which domains are pointed elsewhere, which are
as wanted already, and which cannot be moved, each with the reason.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

import orjson

from keystead.kit.errors import Invalid
from keystead.providers import registrable
from keystead.providers.cloudflare_answers import RemoteZone
from keystead.providers.registrar import RegisteredDomain
from keystead.vault.moverecords import Record, checked

DOMAINS_MAX = 5000
_ACTIVE = "active"
# A zone in one of these states is Cloudflare's to wait for, or to be pointed at.
_USABLE = frozenset({"active", "pending", "initializing"})


@dataclass(frozen=True)
class Wanted:
    """A line of the list. ``source`` names the zone that records are copied from; what is None is found out.

    ``is_by_hand`` takes a domain that no registrar here has: a person sets its name servers.
    """

    domain: str
    zone_credential_id: int | None = None
    registrar_credential_id: int | None = None
    source: str | None = None
    is_by_hand: bool = False


@dataclass(frozen=True)
class MoveOrder:
    """A list of domains to be moved, and records that every one of them gets."""

    domains: tuple[Wanted, ...]
    records: tuple[Record, ...] = ()

    def check(self) -> None:
        """Raise Invalid for a list that is none."""
        if not 1 <= len(self.domains) <= DOMAINS_MAX:
            problem = f"1 to {DOMAINS_MAX} domains"
            raise Invalid(f"domains: {problem}", fields={"domains": problem})
        checked(self.records)


class Fate(StrEnum):
    """What becomes of a domain: it is moved, it is as wanted already, or it cannot be moved."""

    CHANGE = "change"
    SAME = "same"
    REFUSED = "refused"


@dataclass(frozen=True)
class Sight:
    """What was seen for a plan: zones and registered domains by credential and name, and parents' delegations.

    ``registrars`` are the providers of the registrars' credentials that the list leaves a choice of; ``unusable`` says
    of a credential why nothing could be asked with it.
    """

    zones: Mapping[int, Mapping[str, RemoteZone]]
    registered: Mapping[int, Mapping[str, RegisteredDomain]]
    registrars: Mapping[int, str] = field(default_factory=dict)
    delegated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unusable: Mapping[int, str] = field(default_factory=dict)
    today: date | None = None


@dataclass(frozen=True)
class Foreseen:
    """What a move would do to one domain; ``note`` is the reason, or what a person should know.

    ``registrar`` is the provider at which its name servers are set; ``is_by_hand`` says that a person sets them.
    """

    fate: Fate
    domain: str
    zone_credential_id: int | None = None
    registrar_credential_id: int | None = None
    source: str | None = None
    registrar: str | None = None
    is_by_hand: bool = False
    makes_zone: bool = False
    name_servers: tuple[str, ...] = ()
    delegated: tuple[str, ...] = ()
    note: str | None = None


@dataclass(frozen=True)
class MovePlan:
    """An order with what it would do."""

    order: MoveOrder
    foreseen: tuple[Foreseen, ...]

    @property
    def counts(self) -> Mapping[Fate, int]:
        """Return how many domains share each fate."""
        counted = Counter(one.fate for one in self.foreseen)
        return {fate: counted[fate] for fate in Fate}

    @property
    def zones_made(self) -> int:
        """Return how many zones would be made."""
        return sum(one.makes_zone for one in self.foreseen)

    @property
    def by_hand(self) -> int:
        """Return how many domains would be moved whose name servers a person sets."""
        return sum(one.is_by_hand and one.fate is Fate.CHANGE for one in self.foreseen)

    @property
    def digest(self) -> str:
        """Return a short digest: what was reviewed is what runs. What DNS says at the moment is not in it."""
        rows = [
            {name: value for name, value in asdict(one).items() if name not in ("delegated", "note")}
            for one in self.foreseen
        ]
        data = [rows, [dict(record) for record in self.order.records]]
        return hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def plan(order: MoveOrder, sight: Sight) -> MovePlan:
    """Return what an order would do."""
    seen: set[str] = set()
    foreseen = []
    for wanted in order.domains:
        one = _foreseen(wanted, sight, has_records=bool(order.records))
        if one.fate is not Fate.REFUSED:
            if one.domain in seen:
                one = _refused(wanted, one.domain, "it is in the list twice")
            seen.add(one.domain)
        foreseen.append(one)
    return MovePlan(order, tuple(foreseen))


def names_of(order: MoveOrder, sight: Sight) -> list[str]:
    """Return the names of a list whose parents are worth asking, each once: those that may be moved."""
    ours = {name for known in sight.registered.values() for name in known}
    found = ((_name(wanted.domain)[0], wanted.is_by_hand) for wanted in order.domains)
    return list(dict.fromkeys(name for name, is_by_hand in found if name and (is_by_hand or name in ours)))


def _foreseen(wanted: Wanted, sight: Sight, *, has_records: bool) -> Foreseen:
    name, problem = _name(wanted.domain)
    if name is None:
        return _refused(wanted, wanted.domain.strip()[:253], problem)
    zone_credential, problem = _chosen(wanted.zone_credential_id, sight.zones, sight.unusable, name, "Cloudflare")
    if zone_credential is None:
        return _refused(wanted, name, problem)
    registrar, problem = _registrar(wanted, sight, name)
    if problem:
        return _refused(wanted, name, problem)
    if registrar is not None and _has_expired(sight.registered[registrar][name], sight.today):
        return _refused(wanted, name, "its registration has expired; renew it first")
    source, problem = _source(wanted, sight.zones[zone_credential])
    if problem:
        return _refused(wanted, name, problem)
    zone = sight.zones[zone_credential].get(name)
    if zone is not None and zone.status not in _USABLE:
        return _refused(wanted, name, f"its zone is {zone.status} at Cloudflare; delete that zone, or have it checked")
    delegated = sight.delegated.get(name, ())
    servers = () if zone is None else tuple(sorted(server.lower() for server in zone.name_servers))
    is_there = zone is not None and zone.status == _ACTIVE and bool(servers) and servers == tuple(sorted(delegated))
    is_same = is_there and not has_records and source is None
    return Foreseen(
        Fate.SAME if is_same else Fate.CHANGE,
        name,
        zone_credential,
        registrar,
        source,
        registrar=None if registrar is None else sight.registrars.get(registrar),
        is_by_hand=registrar is None,
        makes_zone=zone is None,
        name_servers=servers,
        delegated=tuple(sorted(delegated)),
        note=None if zone is None or zone.status == _ACTIVE else f"its zone is {zone.status}",
    )


def _name(text: str) -> tuple[str | None, str]:
    try:
        label, suffix = registrable.split(text)
    except Invalid as error:
        return None, error.message
    return f"{label}.{suffix}", ""


def _chosen(
    named: int | None,
    there: Mapping[int, Mapping[str, Any]],
    unusable: Mapping[int, str],
    name: str,
    provider: str,
) -> tuple[int | None, str]:
    """Return the credential that is named, that knows the name, or that is the only one there is."""
    if named is not None:
        problem = unusable.get(named, f"credential {named} is none of this account's at {provider}")
        return (named, "") if named in there else (None, problem)
    knowing = [credential for credential, known in there.items() if name in known]
    usable = knowing or list(there)
    if len(usable) == 1:
        return usable[0], ""
    if not usable:
        problem = next(iter(unusable.values()), f"no credential of {provider} is connected")
        return None, problem
    return None, f"several credentials of {provider} could do it; name one of {', '.join(map(str, sorted(usable)))}"


def _registrar(wanted: Wanted, sight: Sight, name: str) -> tuple[int | None, str]:
    """Return the credential of the registrar that has a domain, or why there is none; neither when it is by hand."""
    named = wanted.registrar_credential_id
    if named is not None and named not in sight.registered:
        return None, sight.unusable.get(named, f"credential {named} is none of this account's at a registrar")
    asked = list(sight.registered) if named is None else [named]
    holders = sorted(one for one in asked if name in sight.registered[one])
    if len(holders) == 1:
        return holders[0], ""
    if holders:
        told = " and ".join(_labelled(one, sight) for one in holders)
        return None, f"credentials {told} both have it; name the one whose registrar it is at"
    if named is None and wanted.is_by_hand:
        return None, ""
    return None, _held_by_none(asked, sight)


def _held_by_none(asked: Sequence[int], sight: Sight) -> str:
    """Return why no registrar serves a domain: not one of those that were asked has it."""
    silent = [sight.unusable[one] for one in sight.registrars if one in sight.unusable]
    if not asked:
        return silent[0] if silent else "no credential of a registrar is connected"
    told = f"credential {asked[0]}" if len(asked) == 1 else "any credential here"
    return "; ".join([f"it is not registered with {told}", *silent])


def _labelled(credential_id: int, sight: Sight) -> str:
    provider = sight.registrars.get(credential_id)
    return f"{credential_id} ({provider})" if provider else str(credential_id)


def _has_expired(domain: RegisteredDomain, today: date | None) -> bool:
    """Tell whether a registration has ended; by its day where the registrar's list does not say."""
    if domain.is_expired is not None or domain.expires_on is None or today is None:
        return bool(domain.is_expired)
    return domain.expires_on < today


def _source(wanted: Wanted, zones: Mapping[str, RemoteZone]) -> tuple[str | None, str]:
    if wanted.source is None:
        return None, ""
    try:
        name = registrable.ascii_name(wanted.source)
    except Invalid as error:
        return None, f"its source: {error.message}"
    return (name, "") if name in zones else (None, f"its source {name} is no zone of the same credential")


def _refused(wanted: Wanted, domain: str, reason: str) -> Foreseen:
    return Foreseen(
        Fate.REFUSED, domain, wanted.zone_credential_id, wanted.registrar_credential_id, wanted.source, note=reason
    )
