"""Queries of registrations: take a registrar's list over, and find whose name servers have to be asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from keystead.vault.models import DOMAINS, REGISTRATIONS

R, D = REGISTRATIONS.c, DOMAINS.c
_TOGETHER = 500
_OF_CREDENTIAL = R.credential_id == bindparam("credential")
_AT = bindparam("at", type_=R.synced_at.type)

_IDS = select(D.name, D.id).where(D.account_id == bindparam("account"), D.name.in_(bindparam("names", expanding=True)))
_INSERT_DOMAINS = insert(DOMAINS)
_HELD = select(R.domain_id, R.credential_id, R.expires_on, R.missing_since, R.name_servers, R.name_servers_at).where(
    R.domain_id.in_(bindparam("ids", expanding=True))
)
_REMOVE = delete(REGISTRATIONS).where(R.domain_id == bindparam("domain"))
_INSERT = insert(REGISTRATIONS)
_MISSING = (
    update(REGISTRATIONS)
    .where(_OF_CREDENTIAL, R.synced_at < bindparam("began", type_=R.synced_at.type), R.missing_since.is_(None))
    .values(missing_since=_AT)
)
_UNASKED = (
    select(R.domain_id, D.name)
    .join(DOMAINS, D.id == R.domain_id)
    .where(
        _OF_CREDENTIAL,
        R.missing_since.is_(None),
        R.name_servers_at.is_(None) | (R.name_servers_at < bindparam("before", type_=R.name_servers_at.type)),
    )
    .order_by(R.name_servers_at.nulls_first(), R.domain_id)
    .limit(bindparam("limit"))
)
_MAKE_DUE = update(REGISTRATIONS).where(R.domain_id == bindparam("domain")).values(name_servers_at=None)
_CREDENTIALS = (
    select(R.credential_id)
    .where(R.domain_id.in_(bindparam("ids", expanding=True)), R.missing_since.is_(None))
    .distinct()
)
_SET_NAME_SERVERS = (
    update(REGISTRATIONS)
    .where(R.domain_id == bindparam("domain"), _OF_CREDENTIAL)
    .values(name_servers=bindparam("new_servers", type_=R.name_servers.type), name_servers_at=_AT)
)


@dataclass(frozen=True)
class Held:
    """What is known of a domain's registration before a list is taken over."""

    domain_id: int
    credential_id: int
    expires_on: date | None
    missing_since: datetime | None
    name_servers: list[str] | None
    name_servers_at: datetime | None


def domain_ids(connection: Connection, account_id: int, names: Sequence[str]) -> dict[str, int]:
    """Return the ids of those of an account's domains that are there, by name."""
    found: dict[str, int] = {}
    for start in range(0, len(names), _TOGETHER):
        part = {"account": account_id, "names": list(names[start : start + _TOGETHER])}
        found.update((row.name, row.id) for row in connection.execute(_IDS, part))
    return found


def insert_domains(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert domains that are not there."""
    if rows:
        connection.execute(_INSERT_DOMAINS, list(rows))


def held(connection: Connection, ids: Sequence[int]) -> dict[int, Held]:
    """Return the registrations of domains, by their ids."""
    found: dict[int, Held] = {}
    for start in range(0, len(ids), _TOGETHER):
        part = {"ids": list(ids[start : start + _TOGETHER])}
        found.update((row.domain_id, Held(*row)) for row in connection.execute(_HELD, part))
    return found


def replace(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put registrations in the place of those that are there."""
    if rows:
        connection.execute(_REMOVE, [{"domain": row["domain_id"]} for row in rows])
        connection.execute(_INSERT, list(rows))


def note_missing(connection: Connection, credential_id: int, *, began: datetime, at: datetime) -> int:
    """Note every registration of a credential that was not seen since a look began; return how many."""
    return connection.execute(_MISSING, {"credential": credential_id, "began": began, "at": at}).rowcount


def unasked(connection: Connection, credential_id: int, *, before: datetime, limit: int) -> list[tuple[int, str]]:
    """Return domains whose name servers were asked for last before a moment, or never; the oldest first."""
    values = {"credential": credential_id, "before": before, "limit": limit}
    return [(row.domain_id, row.name) for row in connection.execute(_UNASKED, values)]


def make_due(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Let registrars be asked for the name servers of domains; return the credentials to ask with."""
    found: set[int] = set()
    for start in range(0, len(ids), _TOGETHER):
        part = list(ids[start : start + _TOGETHER])
        connection.execute(_MAKE_DUE, [{"domain": domain_id} for domain_id in part])
        found.update(connection.execute(_CREDENTIALS, {"ids": part}).scalars())
    return sorted(found)


def set_name_servers(
    connection: Connection, credential_id: int, answers: Mapping[int, Sequence[str] | None], at: datetime
) -> None:
    """Note the name servers of domains; None where the registrar did not tell them."""
    rows = [
        {"credential": credential_id, "domain": domain, "new_servers": None if told is None else list(told), "at": at}
        for domain, told in answers.items()
    ]
    if rows:
        connection.execute(_SET_NAME_SERVERS, rows)
