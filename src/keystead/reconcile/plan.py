"""Plans as data: sorted steps a person could approve, printable, free of secrets, with a digest.

An engine's ``plan.py`` turns desired and actual into a Plan; the guard judges it; the loop applies it; the operator
reads it (``keystead plan``).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

import orjson

A = TypeVar("A")


class Verb(StrEnum):
    """What a step does to its subject."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    RESTART = "restart"


class Risk(StrEnum):
    """What a step costs whoever is being served meanwhile."""

    HOT = "hot"
    RELOAD = "reload"
    DISRUPTIVE = "disruptive"
    DESTRUCTIVE = "destructive"


@dataclass(frozen=True, order=True)
class Step:
    """One idempotent change of an engine.

    ``kind`` and ``subject`` name the object (``user``, ``k12-1``); ``before`` and ``after`` are short public texts.
    ``places`` name where in the engine it is or is to be.
    """

    kind: str
    subject: str
    verb: Verb
    before: str
    after: str
    reason: str
    risk: Risk = Risk.HOT
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        change = f"{self.before} → {self.after}" if self.before and self.after else self.after or self.before
        return f"{self.verb.value} {self.kind} {self.subject}: {change} ({self.risk.value}; {self.reason})"


@dataclass(frozen=True)
class Plan:
    """All steps that would bring a scope from actual to desired, in the order they are applied."""

    scope: str
    steps: tuple[Step, ...]
    foreign: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to do."""
        return not self.steps

    @property
    def digest(self) -> str:
        """Return a short digest: what was reviewed is what runs."""
        return hashlib.sha256(orjson.dumps(self.as_data(), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    def as_data(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return {"scope": self.scope, "steps": [asdict(step) for step in self.steps], "foreign": list(self.foreign)}

    def __str__(self) -> str:
        lines = [str(step) for step in self.steps] or ["nothing to do"]
        return "\n".join([*lines, *(f"foreign, left alone: {name}" for name in self.foreign)])


def plan_of(scope: str, steps: Iterable[Step], foreign: Iterable[str] = ()) -> Plan:
    """Return a plan with its steps in the order given and its foreign objects sorted."""
    return Plan(scope, tuple(steps), tuple(sorted(foreign)))


@dataclass(frozen=True)
class Passed(Generic[A]):
    """A full comparison that was carried out: its plan, and what the engine was seen to hold last."""

    plan: Plan
    seen: A
