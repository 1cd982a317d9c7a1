"""Queries of zones and domains."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from keystead.kit.page import Page
from keystead.vault.models import DOMAINS, REGISTRATIONS, ZONES

Z, D = ZONES.c, DOMAINS.c
_OF_CREDENTIAL = Z.credential_id == bindparam("credential")
_OWNER = select(Z.id, Z.account_id, Z.check_at, Z.checks).where(Z.remote_id == bindparam("remote"))
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
        check_at=bindparam("new_check_at", type_=Z.check_at.type),
        checks=bindparam("new_checks"),
    )
)
_ONE = Z.id == bindparam("zone")
_FIND = select(ZONES).where(_ONE, Z.account_id == bindparam("account"))
_REMOVE = delete(ZONES).where(_ONE)
_NOTE_MISSING_ONE = (
    update(ZONES).where(_ONE).values(missing_since=bindparam("at", type_=Z.missing_since.type), check_at=None)
)
_DUE = (
    select(Z.id, Z.account_id, Z.credential_id, Z.remote_id, Z.name, Z.checks)
    .where(Z.check_at <= bindparam("at", type_=Z.check_at.type))
    .order_by(Z.check_at, Z.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_CHECK_LATER = (
    update(ZONES)
    .where(_ONE)
    .values(check_at=bindparam("new_check_at", type_=Z.check_at.type), checks=bindparam("new_checks"))
)
_MISSING = (
    update(ZONES)
    .where(_OF_CREDENTIAL, Z.synced_at < bindparam("at", type_=Z.synced_at.type), Z.missing_since.is_(None))
    .values(missing_since=bindparam("at", type_=Z.synced_at.type), check_at=None)
)
_COUNT = select(func.count()).select_from(ZONES).where(_OF_CREDENTIAL)
_LIST = select(ZONES).where(Z.account_id == bindparam("account")).order_by(Z.name, Z.id)
_PAGE = (
    select(ZONES)
    .where(Z.account_id == bindparam("account"), Z.id > bindparam("after"))
    .order_by(Z.id)
    .limit(bindparam("limit"))
)
_NAMED = _PAGE.where(Z.name == bindparam("named"))
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
    check_at: datetime | None
    checks: int


@dataclass(frozen=True)
class Owner:
    """Whose row a provider's zone is, and when it is looked at again."""

    id: int
    account_id: int
    check_at: datetime | None
    checks: int


@dataclass(frozen=True)
class PendingZone:
    """A pending zone that is due to be looked at."""

    id: int
    account_id: int
    credential_id: int
    remote_id: str
    name: str
    checks: int


@dataclass(frozen=True)
class Domain:
    """A domain of an account."""

    id: int
    name: str
    zone_id: int | None
    credential_id: int | None
    role: str
    is_blocked: bool


def owner(connection: Connection, remote_id: str) -> Owner | None:
    """Return what the row for a provider's zone says of its owner."""
    row = connection.execute(_OWNER, {"remote": remote_id}).first()
    return None if row is None else Owner(*row)


def find(connection: Connection, account_id: int, zone_id: int) -> Zone | None:
    """Return a zone of an account."""
    row = connection.execute(_FIND, {"zone": zone_id, "account": account_id}).mappings().first()
    return None if row is None else Zone(**row)


def remove(connection: Connection, zone_id: int) -> None:
    """Delete a zone; its domains stay without it."""
    connection.execute(_REMOVE, {"zone": zone_id})


def note_missing_one(connection: Connection, zone_id: int, at: datetime) -> None:
    """Note that a zone is no longer there."""
    connection.execute(_NOTE_MISSING_ONE, {"zone": zone_id, "at": at})


def due(connection: Connection, limit: int, at: datetime) -> list[PendingZone]:
    """Return pending zones that are due, and keep others from taking them until the transaction ends."""
    return [PendingZone(*row) for row in connection.execute(_DUE, {"limit": limit, "at": at})]


def check_later(connection: Connection, zone: PendingZone, at: datetime) -> None:
    """Note that a pending zone was looked at, and when it is next."""
    connection.execute(_CHECK_LATER, {"zone": zone.id, "new_check_at": at, "new_checks": zone.checks + 1})


def insert_zone(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert a zone and return its id."""
    return int(connection.execute(_INSERT, values).scalar_one())


def update_zone(connection: Connection, zone_id: int, values: Mapping[str, Any]) -> None:
    """Replace what is known of a zone."""
    names = ("name", "status", "plan", "name_servers", "check_at", "checks")
    named = {f"new_{name}": values[name] for name in names}
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


def page(connection: Connection, account_id: int, wanted: Page, name: str | None) -> list[Zone]:
    """Return a page of an account's zones by id; only those of a name, when one is given."""
    values: dict[str, object] = {"account": account_id, "after": wanted.after, "limit": wanted.limit}
    if name is None:
        return [Zone(**row) for row in connection.execute(_PAGE, values).mappings()]
    return [Zone(**row) for row in connection.execute(_NAMED, values | {"named": name}).mappings()]


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
