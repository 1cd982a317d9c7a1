"""Queries of the core processes that were read: which live, which have ended, and which are forgotten."""

from enum import StrEnum

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from keystead.db.prepared import Prepared
from keystead.vpn.models import DEPARTED_LABELS, PROCESSES, TRAFFIC_OTHERS

P = PROCESSES.c

# Forgotten processes whose names are kept, so that a reading that comes very late is not taken for a new process's.
_KEPT = 100

_STAGE = Prepared(select(P.stage).where(P.name == bindparam("name")))
_ADD = Prepared(insert(PROCESSES))
_SET_STAGE = update(PROCESSES).where(P.name == bindparam("at_name")).values(stage=bindparam("to_stage"))
_OF_SCOPE = Prepared(select(P.name, P.stage).where(P.scope == bindparam("scope")).order_by(P.number))
_NAMES = select(P.name)
_PRUNE = delete(PROCESSES).where(
    P.stage == "forgotten", P.number <= select(func.max(P.number)).scalar_subquery() - _KEPT
)
_FORGET_OTHERS = delete(TRAFFIC_OTHERS).where(TRAFFIC_OTHERS.c.process == bindparam("at_process"))
_FORGET_DEPARTED = delete(DEPARTED_LABELS).where(DEPARTED_LABELS.c.process == bindparam("at_process"))


class Stage(StrEnum):
    """Where a core process is: live; ended, though readings of it may be on their way; forgotten."""

    LIVE = "live"
    ENDED = "ended"
    FORGOTTEN = "forgotten"


def meet(connection: Connection, scope: str, name: str) -> Stage:
    """Return the stage of a process; one that is new lives."""
    found = stage(connection, name)
    if found is None:
        _ADD.run(connection, {"scope": scope, "name": name, "stage": Stage.LIVE.value})
        return Stage.LIVE
    return found


def stage(connection: Connection, name: str) -> Stage | None:
    """Return the stage of a process, None for one that was never met."""
    found = _STAGE.scalar(connection, {"name": name})
    return None if found is None else Stage(found)


def stages(connection: Connection, scope: str) -> dict[str, Stage]:
    """Return every known process of a scope, in the order they were met."""
    return {name: Stage(found) for name, found in _OF_SCOPE.rows(connection, {"scope": scope})}


def names(connection: Connection) -> set[str]:
    """Return the names of all known processes."""
    return set(connection.execute(_NAMES).scalars())


def set_ended(connection: Connection, scope: str, name: str) -> None:
    """Record that a process has ended."""
    meet(connection, scope, name)
    connection.execute(_SET_STAGE, {"at_name": name, "to_stage": Stage.ENDED.value})


def forget(connection: Connection, name: str) -> None:
    """Drop what is kept for late readings of a process."""
    connection.execute(_SET_STAGE, {"at_name": name, "to_stage": Stage.FORGOTTEN.value})
    connection.execute(_FORGET_OTHERS, {"at_process": name})
    connection.execute(_FORGET_DEPARTED, {"at_process": name})
    connection.execute(_PRUNE)
