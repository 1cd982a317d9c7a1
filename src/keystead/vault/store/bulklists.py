"""Queries of accounts' bulk redirects: what is right, what was seen, and which of them is about which zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, select, update

from keystead.db.types import AnyRow
from keystead.db.upserts import insert_into
from keystead.vault.contentvalue import Difference
from keystead.vault.credentialvalue import Status
from keystead.vault.models import BULK_LISTS, CREDENTIALS, ZONE_CONTENTS, ZONES
from keystead.vault.store import contents as content_store

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

B, C, K, Z = BULK_LISTS.c, CREDENTIALS.c, ZONE_CONTENTS.c, ZONES.c
_FIND = select(BULK_LISTS).where(B.credential_id == bindparam("credential"))
_HELD = _FIND.with_for_update()
_OF_ACCOUNT = (
    select(B.credential_id, B.drift, B.problem, B.is_refused)
    .join(CREDENTIALS, (C.id == B.credential_id) & (C.status == Status.ACTIVE.value))
    .where(C.account_id == bindparam("account"))
    .order_by(B.credential_id)
)
_UNANSWERED = (
    update(BULK_LISTS)
    .where(B.credential_id == bindparam("credential"), B.is_refused.is_(False))
    .values(problem=bindparam("why"))
)
_ZONES = (
    select(Z.id, Z.name, K.bulk_redirects)
    .outerjoin(ZONE_CONTENTS, K.zone_id == Z.id)
    .where(Z.credential_id == bindparam("credential"), Z.missing_since.is_(None))
    .order_by(Z.id)
)


@dataclass(frozen=True)
class Kept:
    """What is kept of an account's bulk redirects, as ``contentvalue`` writes it; None for what nobody has seen yet."""

    redirects: list[list[str]] | None = None
    seen: list[list[str]] | None = None
    drift: Difference | None = None
    accepted_at: datetime | None = None
    seen_at: datetime | None = None
    problem: str | None = None
    is_refused: bool = False
    revision: int = 0


@dataclass(frozen=True)
class Known:
    """How an account's bulk redirects differ, and why a credential that might read them may not any more."""

    credential_id: int
    drift: Difference | None
    refusal: str | None


def find(connection: Connection, credential_id: int, *, is_held: bool = False) -> Kept:
    """Return what is kept with a credential; ``is_held``: nobody else changes it until the end of the transaction."""
    row = connection.execute(_HELD if is_held else _FIND, {"credential": credential_id}).first()
    return Kept() if row is None else _kept(row)


def put(connection: Connection, credential_id: int, **values: object) -> None:
    """Write down some of what is kept with a credential."""
    statement = _change(connection.dialect.name, tuple(values))
    connection.execute(statement, {"credential_id": credential_id, **_ROW, **values})


def grow(connection: Connection, credential_id: int) -> None:
    """Let what was seen before this moment say nothing any more."""
    connection.execute(_grown(connection.dialect.name), {"credential_id": credential_id, **_ROW, "revision": 1})


def note_unanswered(connection: Connection, credential_id: int, problem: str) -> None:
    """Write down why nothing was heard, unless it is known that the credential may not look."""
    connection.execute(_UNANSWERED, {"credential": credential_id, "why": problem})


def of_account(connection: Connection, account_id: int) -> list[Known]:
    """Return what is known with each of an account's credentials."""
    return [
        Known(row.credential_id, content_store.difference(row.drift), row.problem if row.is_refused else None)
        for row in connection.execute(_OF_ACCOUNT, {"account": account_id})
    ]


def shown(connection: Connection, credential_id: int) -> dict[str, tuple[int, list[str] | None]]:
    """Return the zones of a credential by name: each with its id, and with the bulk redirects that are shown of it."""
    rows = connection.execute(_ZONES, {"credential": credential_id})
    return {row.name: (row.id, row.bulk_redirects) for row in rows}


def show(connection: Connection, lines: Mapping[int, Sequence[str]]) -> None:
    """Write down which bulk redirects are shown of zones."""
    for zone_id, told in lines.items():
        content_store.put(connection, zone_id, bulk_redirects=list(told))


# What a row has that nobody has seen yet.
_ROW: dict[str, Any] = {"revision": 0, "is_refused": False}


@cache
def _grown(dialect: str) -> "postgresql.Insert | sqlite.Insert":
    made = insert_into(BULK_LISTS, dialect)
    return made.on_conflict_do_update(index_elements=["credential_id"], set_={"revision": B.revision + 1})


@cache
def _change(dialect: str, names: tuple[str, ...]) -> "postgresql.Insert | sqlite.Insert":
    made = insert_into(BULK_LISTS, dialect)
    changed = {name: made.excluded[name] for name in names}
    return made.on_conflict_do_update(index_elements=["credential_id"], set_=changed)


def _kept(row: AnyRow) -> Kept:
    values = dict(row._mapping)
    del values["credential_id"]
    return Kept(**(values | {"drift": content_store.difference(row.drift)}))
