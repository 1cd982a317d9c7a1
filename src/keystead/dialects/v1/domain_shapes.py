"""The native API's shapes of domains and findings, and the ways between them and the core."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import orjson
from pydantic import AwareDatetime, Field

from keystead.dialects.v1.bases import Answer, Body
from keystead.kit import cells
from keystead.kit.errors import Invalid
from keystead.vault.domains import NOTE_LENGTH_MAX, TAGS_MAX, TOGETHER_MAX, Entry, Shown
from keystead.vault.domains import Written as WrittenCounts
from keystead.vault.store.domaintable import Mark, Row, Sort, mark_of
from keystead.vault.store.findings import Finding as StoredFinding

# The columns of the table as a file; those that are read back come under the same names.
COLUMNS = (
    "account_id",
    "name",
    "registrar",
    "expires_on",
    "renews_itself",
    "is_locked",
    "registrar_name_servers",
    "zone_provider",
    "zone_status",
    "zone_name_servers",
    "redirects",
    "foreign_redirects",
    "bulk_redirects",
    "dns_name_servers",
    "dns_problem",
    "dns_at",
    "findings",
    "note",
    "tags",
)


class Registration(Answer):
    """What the registrar says."""

    provider: str
    credential_id: int
    expires_on: date | None
    renews_itself: bool
    is_locked: bool
    has_own_dns: bool
    name_servers: list[str] | None = Field(description="null: not asked for yet")
    name_servers_at: AwareDatetime | None
    missing_since: AwareDatetime | None = Field(description="Since when the registrar lists the domain no more")
    synced_at: AwareDatetime


class ZoneSeen(Answer):
    """What the provider of the zone says."""

    id: int
    provider: str
    credential_id: int
    status: str = Field(examples=["active"])
    plan: str
    name_servers: list[str]
    missing_since: AwareDatetime | None
    synced_at: AwareDatetime


class RedirectsSeen(Answer):
    """What the zone redirects, as it was last looked into."""

    ours: list[str] = Field(
        description="Those made here: source → target, status",
        examples=[["www.example.com/* → https://example.com, 301"]],
    )
    foreign: int = Field(description="How many others the zone has")


class DnsSeen(Answer):
    """What DNS says."""

    name_servers: list[str]
    problem: str | None
    at: AwareDatetime


class Domain(Answer):
    """A domain, and what registrar, zone and DNS say of it; null where nobody does."""

    id: int
    account_id: int
    name: str
    registration: Registration | None
    zone: ZoneSeen | None
    redirects: RedirectsSeen | None = Field(description="null: not looked at yet, or not to be read with this key")
    bulk_redirects: list[str] | None = Field(
        description="Those of the account at the provider that are about the zone and were made here; null: not known",
        examples=[["example.com/old → https://example.com/new, 301"]],
    )
    dns: DnsSeen | None
    findings: list[str] = Field(description="The kinds of what is not as it should be", examples=[["dns-unresolved"]])
    is_blocked: bool
    note: str | None
    tags: list[str]


class DomainList(Answer):
    """A page of domains."""

    items: list[Domain]
    next: str | None


class Finding(Answer):
    """Something that is not as it should be."""

    id: int
    kind: str = Field(examples=["registrar-name-servers"])
    domain_id: int | None
    domain: str | None
    credential_id: int | None
    credential: str | None
    provider: str | None = Field(description="The credential's")
    expected: list[str]
    seen: list[str]
    since: AwareDatetime


class FindingList(Answer):
    """A page of findings, oldest first."""

    items: list[Finding]
    next: int | None


class DomainShown(Domain):
    """A domain with its findings in full."""

    drift: list[Finding]


class DomainEntry(Body):
    """A domain as it is written down; fields left out stay as they are."""

    name: str = Field(min_length=1, max_length=300, examples=["example.com"])
    note: str | None = Field(None, max_length=NOTE_LENGTH_MAX)
    tags: list[str] | None = Field(None, max_length=TAGS_MAX)


class DomainPut(Body):
    """Domains to be written down, all or none."""

    items: list[DomainEntry] = Field(min_length=1, max_length=TOGETHER_MAX)


class DomainChange(Body):
    """What to write beside a domain; an empty note, or no tags, takes it away."""

    note: str | None = Field(None, max_length=NOTE_LENGTH_MAX)
    tags: list[str] | None = Field(None, max_length=TAGS_MAX)


class Written(Answer):
    """How many domains were added, changed, and known so already."""

    added: int
    changed: int
    same: int


class LookWanted(Body):
    """What to look at; no credential named: all of them."""

    credential_id: int | None = Field(None, ge=1)


class LookBegun(Answer):
    """The credentials that are being looked at, and DNS with them."""

    credentials: list[int]


def entries(wanted: DomainPut) -> list[Entry]:
    """Return what a body says."""
    return [Entry(one.name, one.note, one.tags) for one in wanted.items]


def domain(row: Row) -> dict[str, Any]:
    """Present a domain."""
    return {
        "id": row.id,
        "account_id": row.account_id,
        "name": row.name,
        "registration": _registration(row),
        "zone": _zone(row),
        "redirects": None if row.redirects is None else {"ours": row.redirects, "foreign": row.foreign_redirects or 0},
        "bulk_redirects": row.bulk_redirects,
        "dns": None
        if row.dns_at is None
        else {"name_servers": row.dns_name_servers or [], "problem": row.dns_problem, "at": row.dns_at},
        "findings": list(row.findings),
        "is_blocked": row.is_blocked,
        "note": row.note,
        "tags": row.tags or [],
    }


def domains(rows: Sequence[Row], sort: Sort, limit: int) -> dict[str, Any]:
    """Present a page, and where the next one begins."""
    following = written_mark(mark_of(rows[-1], sort), sort) if len(rows) == limit else None
    return {"items": [domain(row) for row in rows], "next": following}


def shown(value: Shown) -> dict[str, Any]:
    """Present a domain with its findings."""
    return {**domain(value.row), "drift": [finding(one) for one in value.findings]}


def finding(value: StoredFinding) -> dict[str, Any]:
    """Present a finding."""
    told = asdict(value)
    del told["account_id"]
    return told


def written(value: WrittenCounts) -> dict[str, Any]:
    """Present what was written."""
    return asdict(value)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield rows as lines of comma-separated values."""
    for row in rows:
        yield cells.line(_cell(_value(row, name)) for name in COLUMNS)


def written_mark(mark: Mark, sort: Sort) -> str:
    """Return the end of a page as callers hand it back."""
    text = orjson.dumps([sort.value, mark.value, mark.id])
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def read_mark(text: str, sort: Sort) -> Mark:
    """Return the end of a page that a caller hands back; raise Invalid for one of another order, or of nobody's."""
    try:
        of, value, number = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if of != sort.value or not isinstance(value, str) or not isinstance(number, int):
            raise ValueError
        if sort is Sort.EXPIRES:
            date.fromisoformat(value)
    except (ValueError, TypeError, binascii.Error, orjson.JSONDecodeError):
        problem = "this is not the next of a page in this order"
        raise Invalid(problem, fields={"after": problem}) from None
    return Mark(value, number)


def _registration(row: Row) -> dict[str, Any] | None:
    if row.registrar is None:
        return None
    return {
        "provider": row.registrar,
        "credential_id": row.registrar_credential_id,
        "expires_on": row.expires_on,
        "renews_itself": row.renews_itself,
        "is_locked": row.is_locked,
        "has_own_dns": row.has_own_dns,
        "name_servers": row.registrar_name_servers,
        "name_servers_at": row.registrar_name_servers_at,
        "missing_since": row.registration_missing_since,
        "synced_at": row.registration_synced_at,
    }


def _zone(row: Row) -> dict[str, Any] | None:
    if row.zone_id is None:
        return None
    return {
        "id": row.zone_id,
        "provider": row.zone_provider,
        "credential_id": row.zone_credential_id,
        "status": row.zone_status,
        "plan": row.zone_plan,
        "name_servers": row.zone_name_servers,
        "missing_since": row.zone_missing_since,
        "synced_at": row.zone_synced_at,
    }


def _value(row: Row, name: str) -> object:
    """Return what stands in a column; redirects have spaces in them, and are set apart otherwise."""
    value = getattr(row, name)
    return "; ".join(value) if name in {"redirects", "bulk_redirects"} and value is not None else value


def _cell(value: object) -> object:
    """Return a value as a cell has it: lists by spaces, claims as words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(value)
    return value
