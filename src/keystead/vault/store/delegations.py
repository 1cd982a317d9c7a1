"""Queries of what DNS says of domains: who has to be asked about, and what was answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from keystead.vault.models import DOMAINS

D = DOMAINS.c
_DUE = (
    select(D.id, D.account_id, D.name)
    .where(D.dns_asked_at.is_(None) | (D.dns_asked_at < bindparam("before", type_=D.dns_asked_at.type)))
    .order_by(D.dns_asked_at.nulls_first(), D.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_ASKED = (
    update(DOMAINS).where(D.id == bindparam("domain")).values(dns_asked_at=bindparam("at", type_=D.dns_asked_at.type))
)
_HEARD = _ASKED.where(D.dns_asked_at.is_not(None))
_ANSWERED = (
    update(DOMAINS)
    .where(D.id == bindparam("domain"))
    .values(
        dns_name_servers=bindparam("new_servers", type_=D.dns_name_servers.type),
        dns_problem=bindparam("new_problem"),
        dns_at=bindparam("at", type_=D.dns_at.type),
    )
)
_ONE_DUE = update(DOMAINS).where(D.id == bindparam("domain")).values(dns_asked_at=None)
_ALL_DUE = update(DOMAINS).where(D.account_id == bindparam("account")).values(dns_asked_at=None)


@dataclass(frozen=True)
class Question:
    """A domain that DNS has to be asked about."""

    domain_id: int
    account_id: int
    name: str


@dataclass(frozen=True)
class Answer:
    """What DNS said of a domain."""

    domain_id: int
    name_servers: Sequence[str]
    problem: str | None


def claim(connection: Connection, limit: int, *, before: datetime, at: datetime) -> list[Question]:
    """Take domains, of all accounts, that nobody has asked about since a moment; the longest waiting first.

    They count as asked about at ``at``.
    """
    found = [Question(*row) for row in connection.execute(_DUE, {"before": before, "limit": limit})]
    _note_asked(connection, [one.domain_id for one in found], at)
    return found


def answer(connection: Connection, answers: Sequence[Answer], at: datetime) -> None:
    """Write down what DNS said; a domain that was made due meanwhile stays so."""
    rows = [
        {"domain": one.domain_id, "new_servers": list(one.name_servers), "new_problem": one.problem, "at": at}
        for one in answers
    ]
    if rows:
        connection.execute(_ANSWERED, rows)
        connection.execute(_HEARD, [{"domain": one.domain_id, "at": at} for one in answers])


def _note_asked(connection: Connection, domain_ids: Sequence[int], at: datetime) -> None:
    if domain_ids:
        connection.execute(_ASKED, [{"domain": domain_id, "at": at} for domain_id in domain_ids])


def make_due(connection: Connection, domain_ids: Sequence[int]) -> None:
    """Let domains be asked about."""
    if domain_ids:
        connection.execute(_ONE_DUE, [{"domain": domain_id} for domain_id in domain_ids])


def make_all_due(connection: Connection, account_id: int) -> int:
    """Let all domains of an account be asked about; return how many."""
    return connection.execute(_ALL_DUE, {"account": account_id}).rowcount
