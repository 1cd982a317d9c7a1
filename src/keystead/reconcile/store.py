"""Queries of the scopes table."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from keystead.db.prepared import Prepared
from keystead.reconcile.models import SCOPES

_SELECT = select(SCOPES).where(SCOPES.c.name == bindparam("scope"))
_SELECT_ALL = select(SCOPES).order_by(SCOPES.c.name)
_INSERT = insert(SCOPES)
_RECORD = (
    update(SCOPES)
    .where(SCOPES.c.name == bindparam("scope"))
    .values(
        {name: bindparam(f"new_{name}") for name in ("state", "message", "plan_text", "plan_digest", "duration_ms")}
    )
)
_RAISE_APPLIED = Prepared(
    update(SCOPES)
    .where(SCOPES.c.name == bindparam("scope"), SCOPES.c.applied_generation < bindparam("reached"))
    .values(applied_generation=bindparam("reached"), applied_at=bindparam("at"))
)


@dataclass(frozen=True)
class ScopeStatus:
    """How a scope stands: desired and applied generation, and how the last full pass went."""

    name: str
    generation: int
    applied_generation: int
    state: str
    message: str | None
    plan_text: str | None
    plan_digest: str | None
    applied_at: datetime | None
    duration_ms: int | None


@dataclass(frozen=True)
class PassRecord:
    """What is written down about a full pass."""

    state: str
    message: str | None
    plan_text: str
    plan_digest: str
    duration_ms: int


def register(connection: Connection, scope: str) -> None:
    """Create the row of a scope unless it is there."""
    if connection.execute(_SELECT, {"scope": scope}).first() is None:
        connection.execute(_INSERT, {"name": scope, "generation": 0, "applied_generation": 0, "state": "new"})


def status(connection: Connection, scope: str) -> ScopeStatus | None:
    """Return how a scope stands, or None when there is no such scope."""
    row = connection.execute(_SELECT, {"scope": scope}).mappings().first()
    return None if row is None else ScopeStatus(**row)


def all_statuses(connection: Connection) -> list[ScopeStatus]:
    """Return how every scope stands, by name."""
    return [ScopeStatus(**row) for row in connection.execute(_SELECT_ALL).mappings()]


def generation(connection: Connection, scope: str) -> int:
    """Return the generation of desired state of a registered scope."""
    found = status(connection, scope)
    return 0 if found is None else found.generation


def raise_applied(connection: Connection, scope: str, reached: int, at: datetime) -> None:
    """Record that everything up to a generation is in the engine."""
    _RAISE_APPLIED.run(connection, {"scope": scope, "reached": reached, "at": at})


def record_pass(connection: Connection, scope: str, record: PassRecord) -> None:
    """Record how a full pass went."""
    connection.execute(
        _RECORD,
        {
            "scope": scope,
            "new_state": record.state,
            "new_message": record.message,
            "new_plan_text": record.plan_text,
            "new_plan_digest": record.plan_digest,
            "new_duration_ms": record.duration_ms,
        },
    )
