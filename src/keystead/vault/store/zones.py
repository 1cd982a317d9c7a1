"""Queries of zones and domains."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from keystead.vault.models import DOMAINS, REGISTRATIONS, ZONES

Z, D = ZONES.c, DOMAINS.c
_OF_CREDENTIAL = Z.credential_id == bindparam("credential")
_OWNER = select(Z.id, Z.account_id).where(Z.remote_id == bindparam("remote"))
_INSERT = insert(ZONES).returning(Z.id)
_UPDATE = (
    update(ZONES)
    .where(Z.id == bindparam("zone"))
    .values(
        credential_id=bindparam("new_credential"),
        name=bindparam("new_name"),
        status=bindparam("new_status"),
        plan=bindparam("new_plan"),
        name_servers=bindparam("new_name_servers", type_=Z.name_servers.type),
        missing_since=None,
        synced_at=bindparam("at", type_=Z.synced_at.type),
    )
)
_MISSING = (
    update(ZONES)
    .where(_OF_CREDENTIAL, Z.synced_at < bindparam("at", type_=Z.synced_at.type), Z.missing_since.is_(None))
    .values(missing_since=bindparam("at", type_=Z.synced_at.type))
)
_COUNT = select(func.count()).select_from(ZONES).where(_OF_CREDENTIAL)
_LIST = select(ZONES).where(Z.account_id == bindparam("account")).order_by(Z.name, Z.id)
_DOMAIN = select(D.id).where(D.account_id == bindparam("account"), D.name == bindparam("domain"))
_INSERT_DOMAIN = insert(DOMAINS)
_LINK_DOMAIN = (
    update(DOMAINS)
    .where(D.id == bindparam("domain_id"))
    .values(zone_id=bindparam("zone"), credential_id=bindparam("new_credential"), is_blocked=bindparam("blocked"))
)
_DOMAINS = select(D.id, D.name, D.zone_id, D.credential_id, D.role, D.is_blocked).where(
    D.account_id == bindparam("account")
)
# What a registrar lists, or a person has written about, is more than its zone.
_IS_REGISTERED = exists().where(REGISTRATIONS.c.domain_id == D.id).correlate(DOMAINS)
_REMOVE_DOMAINS = delete(DOMAINS).where(
    D.credential_id == bindparam("credential"), ~_IS_REGISTERED, D.note.is_(None), D.tags.is_(None)
)
_REMOVE_ZONES = delete(ZONES).where(_OF_CREDENTIAL)


@dataclass(frozen=True)
class Zone:
    """A DNS zone at a provider, as it was last seen."""

    id: int
    account_id: int
    credential_id: int
    remote_id: str
    name: str
    status: str
    plan: str
    name_servers: list[str]
    missing_since: datetime | None
    synced_at: datetime


@dataclass(frozen=True)
class Domain:
    """A domain of an account."""

    id: int
    name: str
    zone_id: int | None
    credential_id: int | None
    role: str
    is_blocked: bool


def owner(connection: Connection, remote_id: str) -> tuple[int, int] | None:
    """Return id and account of the row for a provider's zone."""
    row = connection.execute(_OWNER, {"remote": remote_id}).first()
    return None if row is None else (row.id, row.account_id)


def insert_zone(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert a zone and return its id."""
    return int(connection.execute(_INSERT, values).scalar_one())


def update_zone(connection: Connection, zone_id: int, values: Mapping[str, Any]) -> None:
    """Replace what is known of a zone."""
    named = {f"new_{name}": values[name] for name in ("name", "status", "plan", "name_servers")}
    more = {"new_credential": values["credential_id"], "at": values["synced_at"]}
    connection.execute(_UPDATE, {"zone": zone_id, **named, **more})


def note_missing(connection: Connection, credential_id: int, at: datetime) -> int:
    """Note that zones which were not seen at a moment are no longer there; return how many are new in that."""
    return connection.execute(_MISSING, {"credential": credential_id, "at": at}).rowcount


def count(connection: Connection, credential_id: int) -> int:
    """Count a credential's zones."""
    return int(connection.execute(_COUNT, {"credential": credential_id}).scalar_one())


def list_(connection: Connection, account_id: int) -> list[Zone]:
    """Return an account's zones by name."""
    return [Zone(**row) for row in connection.execute(_LIST, {"account": account_id}).mappings()]


def put_domain(connection: Connection, values: Mapping[str, Any]) -> None:
    """Insert a domain, or link the one that is there to its zone."""
    found = connection.execute(_DOMAIN, {"account": values["account_id"], "domain": values["name"]}).scalar()
    if found is None:
        connection.execute(_INSERT_DOMAIN, values)
        return
    linked = {"zone": values["zone_id"], "new_credential": values["credential_id"], "blocked": values["is_blocked"]}
    connection.execute(_LINK_DOMAIN, {"domain_id": found, **linked})


def domains(connection: Connection, account_id: int) -> list[Domain]:
    """Return an account's domains."""
    return [Domain(*row) for row in connection.execute(_DOMAINS, {"account": account_id})]


def remove_of(connection: Connection, credential_id: int) -> tuple[int, int]:
    """Delete the zones and the domains of a credential; return how many of each."""
    removed = connection.execute(_REMOVE_DOMAINS, {"credential": credential_id}).rowcount
    return connection.execute(_REMOVE_ZONES, {"credential": credential_id}).rowcount, removed
