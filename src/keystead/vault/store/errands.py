"""Queries of errands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from keystead.vault.models import ERRANDS

WAITING, GIVEN_UP = "waiting", "given-up"
E = ERRANDS.c
_ONE = E.id == bindparam("errand")
_AT = bindparam("at", type_=E.due_at.type)
_UNTIL = bindparam("until", type_=E.due_at.type)
_IS_HELD = E.claim == bindparam("held")

_INSERT = insert(ERRANDS).returning(E.id)
_SET_SECRET = update(ERRANDS).where(_ONE).values(secret=bindparam("new_secret"))
_DUE = (
    select(E.id, E.account_id, E.credential_id, E.kind, E.details, E.secret, E.attempts)
    .where(E.state == WAITING, E.due_at <= _AT)
    .order_by(E.due_at, E.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_ONE_WAITING = (
    select(E.id, E.account_id, E.credential_id, E.kind, E.details, E.secret, E.attempts)
    .where(_ONE, E.state == WAITING)
    .with_for_update(skip_locked=True)
)
_CLAIM = update(ERRANDS).where(_ONE).values(claim=bindparam("new_claim"), due_at=_UNTIL, attempts=E.attempts + 1)
_FINISH = delete(ERRANDS).where(_ONE, _IS_HELD)
_PUT_OFF = update(ERRANDS).where(_ONE, _IS_HELD).values(claim=None, due_at=_UNTIL, problem=bindparam("new_problem"))
_GIVE_UP = (
    update(ERRANDS)
    .where(_ONE, _IS_HELD)
    .values(state=GIVEN_UP, claim=None, secret=None, problem=bindparam("new_problem"))
)
_MAKE_DUE = update(ERRANDS).where(_ONE, E.state == WAITING).values(due_at=_AT, claim=None)
_CHANGE_DETAILS = update(ERRANDS).where(_ONE, _IS_HELD).values(details=bindparam("new_details", type_=E.details.type))
_DROP = delete(ERRANDS).where(_ONE)
_MAKE_ALL_DUE = update(ERRANDS).where(E.state == WAITING).values(claim=None, due_at=_AT)
_IS_WAITING = (
    select(E.id)
    .where(E.credential_id == bindparam("credential"), E.kind == bindparam("of_kind"), E.state == WAITING)
    .limit(1)
)
_OF_ACCOUNT = (
    select(E.id, E.credential_id, E.kind, E.state, E.attempts, E.due_at, E.problem, E.created_at)
    .where(E.account_id == bindparam("account"))
    .order_by(E.id)
)


@dataclass(frozen=True)
class Errand:
    """Something to be done at a provider, claimed by whoever holds it; ``secret`` is still sealed."""

    id: int
    account_id: int
    credential_id: int | None
    kind: str
    details: Mapping[str, Any]
    secret: str | None
    attempts: int
    claim: str


@dataclass(frozen=True)
class Shown:
    """An errand as it is shown to people."""

    id: int
    credential_id: int | None
    kind: str
    state: str
    attempts: int
    due_at: datetime
    problem: str | None
    created_at: datetime


def insert_errand(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert a waiting errand without a secret and return its id."""
    row = {"state": WAITING, "attempts": 0, **values}
    return int(connection.execute(_INSERT, row).scalar_one())


def set_secret(connection: Connection, errand_id: int, sealed: str) -> None:
    """Put the sealed secret into an errand."""
    connection.execute(_SET_SECRET, {"errand": errand_id, "new_secret": sealed})


def claim_due(connection: Connection, limit: int, *, at: datetime, until: datetime, claim: str) -> list[Errand]:
    """Take errands that are due, the longest waiting first; nobody else gets them before ``until``."""
    return _claimed(connection, _DUE, {"at": at, "limit": limit}, until=until, claim=claim)


def claim_one(connection: Connection, errand_id: int, *, until: datetime, claim: str) -> Errand | None:
    """Take one errand, due or not; None when it is gone."""
    found = _claimed(connection, _ONE_WAITING, {"errand": errand_id}, until=until, claim=claim)
    return found[0] if found else None


def is_waiting(connection: Connection, credential_id: int, kind: str) -> bool:
    """Tell whether an errand of a kind waits for a credential."""
    return connection.execute(_IS_WAITING, {"credential": credential_id, "of_kind": kind}).first() is not None


def finish(connection: Connection, errand: Errand) -> bool:
    """Delete an errand that is done; return False, with nothing done, when it is no longer ours."""
    return connection.execute(_FINISH, {"errand": errand.id, "held": errand.claim}).rowcount == 1


def put_off(connection: Connection, errand: Errand, until: datetime, problem: str | None) -> None:
    """Give an errand back until a moment."""
    values = {"errand": errand.id, "held": errand.claim, "until": until, "new_problem": problem}
    connection.execute(_PUT_OFF, values)


def give_up(connection: Connection, errand: Errand, problem: str) -> bool:
    """Keep an errand that cannot be done, for people to see, without its secret."""
    values = {"errand": errand.id, "held": errand.claim, "new_problem": problem}
    return connection.execute(_GIVE_UP, values).rowcount == 1


def change_details(connection: Connection, errand: Errand, details: Mapping[str, Any]) -> None:
    """Note how far an errand has come."""
    connection.execute(_CHANGE_DETAILS, {"errand": errand.id, "held": errand.claim, "new_details": details})


def make_due(connection: Connection, errand_id: int, at: datetime) -> None:
    """Let an errand come due at a moment."""
    connection.execute(_MAKE_DUE, {"errand": errand_id, "at": at})


def drop(connection: Connection, errand_id: int) -> None:
    """Delete an errand that is needed no more."""
    connection.execute(_DROP, {"errand": errand_id})


def make_all_due(connection: Connection, at: datetime) -> int:
    """Let everything that waits come due, claimed or not; return how many."""
    return connection.execute(_MAKE_ALL_DUE, {"at": at}).rowcount


def of_account(connection: Connection, account_id: int) -> list[Shown]:
    """Return an account's errands, oldest first."""
    return [Shown(*row) for row in connection.execute(_OF_ACCOUNT, {"account": account_id})]


def _claimed(
    connection: Connection, statement: Any, values: Mapping[str, Any], *, until: datetime, claim: str
) -> list[Errand]:
    rows = connection.execute(statement, values).all()
    if rows:
        connection.execute(_CLAIM, [{"errand": row.id, "new_claim": claim, "until": until} for row in rows])
    return [
        Errand(row.id, row.account_id, row.credential_id, row.kind, row.details, row.secret, row.attempts + 1, claim)
        for row in rows
    ]
