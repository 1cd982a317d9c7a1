"""Queries of relays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from keystead.vault.models import RELAYS

R = RELAYS.c
_INSTALLATION = 0
_FIND = select(*[column for column in RELAYS.c if column.name != "target"]).where(
    R.provider == bindparam("of_provider"), R.target == bindparam("of_target")
)
_INSERT = insert(RELAYS).returning(R.id)
_SET_AUTH = update(RELAYS).where(R.id == bindparam("relay")).values(auth=bindparam("new_auth"))
_REMOVE = delete(RELAYS).where(R.id == bindparam("relay"))


@dataclass(frozen=True)
class SealedRelay:
    """A way to a provider, its auth still sealed; direct where there is no URL."""

    id: int
    provider: str
    credential_id: int | None
    url: str | None
    host: str | None
    auth: str | None
    ip: str


def find(connection: Connection, provider: str, credential_id: int | None) -> SealedRelay | None:
    """Return the way of one credential, or the installation's when none is named."""
    row = connection.execute(_FIND, {"of_provider": provider, "of_target": credential_id or _INSTALLATION}).first()
    return None if row is None else SealedRelay(**row._mapping)


def insert_relay(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert a way without its auth and return its id."""
    row = {"target": values["credential_id"] or _INSTALLATION, **values}
    return int(connection.execute(_INSERT, row).scalar_one())


def set_auth(connection: Connection, relay_id: int, sealed: str) -> None:
    """Put the sealed auth into a row."""
    connection.execute(_SET_AUTH, {"relay": relay_id, "new_auth": sealed})


def remove(connection: Connection, relay_id: int) -> None:
    """Delete a way."""
    connection.execute(_REMOVE, {"relay": relay_id})
