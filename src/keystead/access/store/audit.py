"""Queries of the audit trail: writing, reading, and the columns of its chain."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Connection,
    String,
    Text,
    bindparam,
    func,
    insert,
    null,
    or_,
    select,
    type_coerce,
    update,
)

from keystead.access.models import AUDIT_RECORDS
from keystead.db.types import AnyRow, UtcTime
from keystead.kit.page import Page


@dataclass(frozen=True)
class AuditRecord:
    """Who did what to which object, and how it ended."""

    number: int
    at: datetime
    request_id: str
    account_id: int
    actor: str
    verb: str
    subject: str
    outcome: str
    facts: dict[str, object]
    position: int | None


class AuditOrder(StrEnum):
    """Which end of the trail a list begins at; the page after a page goes on from its last number."""

    OLDEST_FIRST = "oldest-first"
    NEWEST_FIRST = "newest-first"


@dataclass(frozen=True)
class AuditFilter:
    """Narrow a list of records, and order it; what is None does not narrow."""

    actor: str | None = None
    verb: str | None = None
    subject: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    order: AuditOrder = AuditOrder.OLDEST_FIRST


@dataclass(frozen=True)
class ChainLink:
    """A record as its seal sees it: facts are the stored text, the moment is in microseconds."""

    number: int
    at_us: int
    request_id: str
    account_id: int
    actor: str
    verb: str
    subject: str
    outcome: str
    facts: str
    position: int | None
    seal: str | None


_C = AUDIT_RECORDS.c
_COLUMNS = [column for column in _C if column.name != "seal"]
_CHAIN_COLUMNS = [
    _C.number,
    type_coerce(_C.at, BigInteger).label("at_us"),
    _C.request_id,
    _C.account_id,
    _C.actor,
    _C.verb,
    _C.subject,
    _C.outcome,
    type_coerce(_C.facts, Text).label("facts"),
    _C.position,
    _C.seal,
]
_INSERT = insert(AUDIT_RECORDS)
_NARROWED = (
    select(*_COLUMNS)
    .where(
        _C.account_id == bindparam("account_id"),
        *(
            or_(bindparam(name, type_=String).is_(None), _C[name] == bindparam(name, type_=String))
            for name in ("actor", "verb", "subject", "outcome")
        ),
        or_(bindparam("since", type_=UtcTime).is_(None), _C.at >= bindparam("since", type_=UtcTime)),
        or_(bindparam("until", type_=UtcTime).is_(None), _C.at < bindparam("until", type_=UtcTime)),
    )
    .limit(bindparam("limit"))
)
_AFTER = bindparam("after", type_=BigInteger)
_LISTS = {
    AuditOrder.OLDEST_FIRST: _NARROWED.where(_C.number > _AFTER).order_by(_C.number),
    AuditOrder.NEWEST_FIRST: _NARROWED.where(or_(_AFTER == 0, _C.number < _AFTER)).order_by(_C.number.desc()),
}
_LAST_SEALED = select(_C.position, _C.seal).where(_C.position.is_not(None)).order_by(_C.position.desc()).limit(1)
_SEAL_AT = select(_C.seal).where(_C.position == bindparam("position"))
_UNSEALED = select(*_CHAIN_COLUMNS).where(_C.position.is_(None)).order_by(_C.number).limit(bindparam("limit"))
_SEALED = (
    select(*_CHAIN_COLUMNS).where(_C.position > bindparam("after")).order_by(_C.position).limit(bindparam("limit"))
)
_SET_SEAL = (
    update(AUDIT_RECORDS)
    .where(_C.number == bindparam("record_number"), _C.position.is_(None))
    .values(position=bindparam("new_position"), seal=bindparam("new_seal"))
)
_COUNT_UNSEALED = select(func.count()).where(_C.position.is_(None), _C.seal.is_(null()))
_OUTSIDE = (
    select(_C.number)
    .where(or_(_C.position.is_(None) & _C.seal.is_not(None), _C.position < 1))
    .order_by(_C.number)
    .limit(100)
)


def insert_record(connection: Connection, values: dict[str, object]) -> None:
    """Insert one record, unsealed."""
    connection.execute(_INSERT, values)


def page(connection: Connection, account_id: int, wanted: Page, narrowed: AuditFilter) -> list[AuditRecord]:
    """Return a page of an account's records in the order that is asked for."""
    values = {
        "account_id": account_id,
        "after": wanted.after,
        "limit": wanted.limit,
        "actor": narrowed.actor,
        "verb": narrowed.verb,
        "subject": narrowed.subject,
        "outcome": narrowed.outcome,
        "since": narrowed.since,
        "until": narrowed.until,
    }
    return [AuditRecord(*row) for row in connection.execute(_LISTS[narrowed.order], values)]


def last_sealed(connection: Connection) -> tuple[int, str] | None:
    """Return position and seal of the chain's last record."""
    row = connection.execute(_LAST_SEALED).first()
    return None if row is None else (row.position, row.seal)


def seal_at(connection: Connection, position: int) -> str | None:
    """Return the seal at a position, or None when no record stands there."""
    seal: str | None = connection.execute(_SEAL_AT, {"position": position}).scalar()
    return seal


def unsealed(connection: Connection, limit: int) -> list[ChainLink]:
    """Return the first records without a position, by number."""
    return [_link(row) for row in connection.execute(_UNSEALED, {"limit": limit})]


def sealed(connection: Connection, after: int, limit: int) -> list[ChainLink]:
    """Return the records that follow a position, in the chain's order."""
    return [_link(row) for row in connection.execute(_SEALED, {"after": after, "limit": limit})]


def set_seals(connection: Connection, seals: Iterable[tuple[int, int, str]]) -> None:
    """Store (number, position, seal) of records."""
    rows = [{"record_number": number, "new_position": position, "new_seal": seal} for number, position, seal in seals]
    if rows:
        connection.execute(_SET_SEAL, rows)


def count_unsealed(connection: Connection) -> int:
    """Return how many records wait for the sealer."""
    return int(connection.execute(_COUNT_UNSEALED).scalar_one())


def outside(connection: Connection) -> list[int]:
    """Return the numbers of up to 100 records that are sealed and stand nowhere in the chain.

    The sealer leaves none without a position, and its first is 1.
    """
    return [int(number) for number in connection.execute(_OUTSIDE).scalars()]


def _link(row: AnyRow) -> ChainLink:
    return ChainLink(**row._mapping)
