"""What a domain move is, and how each of its domains goes from stage to stage; pure.

    move   zone → records → name-servers → delegation → activation
    undo   restore → restored → zone-removal

A domain without a registrar here is *by hand*: a person sets its name servers, and DNS tells when that is done.

    move   zone → records → by-hand → activation
    undo   by-hand → zone-removal

A stage is tried until it is passed. Waiting is not a failure: for a provider's limit it costs nothing, and for DNS it
has an end of its own. What goes wrong for now is tried again, ever later and so many times; what is refused ends the
domain as failed, at that stage, from where a retry goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

ATTEMPTS_MAX = 8
# The waits between attempts of a stage; the last one goes on.
DELAYS_S = (5, 15, 60, 300, 900)
# Registries publish within minutes to hours, and what a parent's servers hold may be two days old.
WAITED_MAX = timedelta(hours=48)
# A person has to hear of it first, and may not have the password at hand.
BY_HAND_MAX = timedelta(days=14)
_WAIT_S = (5, 600)


class Direction(StrEnum):
    """Whether domains are moved, or a move is undone."""

    MOVE = "move"
    UNDO = "undo"


class Stage(StrEnum):
    """Where a domain is on its way."""

    ZONE = "zone"
    RECORDS = "records"
    NAME_SERVERS = "name-servers"
    BY_HAND = "by-hand"
    DELEGATION = "delegation"
    ACTIVATION = "activation"
    RESTORE = "restore"
    RESTORED = "restored"
    ZONE_REMOVAL = "zone-removal"


class State(StrEnum):
    """What became of a domain: still to be done, done, as wanted already, refused by the plan, or failed."""

    WAITING = "waiting"
    DONE = "done"
    SAME = "same"
    REFUSED = "refused"
    FAILED = "failed"


PATHS: Mapping[Direction, tuple[Stage, ...]] = {
    Direction.MOVE: (
        Stage.ZONE,
        Stage.RECORDS,
        Stage.NAME_SERVERS,
        Stage.BY_HAND,
        Stage.DELEGATION,
        Stage.ACTIVATION,
    ),
    Direction.UNDO: (Stage.RESTORE, Stage.RESTORED, Stage.BY_HAND, Stage.ZONE_REMOVAL),
}
_AT_A_REGISTRAR = frozenset({Stage.NAME_SERVERS, Stage.DELEGATION, Stage.RESTORE, Stage.RESTORED})
_WAITED: Mapping[Stage, timedelta] = {
    Stage.BY_HAND: BY_HAND_MAX,
    Stage.DELEGATION: WAITED_MAX,
    Stage.ACTIVATION: WAITED_MAX,
    Stage.RESTORED: WAITED_MAX,
}


@dataclass(frozen=True)
class Previous:
    """A domain's name servers at its registrar before they were changed, and whether those are the registrar's own."""

    names: tuple[str, ...]
    is_own_dns: bool = False

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"names": list(self.names), "is_own_dns": self.is_own_dns}


@dataclass(frozen=True)
class Item:
    """One domain of a move. ``zone_id`` is the provider's, and ``name_servers`` what that zone wants.

    ``is_making`` says that a zone may have been asked for without an answer, and ``is_made`` that this job made it.
    ``since`` is when the stage began; ``source`` is the zone that records are copied from.
    """

    job: int
    position: int
    domain: str
    state: State
    stage: Stage
    attempts: int
    due_at: datetime
    since: datetime
    zone_credential_id: int | None = None
    registrar_credential_id: int | None = None
    source: str | None = None
    is_making: bool = False
    is_made: bool = False
    zone_id: str | None = None
    name_servers: tuple[str, ...] = ()
    previous: Previous | None = None
    removes_zone: bool = False
    problem: str | None = None

    @property
    def is_by_hand(self) -> bool:
        """Tell whether a person sets its name servers, because no registrar here has it."""
        return self.registrar_credential_id is None

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more is done by itself."""
        return self.state is not State.WAITING


@dataclass(frozen=True)
class Passed:
    """A stage is passed. ``learnt`` goes by the names of an item's fields; ``did`` says what was changed, for audit."""

    learnt: Mapping[str, Any] = field(default_factory=dict)
    did: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Waits:
    """Something outside takes its time; ``after_s`` None lets the waits grow with the time that has passed."""

    what: str
    after_s: float | None = None
    is_making: bool | None = None


@dataclass(frozen=True)
class Missed:
    """An attempt failed in a way that another one may cure; ``is_making`` says what may have been asked for."""

    problem: str
    after_s: float | None = None
    is_making: bool | None = None


@dataclass(frozen=True)
class Refused:
    """It cannot be done, whoever asks again."""

    problem: str
    is_making: bool | None = None


Outcome = Passed | Waits | Missed | Refused


def first(direction: Direction, item: Item) -> Stage | None:
    """Return the stage at which a domain begins; None when nothing is to be done."""
    path = path_of(direction, item)
    return path[0] if path else None


def path_of(direction: Direction, item: Item) -> tuple[Stage, ...]:
    """Return the stages that a domain has to pass: nothing is restored that was not changed."""
    left_out = set(_AT_A_REGISTRAR) if item.is_by_hand else {Stage.BY_HAND}
    if direction is Direction.UNDO and item.previous is None:
        left_out |= {Stage.RESTORE, Stage.RESTORED, Stage.BY_HAND}
    if not (item.removes_zone and item.is_made):
        left_out.add(Stage.ZONE_REMOVAL)
    return tuple(stage for stage in PATHS[direction] if stage not in left_out)


def follow(direction: Direction, item: Item, outcome: Outcome, now: datetime) -> Item:
    """Return a domain as it stands after an attempt."""
    match outcome:
        case Passed(learnt):
            return _passed(direction, replace(item, **learnt), now)
        case Waits(what, after_s):
            most = _WAITED.get(item.stage)
            if most is not None and now - item.since >= most:
                return _failed(item, f"not within {_written(most)}: {what}", now)
            wait_s = _growing_s(item, now) if after_s is None else after_s
            return _later(_known(item, outcome), what, wait_s, now)
        case Missed(problem, after_s):
            attempts = item.attempts + 1
            wait_s = delay_s(attempts) if after_s is None else after_s
            missed = replace(_known(item, outcome), attempts=attempts)
            return _failed(missed, problem, now) if attempts >= ATTEMPTS_MAX else _later(missed, problem, wait_s, now)
        case Refused(problem):
            return _failed(_known(item, outcome), problem, now)


def delay_s(attempts: int) -> int:
    """Return how long to wait after so many attempts that failed."""
    return DELAYS_S[max(min(attempts, len(DELAYS_S)) - 1, 0)]


def again(item: Item, now: datetime) -> Item:
    """Return a failed domain as it is tried again: from the stage where it failed."""
    return replace(item, state=State.WAITING, attempts=0, due_at=now, since=now, problem=None)


def undone(item: Item, now: datetime, *, removes_zone: bool) -> Item | None:
    """Return what undoing a domain's move begins with; None when there is nothing to undo."""
    item = replace(item, removes_zone=removes_zone)
    begin = first(Direction.UNDO, item)
    if begin is None:
        return None
    return replace(again(item, now), stage=begin)


def _passed(direction: Direction, item: Item, now: datetime) -> Item:
    path = path_of(direction, item)
    following = path[path.index(item.stage) + 1 :]
    fresh = replace(item, attempts=0, due_at=now, since=now, problem=None)
    return replace(fresh, stage=following[0]) if following else replace(fresh, state=State.DONE)


def _known(item: Item, outcome: Waits | Missed | Refused) -> Item:
    return item if outcome.is_making is None else replace(item, is_making=outcome.is_making)


def _later(item: Item, problem: str, wait_s: float, now: datetime) -> Item:
    return replace(item, due_at=now + timedelta(seconds=wait_s), problem=problem)


def _failed(item: Item, problem: str, now: datetime) -> Item:
    return replace(item, state=State.FAILED, problem=problem, due_at=now)


def _written(time: timedelta) -> str:
    return f"{time // timedelta(hours=1)} hours" if time <= WAITED_MAX else f"{time.days} days"


def _growing_s(item: Item, now: datetime) -> float:
    """Return a quarter of the time that was waited so far, within bounds: soon at first, seldom later."""
    least, most = _WAIT_S
    return min(max((now - item.since).total_seconds() / 4, least), most)
