"""The verbs of the table of domains: list it, show one, write notes and tags, add domains by hand.

A domain is there because a zone or a registrar showed it, or because somebody wrote it down. What others say of it is
taken over elsewhere (``zones``, ``registrations``, ``delegations``); here it is only read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit import names
from keystead.kit.errors import Conflict, Invalid, NotFound
from keystead.vault.store import domaintable as store
from keystead.vault.store import findings as finding_store
from keystead.vault.store import registrations as registration_store
from keystead.vault.store.domaintable import Narrowed, Row, Window
from keystead.vault.store.findings import Finding
from keystead.vault.zones import ROLE_OF_NEW

NOTE_LENGTH_MAX = 500
TAGS_MAX = 20
TOGETHER_MAX = 10_000
_TAG = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_FINDINGS_MAX = 100


@dataclass(frozen=True)
class Entry:
    """A domain as a person writes it down; None leaves a note or tags as they are."""

    name: str
    note: str | None = None
    tags: Sequence[str] | None = None


@dataclass(frozen=True)
class Written:
    """How many domains were added, changed, and as they were told already."""

    added: int
    changed: int
    same: int


@dataclass(frozen=True)
class Shown:
    """A domain with what is not as it should be with it."""

    row: Row
    findings: list[Finding]


@requires(Permission.VAULT_READ)
def list_(work: Work, wanted: Narrowed, window: Window) -> list[Row]:
    """Return a page of the account's domains."""
    return store.rows(work.connection, work.principal.account_id, wanted, window)


@requires(Permission.ACCOUNTS_MANAGE)
def list_all(work: Work, wanted: Narrowed, window: Window) -> list[Row]:
    """Return a page of the domains of all accounts, to whom accounts may be shown at all."""
    return store.rows(work.connection, None, wanted, window)


@requires(Permission.VAULT_READ)
def find(work: Work, domain_id: int) -> Shown:
    """Return a domain with its findings; raise NotFound."""
    row = _found(work, domain_id)
    return Shown(row, finding_store.of_domain(work.connection, row.account_id, domain_id, limit=_FINDINGS_MAX))


@requires(Permission.VAULT_CHANGE)
def write(work: Work, domain_id: int, *, note: str | None = None, tags: Sequence[str] | None = None) -> Shown:
    """Write a note and tags beside a domain; None leaves one as it is, an empty one takes it away."""
    before = _found(work, domain_id)
    after = _values(before.note, before.tags, Entry(before.name, note, tags), row="")
    if after != (before.note, before.tags):
        _write(work, {domain_id: after})
        work.audit("vault.domain.write", f"domain {domain_id}", note=after[0], tags=after[1])
    return find(work, domain_id)


@requires(Permission.VAULT_CHANGE)
def put(work: Work, entries: Sequence[Entry]) -> Written:
    """Write many domains down at once, or none: those that are not there are added. Raise Invalid naming bad rows."""
    checked = _checked(entries)
    account_id = work.principal.account_id
    known = registration_store.domain_ids(work.connection, account_id, list(checked))
    added = [name for name in checked if name not in known]
    add(work, added)
    ids = known | registration_store.domain_ids(work.connection, account_id, added)
    before = store.written(work.connection, account_id, list(ids.values()))
    after = {ids[name]: _values(*before[ids[name]], entry, row=name) for name, entry in checked.items()}
    changed = {domain_id: values for domain_id, values in after.items() if values != before[domain_id]}
    _write(work, changed)
    fresh = {ids[name] for name in added}
    done = Written(len(added), len(changed.keys() - fresh), len(checked) - len(changed.keys() | fresh))
    work.audit("vault.domains.put", "domains", added=done.added, changed=done.changed, same=done.same)
    return done


@requires(Permission.VAULT_CHANGE)
def remove(work: Work, domain_id: int) -> None:
    """Delete a domain that nobody shows any more; raise Conflict for one that a zone or a registrar has."""
    row = _found(work, domain_id)
    if row.zone_id is not None or row.registrar is not None:
        holder = row.registrar or row.zone_provider
        raise Conflict(f"{row.name} is at {holder}; it would be back with the next look")
    store.remove(work.connection, row.account_id, domain_id)
    work.audit("vault.domain.remove", f"domain {domain_id}", name=row.name)


def add(work: Work, added: Sequence[str]) -> None:
    """Insert domains that are not there: a part of verbs that have seen them, or were told of them."""
    given = {"account_id": work.principal.account_id, "role": ROLE_OF_NEW, "is_blocked": False, "created_at": work.now}
    registration_store.insert_domains(work.connection, [{**given, "name": name} for name in added])


def _found(work: Work, domain_id: int) -> Row:
    row = store.find(work.connection, work.principal.account_id, domain_id)
    if row is None:
        raise NotFound("domain", domain_id)
    return row


def _write(work: Work, after: "dict[int, tuple[str | None, list[str] | None]]") -> None:
    rows = [{"domain": domain_id, "new_note": note, "new_tags": tags} for domain_id, (note, tags) in after.items()]
    store.write(work.connection, work.principal.account_id, rows)


def _checked(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Return entries by the names that DNS has for them; of several for one domain the last one counts."""
    if len(entries) > TOGETHER_MAX:
        raise Invalid(f"at most {TOGETHER_MAX} domains at once", fields={"items": f"at most {TOGETHER_MAX}"})
    checked = {}
    for number, entry in enumerate(entries, start=1):
        try:
            name = names.hostname(entry.name)
        except Invalid as error:
            raise Invalid(f"row {number}: {error.message}", fields={"items": f"row {number}"}) from error
        if "." not in name:
            raise Invalid(f"row {number}: {entry.name!r} is no domain", fields={"items": f"row {number}"})
        checked[name] = entry
    return checked


def _values(note: str | None, tags: list[str] | None, entry: Entry, *, row: str) -> tuple[str | None, list[str] | None]:
    """Return note and tags as they are to be, from those that are and those that somebody writes."""
    where = f"{row}: " if row else ""
    if entry.note is not None:
        note = entry.note.strip() or None
        if note is not None and (len(note) > NOTE_LENGTH_MAX or not note.replace("\n", " ").isprintable()):
            problem = f"{where}a note has at most {NOTE_LENGTH_MAX} printable characters"
            raise Invalid(problem, fields={"note": problem})
    if entry.tags is not None:
        tags = sorted({tag.strip().lower() for tag in entry.tags if tag.strip()}) or None
        if tags is not None and (len(tags) > TAGS_MAX or not all(_TAG.fullmatch(tag) for tag in tags)):
            problem = f"{where}at most {TAGS_MAX} tags, each of 1 to 32 letters, digits and . _ -"
            raise Invalid(problem, fields={"tags": problem})
    return note, tags
