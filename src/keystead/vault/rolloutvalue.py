"""What a rollout is: a template applied to many zones as one plan, and where it stands; no row is read here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from keystead.jobs.store import State
from keystead.kit.errors import Invalid
from keystead.vault.templateplan import Step

ZONES_MAX = 10_000


class Outcome(StrEnum):
    """What became of a zone: it waits to be planned, it is planned, right already, being changed, or over."""

    WAITING = "waiting"
    PLANNED = "planned"
    SAME = "same"
    APPLYING = "applying"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


class Stage(StrEnum):
    """Where a rollout stands."""

    PLANNING = "planning"
    PLANNED = "planned"
    APPLYING = "applying"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Selection:
    """Which zones: by id or name, or every one that the account has."""

    zones: tuple[str, ...] = ()
    every: bool = False

    def check(self) -> None:
        """Raise Invalid when nothing says which zones, or two things do, or too many are named."""
        if bool(self.zones) is self.every:
            raise Invalid("zones: name zones, or say that every one is meant", fields={"zones": "name some, or every"})
        if len(self.zones) > ZONES_MAX:
            raise Invalid(f"zones: at most {ZONES_MAX}", fields={"zones": f"at most {ZONES_MAX}"})


@dataclass(frozen=True)
class Totals:
    """What a rollout does in all, and how many zones share each outcome."""

    creates: int
    changes: int
    deletes: int
    left: int
    outcomes: Mapping[str, int]


@dataclass(frozen=True)
class Rollout:
    """A rollout as it stands; ``unsafe`` says why it is not carried out without being forced."""

    number: int
    template: str
    stage: Stage
    message: str | None
    digest: str | None
    done: int
    total: int
    totals: Totals
    unsafe: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True)
class ZoneResult:
    """What a rollout does to one zone, and what became of it."""

    position: int
    zone_id: int
    zone: str
    outcome: str
    creates: int
    changes: int
    deletes: int
    left: int
    reason: str | None
    steps: tuple[Step, ...]


def stage_of(planning: State, applying: State | None) -> Stage:
    """Return where a rollout stands, by the jobs that plan it and carry it out."""
    ends = {State.FAILED: Stage.FAILED, State.CANCELLED: Stage.CANCELLED}
    if applying is None:
        return ends.get(planning, Stage.PLANNED if planning is State.DONE else Stage.PLANNING)
    return ends.get(applying, Stage.DONE if applying is State.DONE else Stage.APPLYING)


def checked_values(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of placeholders; raise Invalid for what is no short text."""
    for name, value in values.items():
        if not isinstance(value, str) or len(value) > 255 or not value.isprintable():
            raise Invalid(f"values.{name}: at most 255 printable characters", fields={f"values.{name}": "a short text"})
    return dict(values)
