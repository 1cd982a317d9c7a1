"""Queries of rollouts: what is planned for which zone, what became of it, and what is next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, String, bindparam, case, cast, func, insert, or_, select, update

from keystead.db.prepared import Prepared
from keystead.jobs.models import JOBS
from keystead.jobs.store import State
from keystead.vault.models import ROLLOUT_ZONES, ROLLOUTS
from keystead.vault.rolloutvalue import Outcome, Totals, ZoneResult
from keystead.vault.templateplan import Loss, Step, ZonePlan, step_of

R, Z = ROLLOUTS.c, ROLLOUT_ZONES.c
_PLANNING, _APPLYING = JOBS.alias("planning"), JOBS.alias("applying")
_ONE = R.number == bindparam("rollout")
_OF_ACCOUNT = R.account_id == bindparam("account")
_INSERT = insert(ROLLOUTS).returning(R.number)
_INSERT_ZONES = Prepared(insert(ROLLOUT_ZONES))
_SHOWN = select(
    R.number,
    R.template,
    R.digest,
    R.created_at,
    _PLANNING.c.number.label("plan_job"),
    _PLANNING.c.state.label("planning"),
    _PLANNING.c.message.label("plan_message"),
    _APPLYING.c.number.label("apply_job"),
    _APPLYING.c.state.label("applying"),
    _APPLYING.c.message.label("apply_message"),
).select_from(
    ROLLOUTS.join(_PLANNING, R.plan_job == _PLANNING.c.number).join(
        _APPLYING, R.apply_job == _APPLYING.c.number, isouter=True
    )
)
_FIND = _SHOWN.where(_ONE, _OF_ACCOUNT)
_PAGE = _SHOWN.where(_OF_ACCOUNT, R.number < bindparam("before")).order_by(R.number.desc()).limit(bindparam("limit"))
_OF_JOB = select(R.number, R.template, R.body, R.given).where(
    or_(R.plan_job == bindparam("job"), R.apply_job == bindparam("job"))
)
_START = update(ROLLOUTS).where(_ONE, R.apply_job.is_(None)).values(apply_job=bindparam("new_job"))
_SET_DIGEST = update(ROLLOUTS).where(_ONE).values(digest=bindparam("new_digest"))
_OF = Z.rollout == bindparam("rollout")
_OF_THESE = Z.rollout.in_(bindparam("rollouts", expanding=True))
_TOTALS = (
    select(
        Z.rollout,
        Z.outcome,
        func.count(),
        func.sum(Z.creates),
        func.sum(Z.changes),
        func.sum(Z.deletes),
        func.sum(Z.left_alone),
    )
    .where(_OF_THESE)
    .group_by(Z.rollout, Z.outcome)
)
_IS_LEFT = (_OF, Z.outcome.in_(bindparam("outcomes", expanding=True)))
_NEXT = (
    select(Z.position, Z.zone_id, Z.zone, Z.steps, Z.attempts)
    .where(*_IS_LEFT, or_(Z.due_at.is_(None), Z.due_at <= bindparam("at", type_=Z.due_at.type)))
    # What an earlier process was about comes first.
    .order_by(case((Z.outcome == Outcome.APPLYING.value, 0), else_=1), Z.position)
    .limit(bindparam("limit"))
)
_SOONEST = select(Z.due_at, Z.reason).where(*_IS_LEFT, Z.due_at.is_not(None)).order_by(Z.due_at).limit(1)
_AT = (Z.rollout == bindparam("at_rollout"), Z.position == bindparam("at_position"))
_SET = update(ROLLOUT_ZONES).where(*_AT).values(outcome=bindparam("new_outcome"), reason=bindparam("new_reason"))
_END = _SET.where(Z.outcome == Outcome.APPLYING.value)
_PUT_OFF = (
    update(ROLLOUT_ZONES)
    .where(*_AT, Z.outcome.in_((Outcome.WAITING.value, Outcome.APPLYING.value)))
    .values(attempts=bindparam("new_attempts"), due_at=bindparam("until"), reason=bindparam("new_reason"))
)
_PLAN = (
    update(ROLLOUT_ZONES)
    .where(*_AT)
    .values(
        outcome=bindparam("new_outcome"),
        steps=bindparam("new_steps", type_=Z.steps.type),
        creates=bindparam("new_creates"),
        changes=bindparam("new_changes"),
        deletes=bindparam("new_deletes"),
        record_deletes=bindparam("new_record_deletes"),
        present=bindparam("new_present"),
        left_alone=bindparam("new_left"),
        reason=None,
        attempts=0,
        due_at=None,
    )
)
_LOSSES = (
    select(Z.rollout, Z.zone, Z.present, Z.record_deletes, Z.deletes)
    .where(_OF_THESE, Z.deletes > 0, Z.outcome == Outcome.PLANNED.value)
    .order_by(Z.rollout, Z.position)
)
_STEPS = select(Z.zone, Z.steps).where(_OF, Z.outcome == Outcome.PLANNED.value).order_by(Z.position)
_RESULTS = (
    select(
        Z.position,
        Z.zone_id,
        Z.zone,
        Z.outcome,
        Z.creates,
        Z.changes,
        Z.deletes,
        Z.left_alone.label("left"),
        Z.reason,
        Z.steps,
    )
    .where(
        _OF,
        Z.position > bindparam("after"),
        or_(cast(bindparam("outcome"), String).is_(None), Z.outcome == bindparam("outcome")),
    )
    .order_by(Z.position)
    .limit(bindparam("limit"))
)


@dataclass(frozen=True)
class Shown:
    """A rollout with the jobs that plan it and carry it out."""

    number: int
    template: str
    digest: str | None
    created_at: datetime
    plan_job: int
    planning: State
    apply_job: int | None
    applying: State | None
    message: str | None


@dataclass(frozen=True)
class NewRollout:
    """A rollout to be written; ``given`` are the values of placeholders."""

    account_id: int
    template: str
    body: Mapping[str, Any]
    given: Mapping[str, str]
    plan_job: int
    created_at: datetime


class Given(NamedTuple):
    """What a job has to know of its rollout."""

    number: int
    template: str
    body: Mapping[str, Any]
    given: Mapping[str, str]


class ToDo(NamedTuple):
    """A zone that is next, with what was planned for it; ``attempts`` are those that failed in vain so far."""

    position: int
    zone_id: int
    zone: str
    steps: tuple[Step, ...]
    attempts: int


class Soonest(NamedTuple):
    """When the next of the zones that were put off is tried again, and why it was put off."""

    due_at: datetime
    reason: str | None


def add(connection: Connection, new: NewRollout, zones: Iterable[tuple[int, str]]) -> int:
    """Write a rollout with its zones (ids and names), and return its number."""
    number = int(connection.execute(_INSERT, vars(new)).scalar_one())
    counts = ("creates", "changes", "deletes", "record_deletes", "present", "left_alone", "attempts")
    names = ("rollout", "position", "zone_id", "zone", "outcome", "steps", *counts, "reason", "due_at")
    fixed: tuple[Any, ...] = (Outcome.WAITING.value, [], *(0 for _ in counts), None, None)
    rows = [(number, position, ident, name, *fixed) for position, (ident, name) in enumerate(zones)]
    _INSERT_ZONES.run_many(connection, names, rows)
    return number


def find(connection: Connection, account_id: int, number: int) -> Shown | None:
    """Return a rollout of an account."""
    row = connection.execute(_FIND, {"rollout": number, "account": account_id}).mappings().first()
    return None if row is None else _shown(row)


def page(connection: Connection, account_id: int, *, before: int, limit: int) -> list[Shown]:
    """Return rollouts of an account, the newest first."""
    values = {"account": account_id, "before": before, "limit": limit}
    return [_shown(row) for row in connection.execute(_PAGE, values).mappings()]


def of_job(connection: Connection, job: int) -> Given | None:
    """Return the rollout that a job plans or carries out."""
    row = connection.execute(_OF_JOB, {"job": job}).first()
    return None if row is None else Given(*row)


def start(connection: Connection, number: int, job: int) -> bool:
    """Give a rollout the job that carries it out; return False when it has one."""
    return connection.execute(_START, {"rollout": number, "new_job": job}).rowcount == 1


def set_digest(connection: Connection, number: int, digest: str) -> None:
    """Write down the digest of a plan that is complete."""
    connection.execute(_SET_DIGEST, {"rollout": number, "new_digest": digest})


def totals(connection: Connection, numbers: Sequence[int]) -> dict[int, Totals]:
    """Sum up what each of some rollouts does, and count its zones by outcome."""
    found: dict[int, list[Sequence[Any]]] = {number: [] for number in numbers}
    for rollout, *row in connection.execute(_TOTALS, {"rollouts": list(numbers)}):
        found[rollout].append(row)
    return {number: _totals(rows) for number, rows in found.items()}


def next_(connection: Connection, number: int, outcomes: Sequence[Outcome], *, at: datetime, limit: int) -> list[ToDo]:
    """Return the next zones that have one of some outcomes, without those that are put off until later."""
    values = {"rollout": number, "outcomes": [one.value for one in outcomes], "at": at, "limit": limit}
    return [ToDo(row[0], row[1], row[2], _steps(row[3]), row[4]) for row in connection.execute(_NEXT, values)]


def soonest(connection: Connection, number: int, outcomes: Sequence[Outcome]) -> Soonest | None:
    """Return when the first zone is due that has one of some outcomes and was put off; None when there is none."""
    row = connection.execute(_SOONEST, {"rollout": number, "outcomes": [one.value for one in outcomes]}).first()
    return None if row is None else Soonest(*row)


def set_outcome(connection: Connection, number: int, position: int, outcome: Outcome, reason: str | None) -> None:
    """Write down what became of a zone."""
    connection.execute(_SET, _at(number, position) | {"new_outcome": outcome.value, "new_reason": reason})


def end(connection: Connection, number: int, position: int, outcome: Outcome, reason: str | None) -> bool:
    """Write down how changing a zone ended; return False when somebody else has written that."""
    values = _at(number, position) | {"new_outcome": outcome.value, "new_reason": reason}
    return connection.execute(_END, values).rowcount == 1


def put_off(connection: Connection, number: int, position: int, *, attempts: int, until: datetime, reason: str) -> None:
    """Write down that a zone is tried again later; one that is over already stays so."""
    values = {"new_attempts": attempts, "until": until, "new_reason": reason}
    connection.execute(_PUT_OFF, _at(number, position) | values)


def set_plan(connection: Connection, number: int, position: int, plan: ZonePlan, counts: Mapping[str, int]) -> None:
    """Write down what is planned for a zone."""
    outcome = Outcome.PLANNED if plan.steps else Outcome.SAME
    values = {
        "new_outcome": outcome.value,
        "new_steps": [step.as_data() for step in plan.steps],
        "new_present": plan.present,
        "new_left": plan.left,
    }
    named = {f"new_{name}": count for name, count in counts.items()}
    connection.execute(_PLAN, _at(number, position) | values | named)


def losses(connection: Connection, numbers: Sequence[int]) -> dict[int, list[Loss]]:
    """Return what each of some rollouts is planned to delete of which zone."""
    found: dict[int, list[Loss]] = {number: [] for number in numbers}
    for rollout, *row in connection.execute(_LOSSES, {"rollouts": list(numbers)}):
        found[rollout].append(Loss(*row))
    return found


def planned_steps(connection: Connection, number: int) -> list[tuple[str, tuple[Step, ...]]]:
    """Return the steps of every zone that is planned, in their order."""
    return [(row[0], _steps(row[1])) for row in connection.execute(_STEPS, {"rollout": number})]


def results(connection: Connection, number: int, *, outcome: str | None, after: int, limit: int) -> list[ZoneResult]:
    """Return what a rollout does to its zones and what became of them, by position."""
    values = {"rollout": number, "outcome": outcome, "after": after, "limit": limit}
    return [
        ZoneResult(**{**row, "steps": _steps(row["steps"])}) for row in connection.execute(_RESULTS, values).mappings()
    ]


def _totals(rows: Sequence[Sequence[Any]]) -> Totals:
    creates, changes, deletes, left = (sum(int(row[column]) for row in rows) for column in range(2, 6))
    return Totals(creates, changes, deletes, left, {row[0]: int(row[1]) for row in rows})


def _shown(row: Mapping[Any, Any]) -> Shown:
    is_applied = row["applying"] is not None
    return Shown(
        row["number"],
        row["template"],
        row["digest"],
        row["created_at"],
        row["plan_job"],
        State(row["planning"]),
        row["apply_job"],
        State(row["applying"]) if is_applied else None,
        row["apply_message"] if is_applied else row["plan_message"],
    )


def _steps(data: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    return tuple(step_of(one) for one in data)


def _at(number: int, position: int) -> dict[str, Any]:
    return {"at_rollout": number, "at_position": position}
