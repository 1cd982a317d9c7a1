"""Queries of jobs: put one in, claim what is due, hold and move it on, end it, look at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select, update

from keystead.jobs.errors import JobLost
from keystead.jobs.models import JOBS

J = JOBS.c


class State(StrEnum):
    """Where a job is on its way."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Job:
    """A job; ``attempts`` counts this claim, so that more than one means that somebody began before."""

    number: int
    account_id: int
    kind: str
    caller: Mapping[str, Any]
    request: Mapping[str, Any]
    state: State
    total: int
    done: int
    message: str | None
    attempts: int
    claim: str | None
    due_at: datetime
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class NewJob:
    """A job to be put in; ``caller`` and ``request`` are JSON values without secrets."""

    account_id: int
    kind: str
    caller: Mapping[str, Any]
    request: Mapping[str, Any]
    total: int


_OPEN = (State.WAITING.value, State.RUNNING.value)
_INSERT = insert(JOBS).returning(J.number)
_OF_ACCOUNT = (J.account_id == bindparam("account_id"), J.kind == bindparam("kind"))
_FIND = select(JOBS).where(*_OF_ACCOUNT, J.number == bindparam("number"))
_PAGE = (
    select(JOBS).where(*_OF_ACCOUNT, J.number < bindparam("before")).order_by(J.number.desc()).limit(bindparam("limit"))
)
_LAST_ENDED = (
    select(JOBS).where(J.kind == bindparam("kind"), J.ended_at.is_not(None)).order_by(J.ended_at.desc()).limit(1)
)
_PUT_OFF = (
    select(JOBS)
    .where(J.kind == bindparam("kind"), J.state.in_(_OPEN), J.message.is_not(None))
    .order_by(J.number)
    .limit(bindparam("limit"))
)
_IS_DUE = (
    J.state.in_(_OPEN),
    J.due_at <= bindparam("at", type_=J.due_at.type),
    J.kind.in_(bindparam("kinds", expanding=True)),
)
_DUE = select(JOBS).where(*_IS_DUE).order_by(J.due_at, J.number).limit(1).with_for_update(skip_locked=True)
_ANY_DUE = select(J.number).where(*_IS_DUE).limit(1)
_CLAIM = (
    update(JOBS)
    .where(J.number == bindparam("job"))
    .values(state=State.RUNNING.value, claim=bindparam("new_claim"), due_at=bindparam("until"), attempts=J.attempts + 1)
)
_IS_HELD = (
    J.number == bindparam("job"),
    J.claim == bindparam("held_claim"),
    J.state == State.RUNNING.value,
)
_RENEW = update(JOBS).where(*_IS_HELD).values(due_at=bindparam("until"))
_HOLD = select(J.done).where(*_IS_HELD).with_for_update()
_ADVANCE = update(JOBS).where(*_IS_HELD).values(done=bindparam("new_done"), message=None)
_RELEASE = update(JOBS).where(*_IS_HELD).values(claim=None, due_at=bindparam("until"), message=bindparam("new_message"))
_END = (
    update(JOBS)
    .where(*_IS_HELD)
    .values(state=bindparam("new_state"), message=bindparam("new_message"), claim=None, ended_at=bindparam("at"))
)
_PAUSE = (
    update(JOBS).where(J.number == bindparam("job"), J.state.in_(_OPEN)).values(state=State.PAUSED.value, claim=None)
)
_ANEW: dict[str, Any] = {
    "state": State.WAITING.value,
    "claim": None,
    "due_at": bindparam("at"),
    "ended_at": None,
    "message": None,
}
_GO_ON = update(JOBS).where(J.number == bindparam("job"), J.state == State.PAUSED.value).values(_ANEW)
# A worker that has done every part only finishes up and looks for no more of them: it loses its claim.
_REOPEN = (
    update(JOBS)
    .where(
        J.number == bindparam("job"),
        or_(
            J.state.in_((State.DONE.value, State.FAILED.value)),
            and_(J.state == State.RUNNING.value, J.done >= J.total),
        ),
    )
    .values(_ANEW)
)
_LESS = update(JOBS).where(J.number == bindparam("job")).values(done=J.done - bindparam("less"))
_CANCEL = (
    update(JOBS)
    .where(J.number == bindparam("job"), J.state.in_((*_OPEN, State.PAUSED.value)))
    .values(state=State.CANCELLED.value, claim=None, ended_at=bindparam("at"))
)
_FREE = update(JOBS).where(J.state == State.RUNNING.value).values(due_at=bindparam("at"))
_PURGE = delete(JOBS).where(J.ended_at < bindparam("before"))


def enqueue(connection: Connection, job: NewJob, at: datetime) -> int:
    """Put a job in and return its number; in the transaction of whatever it follows from."""
    values = {name: getattr(job, name) for name in ("account_id", "kind", "caller", "request", "total")}
    fixed = {"state": State.WAITING.value, "done": 0, "attempts": 0, "due_at": at, "created_at": at}
    return int(connection.execute(_INSERT, {**values, **fixed}).scalar_one())


def find(connection: Connection, account_id: int, kind: str, number: int) -> Job | None:
    """Return an account's job of a kind."""
    row = connection.execute(_FIND, {"account_id": account_id, "kind": kind, "number": number}).mappings().first()
    return None if row is None else _job(row)


def page(connection: Connection, account_id: int, kind: str, *, before: int, limit: int) -> Sequence[Job]:
    """Return an account's jobs of a kind, the newest first."""
    values = {"account_id": account_id, "kind": kind, "before": before, "limit": limit}
    return [_job(row) for row in connection.execute(_PAGE, values).mappings()]


def last_ended(connection: Connection, kind: str) -> Job | None:
    """Return the job of a kind that ended last, of whatever account; for who looks after the installation."""
    row = connection.execute(_LAST_ENDED, {"kind": kind}).mappings().first()
    return None if row is None else _job(row)


def put_off(connection: Connection, kind: str, *, limit: int) -> Sequence[Job]:
    """Return jobs of a kind that were begun and put off, of all accounts, the oldest first."""
    return [_job(row) for row in connection.execute(_PUT_OFF, {"kind": kind, "limit": limit}).mappings()]


def is_any_due(connection: Connection, kinds: Sequence[str], at: datetime) -> bool:
    """Tell whether a job of these kinds is due: a look into an index."""
    return connection.execute(_ANY_DUE, {"kinds": list(kinds), "at": at}).first() is not None


def claim(connection: Connection, kinds: Sequence[str], *, at: datetime, until: datetime, claim: str) -> Job | None:
    """Take the job of these kinds that is due the longest; nobody else gets it before ``until``."""
    row = connection.execute(_DUE, {"at": at, "kinds": list(kinds)}).mappings().first()
    if row is None:
        return None
    connection.execute(_CLAIM, {"job": row["number"], "new_claim": claim, "until": until})
    return _job({**row, "state": State.RUNNING.value, "claim": claim, "attempts": row["attempts"] + 1})


def renew(connection: Connection, job: Job, until: datetime) -> bool:
    """Prolong a lease; tell whether the job is still this worker's."""
    return connection.execute(_RENEW, {**_held(job), "until": until}).rowcount == 1


def hold(connection: Connection, job: Job) -> int:
    """Keep a job from being cancelled or taken until the commit; return how much of it is done. Raises JobLost."""
    row = connection.execute(_HOLD, _held(job)).first()
    if row is None:
        raise JobLost(f"job {job.number} is no longer this worker's")
    return int(row[0])


def advance(connection: Connection, job: Job, done: int) -> None:
    """Record how much of a held job is done, in the transaction that did it."""
    connection.execute(_ADVANCE, {**_held(job), "new_done": done})


def release(connection: Connection, job: Job, *, due_at: datetime, message: str | None) -> None:
    """Give a job back, to be gone on with later."""
    connection.execute(_RELEASE, {**_held(job), "until": due_at, "new_message": message})


def end(connection: Connection, job: Job, state: State, *, message: str | None, at: datetime) -> None:
    """Record how a job ended; nothing happens when it is no longer this worker's."""
    connection.execute(_END, {**_held(job), "new_state": state.value, "new_message": message, "at": at})


def cancel(connection: Connection, number: int, at: datetime) -> bool:
    """End a job where it is; tell whether there was something to end."""
    return connection.execute(_CANCEL, {"job": number, "at": at}).rowcount == 1


def pause(connection: Connection, number: int) -> bool:
    """Have nobody go on with a job until it is continued; tell whether there was something to pause."""
    return connection.execute(_PAUSE, {"job": number}).rowcount == 1


def go_on(connection: Connection, number: int, at: datetime) -> bool:
    """Have a paused job gone on with; tell whether it was paused."""
    return connection.execute(_GO_ON, {"job": number, "at": at}).rowcount == 1


def reopen(connection: Connection, number: int, at: datetime, *, less: int) -> None:
    """Have some parts of a job done again, ``less`` in number; one that has ended, or is about to, is gone on with.

    A job that was cancelled, or is paused, stays so.
    """
    connection.execute(_REOPEN, {"job": number, "at": at})
    connection.execute(_LESS, {"job": number, "less": less})


def free(connection: Connection, at: datetime) -> None:
    """Let every job that is claimed be claimed anew: for a process that knows that it is the only one."""
    connection.execute(_FREE, {"at": at})


def purge(connection: Connection, before: datetime) -> int:
    """Delete jobs that ended before a moment; return how many."""
    return connection.execute(_PURGE, {"before": before}).rowcount


def _held(job: Job) -> dict[str, object]:
    return {"job": job.number, "held_claim": job.claim}


def _job(row: Mapping[Any, Any]) -> Job:
    return Job(**{**row, "state": State(row["state"])})
