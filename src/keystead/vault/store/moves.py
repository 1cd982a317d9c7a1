"""Queries of domain moves: their domains, and how each stands."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from sqlalchemy import Connection, String, bindparam, cast, func, insert, or_, select, update

from keystead.vault.models import MOVE_ITEMS
from keystead.vault.movevalue import Item, Previous, Stage, State

M = MOVE_ITEMS.c
_OF_JOB = M.job == bindparam("of_job")
_NAMES = tuple(one.name for one in fields(Item))
# What never changes, and the former name servers, which are written once (``keep_previous``).
_KEY = ("job", "position", "domain", "previous")
_ONE = (M.job == bindparam("of_job"), M.position == bindparam("at_position"))
_INSERT = insert(MOVE_ITEMS)
_ALL = select(MOVE_ITEMS).where(_OF_JOB).order_by(M.position)
_WAITING = _ALL.where(M.state == State.WAITING.value)
_FAILED = _ALL.where(M.state == State.FAILED.value)
_PAGE = (
    select(MOVE_ITEMS)
    .where(
        _OF_JOB,
        M.position > bindparam("after"),
        or_(cast(bindparam("state"), String).is_(None), M.state == bindparam("state")),
    )
    .order_by(M.position)
    .limit(bindparam("limit"))
)
_COUNTS = (
    select(M.job, M.state, M.stage, func.count())
    .where(M.job.in_(bindparam("jobs", expanding=True)))
    .group_by(M.job, M.state, M.stage)
)
_SET = (
    update(MOVE_ITEMS)
    .where(*_ONE)
    .values({name: bindparam(f"new_{name}", type_=M[name].type) for name in _NAMES if name not in _KEY})
)
_SET_MAKING = update(MOVE_ITEMS).where(*_ONE).values(is_making=bindparam("new_making"))
_KEEP_PREVIOUS = (
    update(MOVE_ITEMS)
    .where(*_ONE, M.previous.is_(None))
    .values(previous=bindparam("new_previous", type_=M.previous.type))
)
_PREVIOUS = select(M.previous).where(*_ONE)


class Count(NamedTuple):
    """How many domains of a move are in a state, at a stage."""

    state: State
    stage: Stage
    domains: int


def add(connection: Connection, items: Iterable[Item]) -> None:
    """Write the domains of a new move."""
    rows = [_row(item) for item in items]
    if rows:
        connection.execute(_INSERT, rows)


def all_(connection: Connection, job: int) -> list[Item]:
    """Return every domain of a move."""
    return [_item(row) for row in connection.execute(_ALL, {"of_job": job}).mappings()]


def waiting(connection: Connection, job: int) -> list[Item]:
    """Return the domains of a move that are still to be done."""
    return [_item(row) for row in connection.execute(_WAITING, {"of_job": job}).mappings()]


def failed(connection: Connection, job: int) -> list[Item]:
    """Return the domains of a move that failed."""
    return [_item(row) for row in connection.execute(_FAILED, {"of_job": job}).mappings()]


def page(connection: Connection, job: int, *, state: State | None, after: int, limit: int) -> list[Item]:
    """Return domains behind a position, all or those in a state."""
    values = {"of_job": job, "state": None if state is None else state.value, "after": after, "limit": limit}
    return [_item(row) for row in connection.execute(_PAGE, values).mappings()]


def counts(connection: Connection, jobs: Sequence[int]) -> dict[int, list[Count]]:
    """Count the domains of each of some moves by state and stage."""
    found: dict[int, list[Count]] = {job: [] for job in jobs}
    for job, state, stage, domains in connection.execute(_COUNTS, {"jobs": list(jobs)}):
        found[job].append(Count(State(state), Stage(stage), domains))
    return found


def set_(connection: Connection, item: Item) -> None:
    """Write how a domain stands."""
    row = _row(item)
    values = {f"new_{name}": value for name, value in row.items() if name not in _KEY}
    connection.execute(_SET, {"of_job": item.job, "at_position": item.position, **values})


def set_making(connection: Connection, item: Item, *, is_making: bool) -> None:
    """Write whether a zone may have been asked for."""
    one = {"of_job": item.job, "at_position": item.position}
    connection.execute(_SET_MAKING, {**one, "new_making": is_making})


def keep_previous(connection: Connection, item: Item, previous: Previous) -> Previous:
    """Write a domain's name servers as they were before anything was changed; the first that were written stay.

    Returns those that are kept.
    """
    one = {"of_job": item.job, "at_position": item.position}
    connection.execute(_KEEP_PREVIOUS, {**one, "new_previous": previous.as_data()})
    return kept_previous(connection, item) or previous


def kept_previous(connection: Connection, item: Item) -> Previous | None:
    """Return what was kept; None while nothing is."""
    one = {"of_job": item.job, "at_position": item.position}
    return _previous(connection.execute(_PREVIOUS, one).scalar_one())


def _row(item: Item) -> dict[str, Any]:
    made = {name: getattr(item, name) for name in _NAMES}
    previous = None if item.previous is None else item.previous.as_data()
    told = {"state": item.state.value, "stage": item.stage.value, "name_servers": list(item.name_servers)}
    return {**made, **told, "previous": previous}


def _item(row: Mapping[Any, Any]) -> Item:
    return Item(
        **{
            **row,
            "state": State(row["state"]),
            "stage": Stage(row["stage"]),
            "name_servers": tuple(row["name_servers"]),
            "previous": _previous(row["previous"]),
        }
    )


def _previous(kept: Mapping[str, Any] | None) -> Previous | None:
    return None if kept is None else Previous(tuple(kept["names"]), kept["is_own_dns"])
