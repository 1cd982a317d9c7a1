"""The table of domains: one query over registrations, zones, DNS and findings; and what people write beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Select,
    Text,
    bindparam,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)

from keystead.db.types import AnyRow
from keystead.vault.models import CREDENTIALS, DOMAINS, FINDINGS, REGISTRATIONS, ZONE_CONTENTS, ZONES

D, R, Z, F = DOMAINS.c, REGISTRATIONS.c, ZONES.c, FINDINGS.c
_HOLDER = CREDENTIALS.alias("holder")
_KEEPER = CREDENTIALS.alias("keeper")
# What has no end comes behind everything that has one.
_NEVER = date(9999, 12, 31)
_END: ColumnElement[date] = func.coalesce(R.expires_on, literal(_NEVER, Date()))
_KINDS = (
    select(func.aggregate_strings(F.kind, ","))
    .where(F.domain_id == D.id)
    .correlate(DOMAINS)
    .scalar_subquery()
    .label("findings")
)
_ROWS = (
    select(
        D.id,
        D.account_id,
        D.name,
        D.note,
        D.tags,
        D.is_blocked,
        _HOLDER.c.provider.label("registrar"),
        R.credential_id.label("registrar_credential_id"),
        R.expires_on,
        R.renews_itself,
        R.is_locked,
        R.has_own_dns,
        R.name_servers.label("registrar_name_servers"),
        R.name_servers_at.label("registrar_name_servers_at"),
        R.missing_since.label("registration_missing_since"),
        R.synced_at.label("registration_synced_at"),
        _KEEPER.c.provider.label("zone_provider"),
        Z.id.label("zone_id"),
        Z.credential_id.label("zone_credential_id"),
        Z.status.label("zone_status"),
        Z.plan.label("zone_plan"),
        Z.name_servers.label("zone_name_servers"),
        Z.missing_since.label("zone_missing_since"),
        Z.synced_at.label("zone_synced_at"),
        ZONE_CONTENTS.c.seen_redirects.label("redirects"),
        ZONE_CONTENTS.c.foreign_redirects,
        ZONE_CONTENTS.c.bulk_redirects,
        ZONE_CONTENTS.c.seen_at.label("contents_at"),
        D.dns_name_servers,
        D.dns_problem,
        D.dns_at,
        _KINDS,
    )
    .select_from(DOMAINS)
    .outerjoin(REGISTRATIONS, R.domain_id == D.id)
    .outerjoin(_HOLDER, _HOLDER.c.id == R.credential_id)
    .outerjoin(ZONES, Z.id == D.zone_id)
    .outerjoin(ZONE_CONTENTS, ZONE_CONTENTS.c.zone_id == Z.id)
    .outerjoin(_KEEPER, _KEEPER.c.id == Z.credential_id)
)
_ONE = (D.id == bindparam("domain"), D.account_id == bindparam("account"))
_FIND = _ROWS.where(*_ONE)
_WRITE = update(DOMAINS).where(*_ONE).values(note=bindparam("new_note"), tags=bindparam("new_tags", type_=D.tags.type))
_REMOVE = delete(DOMAINS).where(*_ONE)
_TOGETHER = 500
_WRITTEN = select(D.id, D.note, D.tags).where(
    D.account_id == bindparam("account"), D.id.in_(bindparam("ids", expanding=True))
)


class Sort(StrEnum):
    """In which order domains are listed."""

    NAME = "name"
    EXPIRES = "expires"


@dataclass(frozen=True)
class Row:
    """A domain and everything that is known of it."""

    id: int
    account_id: int
    name: str
    note: str | None
    tags: list[str] | None
    is_blocked: bool
    registrar: str | None
    registrar_credential_id: int | None
    expires_on: date | None
    renews_itself: bool | None
    is_locked: bool | None
    has_own_dns: bool | None
    registrar_name_servers: list[str] | None
    registrar_name_servers_at: datetime | None
    registration_missing_since: datetime | None
    registration_synced_at: datetime | None
    zone_provider: str | None
    zone_id: int | None
    zone_credential_id: int | None
    zone_status: str | None
    zone_plan: str | None
    zone_name_servers: list[str] | None
    zone_missing_since: datetime | None
    zone_synced_at: datetime | None
    redirects: list[str] | None
    foreign_redirects: int | None
    bulk_redirects: list[str] | None
    contents_at: datetime | None
    dns_name_servers: list[str] | None
    dns_problem: str | None
    dns_at: datetime | None
    findings: tuple[str, ...]


@dataclass(frozen=True)
class Narrowed:
    """Which domains are wanted; None does not narrow. ``expires_until`` is the last day of an end that is wanted."""

    text: str | None = None
    provider: str | None = None
    expires_until: date | None = None
    is_drifted: bool | None = None
    has_zone: bool | None = None
    tag: str | None = None


@dataclass(frozen=True)
class Mark:
    """The last row of a page: what it was sorted by, and its id."""

    value: str
    id: int


@dataclass(frozen=True)
class Window:
    """A page of the table: its order, how many rows, and behind which."""

    sort: Sort = Sort.NAME
    limit: int = 100
    after: Mark | None = None


def rows(connection: Connection, account_id: int | None, wanted: Narrowed, window: Window) -> list[Row]:
    """Return a page of an account's domains, or of all accounts'; one query, however many rows."""
    statement = _narrowed(_ROWS, wanted)
    if account_id is not None:
        statement = statement.where(D.account_id == account_id)
    order: tuple[ColumnElement[Any], ...] = (D.name, D.id) if window.sort is Sort.NAME else (_END, D.id)
    if window.after is not None:
        value = window.after.value if window.sort is Sort.NAME else date.fromisoformat(window.after.value)
        behind = literal(value, D.name.type if window.sort is Sort.NAME else Date())
        statement = statement.where(tuple_(*order) > tuple_(behind, literal(window.after.id, D.id.type)))
    return [_row(row) for row in connection.execute(statement.order_by(*order).limit(window.limit))]


def mark_of(row: Row, sort: Sort) -> Mark:
    """Return the mark of a page that ends with a row."""
    return Mark(row.name if sort is Sort.NAME else (row.expires_on or _NEVER).isoformat(), row.id)


def find(connection: Connection, account_id: int, domain_id: int) -> Row | None:
    """Return one domain of an account."""
    row = connection.execute(_FIND, {"account": account_id, "domain": domain_id}).first()
    return None if row is None else _row(row)


def written(
    connection: Connection, account_id: int, ids: Sequence[int]
) -> dict[int, tuple[str | None, list[str] | None]]:
    """Return note and tags of domains, by their ids."""
    found: dict[int, tuple[str | None, list[str] | None]] = {}
    for start in range(0, len(ids), _TOGETHER):
        part = {"account": account_id, "ids": list(ids[start : start + _TOGETHER])}
        found.update((row.id, (row.note, row.tags)) for row in connection.execute(_WRITTEN, part))
    return found


def write(connection: Connection, account_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set note and tags of domains; each row has ``domain``, ``new_note`` and ``new_tags``."""
    if rows:
        connection.execute(_WRITE, [{"account": account_id, **row} for row in rows])


def remove(connection: Connection, account_id: int, domain_id: int) -> None:
    """Delete a domain."""
    connection.execute(_REMOVE, {"account": account_id, "domain": domain_id})


def _narrowed(statement: Select[Any], wanted: Narrowed) -> Select[Any]:
    if wanted.text is not None:
        searched = (
            D.name,
            func.lower(type_coerce(ZONE_CONTENTS.c.seen_redirects, Text)),
            func.lower(type_coerce(ZONE_CONTENTS.c.bulk_redirects, Text)),
        )
        statement = statement.where(or_(*(one.contains(wanted.text, autoescape=True) for one in searched)))
    if wanted.provider is not None:
        named = wanted.provider
        statement = statement.where(or_(_HOLDER.c.provider == named, _KEEPER.c.provider == named))
    if wanted.expires_until is not None:
        statement = statement.where(R.expires_on <= wanted.expires_until, R.missing_since.is_(None))
    if wanted.is_drifted is not None:
        found = exists().where(F.domain_id == D.id).correlate(DOMAINS)
        statement = statement.where(found if wanted.is_drifted else ~found)
    if wanted.has_zone is not None:
        is_there = Z.id.is_not(None) & Z.missing_since.is_(None)
        statement = statement.where(is_there if wanted.has_zone else ~is_there)
    if wanted.tag is not None:
        # Stored as compact JSON; a tag has no character that JSON or LIKE would write otherwise.
        statement = statement.where(type_coerce(D.tags, Text).contains(f'"{wanted.tag}"', autoescape=True))
    return statement


def _row(row: AnyRow) -> Row:
    values = dict(row._mapping)
    kinds = values.pop("findings")
    return Row(**values, findings=tuple(sorted(kinds.split(","))) if kinds else ())
