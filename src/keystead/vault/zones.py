"""The verbs of zones and domains: what an account has at a DNS provider, as it was last seen with a credential."""

from collections.abc import Sequence
from dataclasses import dataclass

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.vault import credentials
from keystead.vault.store import delegations as delegation_store
from keystead.vault.store import registrations as registration_store
from keystead.vault.store import zones as store
from keystead.vault.store.zones import Domain, Zone

ROLE_OF_NEW = "reserve"


@dataclass(frozen=True)
class SeenZone:
    """A zone as a provider showed it."""

    remote_id: str
    name: str
    status: str
    plan: str
    name_servers: tuple[str, ...]
    is_phishing: bool = False


@dataclass(frozen=True)
class Synced:
    """How many zones and domains were taken over, and the names of those that another account has."""

    zones: int
    domains: int
    foreign: tuple[str, ...] = ()


@requires(Permission.VAULT_USE)
def record(work: Work, credential_id: int, seen: Sequence[SeenZone]) -> Synced:
    """Take over all zones that a provider showed; one that was there before and is not any more is noted missing.

    A zone that another account has stays that account's.
    """
    credentials.find(work, credential_id)
    began = work.now
    foreign = [zone.name for zone in seen if not _put(work, credential_id, zone)]
    missing = store.note_missing(work.connection, credential_id, began)
    kept = len(seen) - len(foreign)
    facts = {"zones": kept, "foreign": len(foreign), "missing": missing}
    work.audit("vault.zones.sync", credentials.subject(credential_id), **facts)
    return Synced(kept, kept, tuple(foreign))


@requires(Permission.VAULT_USE)
def note_name_servers(work: Work, credential_id: int, domain: str, servers: Sequence[str]) -> None:
    """Put on record that a domain was pointed at name servers at its registrar, and have DNS asked about it."""
    subject = credentials.subject(credential_id)
    work.audit("vault.domain.name_servers", subject, domain=domain, name_servers=list(servers))
    known = registration_store.domain_ids(work.connection, work.principal.account_id, [domain.lower()])
    registration_store.set_name_servers(
        work.connection, credential_id, {domain_id: list(servers) for domain_id in known.values()}, work.now
    )
    delegation_store.make_due(work.connection, list(known.values()))


@requires(Permission.VAULT_READ)
def count(work: Work, credential_id: int) -> int:
    """Count the zones that a credential has shown."""
    return store.count(work.connection, credential_id)


@requires(Permission.VAULT_READ)
def list_(work: Work) -> list[Zone]:
    """Return the account's zones by name."""
    return store.list_(work.connection, work.principal.account_id)


@requires(Permission.VAULT_READ)
def list_domains(work: Work) -> list[Domain]:
    """Return the account's domains."""
    return store.domains(work.connection, work.principal.account_id)


def _put(work: Work, credential_id: int, zone: SeenZone) -> bool:
    """Insert or update a zone and its root domain; return False, with nothing done, when another account has it."""
    account_id = work.principal.account_id
    owner = store.owner(work.connection, zone.remote_id)
    if owner is not None and owner[1] != account_id:
        return False
    values = {
        "account_id": account_id,
        "credential_id": credential_id,
        "remote_id": zone.remote_id,
        "name": zone.name,
        "status": zone.status,
        "plan": zone.plan,
        "name_servers": list(zone.name_servers),
        "synced_at": work.now,
    }
    if owner is None:
        zone_id = store.insert_zone(work.connection, values)
    else:
        zone_id = owner[0]
        store.update_zone(work.connection, zone_id, values)
    domain = {
        "account_id": account_id,
        "zone_id": zone_id,
        "credential_id": credential_id,
        "name": zone.name,
        "role": ROLE_OF_NEW,
        "is_blocked": zone.is_phishing,
        "created_at": work.now,
    }
    store.put_domain(work.connection, domain)
    return True
