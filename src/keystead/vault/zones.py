"""The verbs of zones and domains: what an account has at a DNS provider, as it was last seen with a credential."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.page import Page
from keystead.vault import credentials
from keystead.vault.errors import ZoneElsewhere, ZoneNotFound
from keystead.vault.store import delegations as delegation_store
from keystead.vault.store import registrations as registration_store
from keystead.vault.store import zones as store
from keystead.vault.store.zones import Domain, PendingZone, Zone

ROLE_OF_NEW = "reserve"
PENDING = "pending"
# Cloudflare gives up on a zone that stays pending for 28 days; most name servers are changed within the hour.
_CHECK_DELAYS = ((8, timedelta(minutes=15)), (30, timedelta(hours=1)))
_CHECK_DELAY_LAST = timedelta(hours=6)


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
def record_one(work: Work, credential_id: int, seen: SeenZone, verb: str) -> Zone:
    """Take over one zone that a provider showed, put on record by what it was shown for; raise ZoneElsewhere."""
    credentials.find(work, credential_id)
    if not _put(work, credential_id, seen):
        raise ZoneElsewhere(f"another account has the zone {seen.name}")
    owner = store.owner(work.connection, seen.remote_id)
    assert owner is not None  # noqa: S101 - it was put a line ago
    work.audit(verb, subject(seen.name), status=seen.status, credential=credential_id)
    return find(work, owner.id)


@requires(Permission.VAULT_USE)
def forget(work: Work, zone_id: int, *, was_there: bool) -> None:
    """Delete a zone that was deleted at its provider; its domain stays without it."""
    zone = find(work, zone_id)
    store.remove(work.connection, zone_id)
    work.audit("vault.zone.remove", subject(zone.name), remote_id=zone.remote_id, was_there=was_there)


@requires(Permission.VAULT_USE)
def note_gone(work: Work, zone_id: int) -> None:
    """Put on record that a zone is no longer at its provider; it stays to be seen."""
    zone = find(work, zone_id)
    if zone.missing_since is None:
        store.note_missing_one(work.connection, zone_id, work.now)
        work.audit("vault.zone.missing", subject(zone.name), remote_id=zone.remote_id)


@requires(Permission.VAULT_USE)
def claim_pending(work: Work, limit: int) -> list[PendingZone]:
    """Take pending zones of all accounts that are due; each is due again after a while, whatever becomes of it."""
    due = store.due(work.connection, limit, work.now)
    for zone in due:
        store.check_later(work.connection, zone, work.now + check_delay(zone.checks))
    return due


def check_delay(checks: int) -> timedelta:
    """Return how long a pending zone waits after so many looks: 15 minutes for 2 hours, then longer."""
    return next((wait for until, wait in _CHECK_DELAYS if checks < until), _CHECK_DELAY_LAST)


def subject(name: str) -> str:
    """Return how audit records name a zone."""
    return f"zone {name}"


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


@requires(Permission.VAULT_USE)
def catch_up_name_servers(work: Work, credential_id: int, domain: str, servers: Sequence[str]) -> None:
    """Note where a change whose note was cut off has pointed a domain, unless that is known.

    A domain whose registration nobody has seen yet is known by the next look at its registrar.
    """
    ids = registration_store.domain_ids(work.connection, work.principal.account_id, [domain.lower()])
    held = registration_store.held(work.connection, list(ids.values())).values()
    wanted = sorted(name.lower() for name in servers)
    known = [sorted(map(str.lower, one.name_servers or ())) for one in held if one.credential_id == credential_id]
    if any(names != wanted for names in known):
        note_name_servers(work, credential_id, domain, servers)


@requires(Permission.VAULT_READ)
def count(work: Work, credential_id: int) -> int:
    """Count the zones that a credential has shown."""
    return store.count(work.connection, credential_id)


@requires(Permission.VAULT_READ)
def find(work: Work, zone_id: int) -> Zone:
    """Return a zone; raise ZoneNotFound."""
    found = store.find(work.connection, work.principal.account_id, zone_id)
    if found is None:
        raise ZoneNotFound(zone_id)
    return found


@requires(Permission.VAULT_READ)
def list_(work: Work) -> list[Zone]:
    """Return the account's zones by name."""
    return store.list_(work.connection, work.principal.account_id)


@requires(Permission.VAULT_READ)
def page(work: Work, wanted: Page, name: str | None = None) -> list[Zone]:
    """Return a page of the account's zones by id; only those of a name, when one is given."""
    return store.page(work.connection, work.principal.account_id, wanted, name)


@requires(Permission.VAULT_READ)
def list_domains(work: Work) -> list[Domain]:
    """Return the account's domains."""
    return store.domains(work.connection, work.principal.account_id)


def _put(work: Work, credential_id: int, zone: SeenZone) -> bool:
    """Insert or update a zone and its root domain; return False, with nothing done, when another account has it."""
    account_id = work.principal.account_id
    owner = store.owner(work.connection, zone.remote_id)
    if owner is not None and owner.account_id != account_id:
        return False
    is_waiting = zone.status == PENDING
    known = None if owner is None else owner.check_at
    values = {
        "account_id": account_id,
        "credential_id": credential_id,
        "remote_id": zone.remote_id,
        "name": zone.name,
        "status": zone.status,
        "plan": zone.plan,
        "name_servers": list(zone.name_servers),
        "synced_at": work.now,
        "check_at": (known or work.now + check_delay(0)) if is_waiting else None,
        "checks": owner.checks if owner is not None and is_waiting else 0,
    }
    if owner is None:
        zone_id = store.insert_zone(work.connection, values)
    else:
        zone_id = owner.id
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
