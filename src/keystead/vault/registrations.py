"""The verbs of registrations: what a registrar lists of an account's domains is taken over, name servers afterwards.

A domain that two registrars list, as after a transfer, is with the one that has it longest: the later end counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.vault import credentials, domains
from keystead.vault.store import registrations as store
from keystead.vault.store.registrations import Held


@dataclass(frozen=True)
class SeenRegistration:
    """A domain as a registrar listed it; None stands for what its list does not tell."""

    name: str
    expires_on: date | None
    renews_itself: bool | None = None
    is_locked: bool | None = None
    has_own_dns: bool | None = None
    name_servers: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Taken:
    """How many domains were taken over, and how many are listed no more."""

    domains: int
    missing: int


@requires(Permission.VAULT_USE)
def record(
    work: Work, credential_id: int, seen: Sequence[SeenRegistration], *, began: datetime, is_last: bool = True
) -> Taken:
    """Take over a page of the domains that a registrar listed.

    With the last page, what no page had since the look began is listed no more and noted missing.
    """
    credentials.find(work, credential_id)
    at = work.now
    by_name = {one.name: one for one in seen}
    ids = _ids(work, list(by_name))
    held = store.held(work.connection, list(ids.values()))
    taken = {ids[name]: one for name, one in by_name.items() if is_to_be_taken(credential_id, held.get(ids[name]), one)}
    rows = [
        {
            "domain_id": domain_id,
            "credential_id": credential_id,
            "expires_on": one.expires_on,
            "renews_itself": one.renews_itself,
            "is_locked": one.is_locked,
            "has_own_dns": one.has_own_dns,
            "missing_since": None,
            "synced_at": at,
            **_name_servers(credential_id, held.get(domain_id), one, at),
        }
        for domain_id, one in taken.items()
    ]
    store.replace(work.connection, rows)
    missing = store.note_missing(work.connection, credential_id, began=began, at=at) if is_last else 0
    work.audit("vault.registrations.sync", credentials.subject(credential_id), domains=len(rows), missing=missing)
    return Taken(len(rows), missing)


@requires(Permission.VAULT_USE)
def unasked(work: Work, credential_id: int, *, before: datetime, limit: int) -> list[tuple[int, str]]:
    """Return id and name of domains whose name servers the registrar was asked for last before a moment, or never."""
    credentials.find(work, credential_id)
    return store.unasked(work.connection, credential_id, before=before, limit=limit)


@requires(Permission.VAULT_USE)
def record_name_servers(work: Work, credential_id: int, answers: Mapping[int, Sequence[str] | None]) -> None:
    """Take over the name servers that a registrar has for domains; None where it did not tell them.

    It is a look at the world, a few domains at a time, of which the audit trail keeps nothing; the errand is in it.
    """
    credentials.find(work, credential_id)
    store.set_name_servers(work.connection, credential_id, answers, work.now)


def is_to_be_taken(credential_id: int, held: Held | None, one: SeenRegistration) -> bool:
    """Tell whether what a credential shows of a domain counts, beside what is known of it."""
    if held is None or held.credential_id == credential_id or held.missing_since is not None:
        return True
    return one.expires_on is not None and (held.expires_on is None or one.expires_on > held.expires_on)


def _name_servers(credential_id: int, held: Held | None, one: SeenRegistration, now: datetime) -> dict[str, object]:
    """Return the name servers to be kept: those that were listed, or those that are known from the same registrar."""
    if one.name_servers is not None:
        return {"name_servers": list(one.name_servers), "name_servers_at": now}
    if held is not None and held.credential_id == credential_id:
        return {"name_servers": held.name_servers, "name_servers_at": held.name_servers_at}
    return {"name_servers": None, "name_servers_at": None}


def _ids(work: Work, names: list[str]) -> dict[str, int]:
    """Return the ids of domains by name; those that are not there are added."""
    account_id = work.principal.account_id
    known = store.domain_ids(work.connection, account_id, names)
    added = [name for name in names if name not in known]
    domains.add(work, added)
    return known | store.domain_ids(work.connection, account_id, added)
