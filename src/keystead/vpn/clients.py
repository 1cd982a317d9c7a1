"""Which client families customers use, and which can connect now: noted at polls, asked for by key and as a whole.

Of a poll nothing is kept but the family of the program and the day: neither the User-Agent nor the address.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.vpn import clientrules, compatibility
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.compatibility import Judged, Server
from keystead.vpn.families import Family
from keystead.vpn.keyvalue import KeyIdent, VpnKey
from keystead.vpn.lookup import IsApplied, locate
from keystead.vpn.store import clients as store

# A family that polled within this time counts as used.
LATELY = timedelta(days=30)
# How often a family is noted as having polled for a key.
ONCE_IN = timedelta(days=1)
_KNOWN = {family.value: family for family in Family}


@dataclass(frozen=True)
class Requirements:
    """What decides in a scope now: the core's version as it says it, and how old clients may be.

    ``wanted`` is what the settings say; it is in force when it is ``versions``. ``server`` is None for a core that does
    not say its version.
    """

    core: str
    versions: ClientVersions
    wanted: ClientVersions

    @property
    def server(self) -> Server | None:
        """Return the same as what families are judged by."""
        return compatibility.server_of(self.core, self.versions)

    @property
    def judged(self) -> list[Judged]:
        """Return every family with how it fits; none where nothing can be said."""
        return [] if self.server is None else compatibility.judge_all(self.server)


@dataclass(frozen=True)
class KeyClients:
    """A key, what decides about it, and the families that polled its subscription with when last."""

    key: VpnKey
    requirements: Requirements
    last_used: dict[Family, datetime]


@dataclass(frozen=True)
class AccountClients:
    """What decides, and for how many of the keys a caller sees each family polled lately."""

    requirements: Requirements
    customers: dict[Family, int]


@requires(Permission.VPN_KEYS_READ)
def of_key(work: Work, *, ident: KeyIdent, is_applied: IsApplied, core: str, wanted: ClientVersions) -> KeyClients:
    """Return which families can connect with a key now."""
    key = locate(work.connection, work.principal, ident, is_applied)
    found = store.of_key(work.connection, key.number)
    last_used = {_KNOWN[name]: at for name, at in found.items() if name in _KNOWN}
    return KeyClients(key, requirements(work.connection, key.scope, core, wanted), last_used)


@requires(Permission.VPN_KEYS_READ)
def of_account(work: Work, *, scope: str, core: str, wanted: ClientVersions) -> AccountClients:
    """Return which families can connect now, and how many customers used each lately."""
    principal, since = work.principal, work.now - LATELY
    found = store.customers_of(work.connection, principal.account_id, principal.confined_to_token, since)
    return AccountClients(requirements(work.connection, scope, core, wanted), by_family(found))


def requirements(connection: Connection, scope: str, core: str, wanted: ClientVersions) -> Requirements:
    """Return what decides in a scope now."""
    return Requirements(core, clientrules.in_force(connection, scope) or wanted, wanted)


def customers(connection: Connection, scope: str, now: datetime) -> dict[Family, int]:
    """Return for how many keys of a scope each family polled lately."""
    return by_family(store.customers(connection, scope, now - LATELY))


def is_noted(connection: Connection, number: int, family: Family, now: datetime) -> bool:
    """Tell whether it is noted that a family polled a key's subscription within the last day."""
    noted = store.last_at(connection, number, family.value)
    return noted is not None and now - noted < ONCE_IN


def note(connection: Connection, number: int, family: Family, now: datetime) -> None:
    """Note that a family polled a key's subscription."""
    store.note(connection, number, family.value, now)


def by_family(found: dict[str, int]) -> dict[Family, int]:
    """Return counts by family; a name that this version does not know counts as another program."""
    counts: dict[Family, int] = {}
    for name, count in found.items():
        family = _KNOWN.get(name, Family.OTHER)
        counts[family] = counts.get(family, 0) + count
    return counts
