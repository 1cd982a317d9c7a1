"""Queries of what is right in zones, of what was seen there, and of how the two differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, null, select, update

from keystead.db.types import AnyRow
from keystead.db.upserts import insert_into
from keystead.vault.contentvalue import Difference
from keystead.vault.credentialvalue import Status
from keystead.vault.models import CREDENTIALS, ZONE_CONTENTS, ZONES

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

Z, K, C = ZONES.c, ZONE_CONTENTS.c, CREDENTIALS.c
_DUE = (
    select(Z.id, Z.account_id, Z.credential_id)
    .select_from(ZONES)
    .join(CREDENTIALS, (C.id == Z.credential_id) & (C.status == Status.ACTIVE.value))
    .outerjoin(ZONE_CONTENTS, K.zone_id == Z.id)
    .where(
        Z.missing_since.is_(None),
        K.asked_at.is_(None) | (K.asked_at < bindparam("before", type_=K.asked_at.type)),
    )
    .order_by(K.asked_at.nulls_first(), Z.id)
    .limit(bindparam("limit"))
    .with_for_update(of=ZONES, skip_locked=True)
)
_FIND = select(ZONE_CONTENTS).where(K.zone_id == bindparam("zone"))
_HELD = _FIND.with_for_update()
_ZONE_OF = select(Z.id).where(Z.remote_id == bindparam("remote"), Z.account_id == bindparam("account"))
_UNREADABLE = (
    select(Z.credential_id, K.problem)
    .join(ZONE_CONTENTS, K.zone_id == Z.id)
    .join(CREDENTIALS, (C.id == Z.credential_id) & (C.status == Status.ACTIVE.value))
    .where(C.account_id == bindparam("account"), K.is_refused.is_(True), Z.missing_since.is_(None))
    .order_by(Z.id)
)
_DUE_AGAIN = update(ZONE_CONTENTS).where(K.zone_id == bindparam("zone")).values(asked_at=null())
_LOOKED = (
    update(ZONE_CONTENTS)
    .where(K.zone_id == bindparam("zone"), K.asked_at.is_not(None))
    .values(asked_at=bindparam("at", type_=K.asked_at.type))
)
_UNANSWERED = (
    update(ZONE_CONTENTS)
    .where(K.zone_id == bindparam("zone"), K.is_refused.is_(False))
    .values(problem=bindparam("why"))
)
_ALL_DUE = (
    update(ZONE_CONTENTS)
    .where(K.zone_id.in_(select(Z.id).where(Z.credential_id == bindparam("credential"))))
    .values(asked_at=null())
)


@dataclass(frozen=True)
class Question:
    """A zone that has to be looked into."""

    zone_id: int
    account_id: int
    credential_id: int


@dataclass(frozen=True)
class Kept:
    """What is kept of a zone, as ``contentvalue`` writes it; None for what nobody could look at yet."""

    records: list[list[str]] | None = None
    redirects: list[list[str]] | None = None
    seen_redirects: list[str] | None = None
    record_drift: Difference | None = None
    redirect_drift: Difference | None = None
    accepted_at: datetime | None = None
    seen_at: datetime | None = None
    problem: str | None = None
    is_refused: bool = False
    revision: int = 0

    @property
    def is_drifted(self) -> bool:
        """Tell whether something differed when the zone was last looked into."""
        return self.record_drift is not None or self.redirect_drift is not None


def due(connection: Connection, *, before: datetime, limit: int) -> list[Question]:
    """Return zones, of all accounts, that nobody has looked into since a moment; the longest waiting first."""
    return [Question(*row) for row in connection.execute(_DUE, {"before": before, "limit": limit})]


def note_asked(connection: Connection, zone_ids: Sequence[int], at: datetime) -> None:
    """Write down as of when zones count as looked into."""
    if zone_ids:
        rows = [{"zone_id": zone_id, "asked_at": at, "revision": 0, "is_refused": False} for zone_id in zone_ids]
        connection.execute(_asked(connection.dialect.name), rows)


def find(connection: Connection, zone_id: int, *, is_held: bool = False) -> Kept:
    """Return what is kept of a zone; ``is_held``: nobody else changes it until the end of the transaction."""
    row = connection.execute(_HELD if is_held else _FIND, {"zone": zone_id}).first()
    return Kept() if row is None else _kept(row)


def zone_of(connection: Connection, account_id: int, remote_id: str) -> int | None:
    """Return the zone of an account by its id at the provider."""
    found: int | None = connection.execute(_ZONE_OF, {"remote": remote_id, "account": account_id}).scalar()
    return found


def put(connection: Connection, zone_id: int, **values: object) -> None:
    """Write down some of what is kept of a zone."""
    connection.execute(_change(connection.dialect.name, tuple(values)), {"zone_id": zone_id, **_ROW, **values})


def grow(connection: Connection, zone_id: int, *, is_due: bool) -> None:
    """Let what was seen before this moment say nothing any more; ``is_due``: the zone is looked into again at once."""
    connection.execute(_grown(connection.dialect.name), {"zone_id": zone_id, **_ROW, "revision": 1})
    if is_due:
        make_due(connection, zone_id)


def note_problem(connection: Connection, zone_id: int, problem: str, *, is_refused: bool) -> None:
    """Write down why a zone could not be looked into."""
    put(connection, zone_id, problem=problem, is_refused=is_refused)


def note_unanswered(connection: Connection, zone_id: int, problem: str) -> None:
    """Write down why nothing was heard of a zone, unless it is known that the credential may not look into it."""
    connection.execute(_UNANSWERED, {"zone": zone_id, "why": problem})


def note_looked(connection: Connection, zone_id: int, at: datetime) -> None:
    """Write down when a zone was looked into; one that was made due meanwhile stays so."""
    connection.execute(_LOOKED, {"zone": zone_id, "at": at})


def make_due(connection: Connection, zone_id: int) -> None:
    """Let a zone be looked into."""
    connection.execute(_DUE_AGAIN, {"zone": zone_id})


def make_all_due(connection: Connection, credential_ids: Sequence[int]) -> None:
    """Let all zones of credentials be looked into."""
    if credential_ids:
        connection.execute(_ALL_DUE, [{"credential": credential_id} for credential_id in credential_ids])


def unreadable(connection: Connection, account_id: int) -> dict[int, str]:
    """Return the credentials of an account that may not look into one of their zones, with why."""
    found: dict[int, str] = {}
    for row in connection.execute(_UNREADABLE, {"account": account_id}):
        found.setdefault(row.credential_id, row.problem or "refused")
    return found


def difference(told: dict[str, list[str]] | None) -> Difference | None:
    """Read a difference as it is stored."""
    return None if told is None else Difference(tuple(told["expected"]), tuple(told["seen"]))


# What a row has that nobody has looked into yet.
_ROW: dict[str, Any] = {"revision": 0, "is_refused": False}


@cache
def _asked(dialect: str) -> "postgresql.Insert | sqlite.Insert":
    made = insert_into(ZONE_CONTENTS, dialect)
    return made.on_conflict_do_update(index_elements=["zone_id"], set_={"asked_at": made.excluded.asked_at})


@cache
def _grown(dialect: str) -> "postgresql.Insert | sqlite.Insert":
    made = insert_into(ZONE_CONTENTS, dialect)
    return made.on_conflict_do_update(index_elements=["zone_id"], set_={"revision": K.revision + 1})


@cache
def _change(dialect: str, names: tuple[str, ...]) -> "postgresql.Insert | sqlite.Insert":
    made = insert_into(ZONE_CONTENTS, dialect)
    changed = {name: made.excluded[name] for name in names}
    return made.on_conflict_do_update(index_elements=["zone_id"], set_=changed)


def _kept(row: AnyRow) -> Kept:
    return Kept(
        records=row.records,
        redirects=row.redirects,
        seen_redirects=row.seen_redirects,
        record_drift=difference(row.record_drift),
        redirect_drift=difference(row.redirect_drift),
        accepted_at=row.accepted_at,
        seen_at=row.seen_at,
        problem=row.problem,
        is_refused=row.is_refused,
        revision=row.revision,
    )
