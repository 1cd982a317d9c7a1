"""Queries of findings, of what they are made from, and of what people were told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, insert, or_, select, update

from keystead.access.models import ACCOUNTS
from keystead.db.types import AnyRow
from keystead.vault.credentialvalue import Status
from keystead.vault.models import ALERTS, CREDENTIALS, DOMAINS, FINDINGS, LOOKS, REGISTRATIONS, ZONE_CONTENTS, ZONES

A, C, D, F, L, R, Z = ALERTS.c, CREDENTIALS.c, DOMAINS.c, FINDINGS.c, LOOKS.c, REGISTRATIONS.c, ZONES.c
_OF_ACCOUNT = F.account_id == bindparam("account")

# Whoever compares an account holds it until the end of the transaction: two processes tell nothing twice.
_HOLD = select(ACCOUNTS.c.id).where(ACCOUNTS.c.id == bindparam("account")).with_for_update()
# What was seen with a credential that is not used any more is compared with nothing.
_HOLDER, _KEEPER = CREDENTIALS.alias("holder"), CREDENTIALS.alias("keeper")
_SEEN = (
    select(
        D.id,
        _HOLDER.c.id.is_not(None).label("is_registered"),
        case((_HOLDER.c.id.is_not(None), R.name_servers)).label("registrar"),
        case((_HOLDER.c.id.is_not(None), R.missing_since)).label("registration_missing_since"),
        case((_KEEPER.c.id.is_not(None), Z.name_servers)).label("zone"),
        case((_KEEPER.c.id.is_not(None), Z.status)).label("zone_status"),
        case((_KEEPER.c.id.is_not(None), Z.missing_since)).label("zone_missing_since"),
        D.dns_name_servers,
        D.dns_problem,
        case((_KEEPER.c.id.is_not(None), ZONE_CONTENTS.c.record_drift)).label("record_drift"),
        case((_KEEPER.c.id.is_not(None), ZONE_CONTENTS.c.redirect_drift)).label("redirect_drift"),
    )
    .select_from(DOMAINS)
    .outerjoin(REGISTRATIONS, R.domain_id == D.id)
    .outerjoin(_HOLDER, (_HOLDER.c.id == R.credential_id) & (_HOLDER.c.status == Status.ACTIVE.value))
    .outerjoin(ZONES, Z.id == D.zone_id)
    .outerjoin(ZONE_CONTENTS, ZONE_CONTENTS.c.zone_id == Z.id)
    .outerjoin(_KEEPER, (_KEEPER.c.id == Z.credential_id) & (_KEEPER.c.status == Status.ACTIVE.value))
    .where(D.account_id == bindparam("account"))
)
_REFUSED = (
    select(L.credential_id, L.problem)
    .join(CREDENTIALS, C.id == L.credential_id)
    .where(C.account_id == bindparam("account"), L.is_refused.is_(True), C.status == Status.ACTIVE.value)
)
_LACKING = (
    select(L.credential_id, L.lacking)
    .join(CREDENTIALS, C.id == L.credential_id)
    .where(C.account_id == bindparam("account"), L.lacking.is_not(None), C.status == Status.ACTIVE.value)
    .order_by(L.credential_id)
)
_STORED = select(F.id, F.kind, F.domain_id, F.credential_id, F.expected, F.seen).where(_OF_ACCOUNT)
_INSERT = insert(FINDINGS)
_CHANGE = (
    update(FINDINGS)
    .where(F.id == bindparam("finding"))
    .values(expected=bindparam("new_expected", type_=F.expected.type), seen=bindparam("new_seen", type_=F.seen.type))
)
_REMOVE = delete(FINDINGS).where(F.id == bindparam("finding"))
_PAGE = (
    select(
        F.id,
        F.account_id,
        F.kind,
        F.domain_id,
        D.name.label("domain"),
        F.credential_id,
        C.alias.label("credential"),
        C.provider,
        F.expected,
        F.seen,
        F.since,
    )
    .outerjoin(DOMAINS, D.id == F.domain_id)
    .outerjoin(CREDENTIALS, C.id == F.credential_id)
    .where(_OF_ACCOUNT, F.id > bindparam("after"))
    .order_by(F.id)
    .limit(bindparam("limit"))
)
_OF_DOMAIN = _PAGE.where(F.domain_id == bindparam("domain"))
_ENDING = (
    select(D.id, D.name, R.expires_on, R.renews_itself, C.provider, C.id.label("credential_id"))
    .select_from(REGISTRATIONS)
    .join(DOMAINS, D.id == R.domain_id)
    .join(CREDENTIALS, C.id == R.credential_id)
    .where(
        D.account_id == bindparam("account"),
        C.status == Status.ACTIVE.value,
        R.missing_since.is_(None),
        R.expires_on <= bindparam("until", type_=R.expires_on.type),
    )
    .order_by(R.expires_on, D.name)
)
_CREDENTIALS = (
    select(C.id, C.provider, C.alias, C.status, C.expires_at, L.balance, L.problem)
    .outerjoin(LOOKS, L.credential_id == C.id)
    .where(C.account_id == bindparam("account"), or_(C.status == Status.ACTIVE.value, C.status == Status.EXPIRED.value))
    .order_by(C.id)
)
_WATCHED = select(CREDENTIALS.c.account_id).union(select(DOMAINS.c.account_id)).order_by("account_id")
_TOLD = select(A.kind, A.subject, A.level).where(A.account_id == bindparam("account"))
_FORGET = delete(ALERTS).where(
    A.account_id == bindparam("account"), A.kind == bindparam("of_kind"), A.subject == bindparam("of_subject")
)
_NOTE_TOLD = insert(ALERTS)

Key = tuple[str, str]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be with a domain, or with a credential for a provider."""

    id: int
    account_id: int
    kind: str
    domain_id: int | None
    domain: str | None
    credential_id: int | None
    credential: str | None
    provider: str | None
    expected: list[str]
    seen: list[str]
    since: datetime


@dataclass(frozen=True)
class Stored:
    """A finding as it is compared with what is seen now."""

    id: int
    kind: str
    domain_id: int | None
    credential_id: int | None
    expected: tuple[str, ...]
    seen: tuple[str, ...]


@dataclass(frozen=True)
class Ending:
    """A registered domain and its end."""

    id: int
    name: str
    expires_on: date
    renews_itself: bool
    provider: str
    credential_id: int


@dataclass(frozen=True)
class Watched:
    """A credential that is used or has expired, and what the last look at it found."""

    id: int
    provider: str
    alias: str
    status: str
    expires_at: datetime | None
    balance: str | None
    problem: str | None


def hold(connection: Connection, account_id: int) -> None:
    """Let nobody else compare an account until the end of the transaction."""
    connection.execute(_HOLD, {"account": account_id})


def watched_accounts(connection: Connection) -> list[int]:
    """Return every account that has credentials or domains."""
    return list(connection.execute(_WATCHED).scalars())


def seen(connection: Connection, account_id: int) -> list[Mapping[str, Any]]:
    """Return what is known of every domain of an account."""
    return [dict(row) for row in connection.execute(_SEEN, {"account": account_id}).mappings()]


def refused(connection: Connection, account_id: int) -> dict[int, str | None]:
    """Return the credentials of an account that their providers do not take, with why."""
    return {row.credential_id: row.problem for row in connection.execute(_REFUSED, {"account": account_id})}


def lacking(connection: Connection, account_id: int) -> list[tuple[int, str]]:
    """Return every permission that a credential of an account needs and has lost."""
    rows = connection.execute(_LACKING, {"account": account_id})
    return [(row.credential_id, name) for row in rows for name in row.lacking]


def stored(connection: Connection, account_id: int) -> list[Stored]:
    """Return the findings of an account."""
    return [
        Stored(row.id, row.kind, row.domain_id, row.credential_id, tuple(row.expected), tuple(row.seen))
        for row in connection.execute(_STORED, {"account": account_id})
    ]


def insert_all(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert findings."""
    if rows:
        connection.execute(_INSERT, list(rows))


def change_all(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Change what findings say; each row has ``finding``, ``new_expected`` and ``new_seen``."""
    if rows:
        connection.execute(_CHANGE, list(rows))


def remove_all(connection: Connection, ids: Sequence[int]) -> None:
    """Delete findings."""
    if ids:
        connection.execute(_REMOVE, [{"finding": one} for one in ids])


def page(connection: Connection, account_id: int, *, after: int, limit: int) -> list[Finding]:
    """Return an account's findings, oldest first."""
    values = {"account": account_id, "after": after, "limit": limit}
    return [_finding(row) for row in connection.execute(_PAGE, values)]


def of_domain(connection: Connection, account_id: int, domain_id: int, *, limit: int) -> list[Finding]:
    """Return the findings with a domain."""
    values = {"account": account_id, "after": 0, "limit": limit, "domain": domain_id}
    return [_finding(row) for row in connection.execute(_OF_DOMAIN, values)]


def ending(connection: Connection, account_id: int, until: date) -> list[Ending]:
    """Return an account's domains that end by a day, or have."""
    return [Ending(*row) for row in connection.execute(_ENDING, {"account": account_id, "until": until})]


def credentials(connection: Connection, account_id: int) -> list[Watched]:
    """Return an account's credentials but those that were revoked."""
    return [Watched(*row) for row in connection.execute(_CREDENTIALS, {"account": account_id})]


def told(connection: Connection, account_id: int) -> dict[Key, int]:
    """Return what an account's people were told of, by kind and subject."""
    return {(row.kind, row.subject): row.level for row in connection.execute(_TOLD, {"account": account_id})}


def forget(connection: Connection, account_id: int, keys: Sequence[Key]) -> None:
    """Forget that people were told."""
    if keys:
        rows = [{"account": account_id, "of_kind": kind, "of_subject": subject} for kind, subject in keys]
        connection.execute(_FORGET, rows)


def note_told(connection: Connection, account_id: int, levels: Mapping[Key, int], at: datetime) -> None:
    """Note what people are told of; what was noted before has to be forgotten first."""
    rows = [
        {"account_id": account_id, "kind": kind, "subject": subject, "level": level, "told_at": at}
        for (kind, subject), level in levels.items()
    ]
    if rows:
        connection.execute(_NOTE_TOLD, rows)


def _finding(row: AnyRow) -> Finding:
    return Finding(**row._mapping)
