"""An engine that is a set of subjects, with every trouble a real one makes; and where its desired state comes from."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from keystead.kit.errors import EngineUnavailable, KeysteadError, Rejected
from keystead.reconcile.engine import Condition, Health
from keystead.reconcile.plan import Plan, Step, Verb, plan_of


@dataclass(frozen=True)
class Part:
    """The desired state of some subjects."""

    wanted: frozenset[str]


@dataclass
class FakeSource:
    """Desired state in memory; what was confirmed is moved on as a subject's rows would be."""

    wanted: set[str] = field(default_factory=set)
    issuing: set[str] = field(default_factory=set)
    removing: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    confirmation_error: KeysteadError | None = None

    def desired(self, connection: Connection) -> Part:
        return Part(frozenset(self.wanted))

    def desired_part(self, connection: Connection, subjects: Sequence[str]) -> Part:
        return Part(frozenset(self.wanted & set(subjects)))

    def without(self, part: Part) -> Part:
        return Part(frozenset())

    def present(self, part: Part) -> Collection[str]:
        return part.wanted

    def sizes(self, connection: Connection) -> Mapping[str, int]:
        return {"all": len(self.wanted)}

    def unconfirmed(self, connection: Connection) -> tuple[Collection[str], Collection[str]]:
        return set(self.issuing), set(self.removing)

    def explained(self, connection: Connection) -> Collection[str]:
        return self.stopped

    def confirm(self, connection: Connection, *, present: Sequence[str], absent: Sequence[str]) -> None:
        if self.confirmation_error is not None:
            raise self.confirmation_error
        self.issuing -= set(present)
        self.removing -= set(absent)


@dataclass
class FakeEngine:
    """A Driver. Subjects in ``silent`` get no answer, those in ``refused`` a no; ``connected`` ones are cut off.

    Those in ``frozen`` are held and not served yet.
    """

    held: set[str] = field(default_factory=set)
    connected: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    is_down: bool = False
    told: list[str] = field(default_factory=list)
    frozen: set[str] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def observe(self) -> frozenset[str]:
        self._require_up()
        return frozenset(self.held)

    async def sizes(self) -> Mapping[str, int]:
        self._require_up()
        return {"all": len(self.held)}

    async def probe(self) -> Health:
        return Health(Condition.DOWN if self.is_down else Condition.READY)

    async def when_reachable(self) -> bool:
        return not self.is_down

    def places(self, desired: Part, subjects: Collection[str]) -> Mapping[str, Collection[str]]:
        return {subject: [subject] for subject in subjects}

    async def cold(self, places: Mapping[str, Collection[str]]) -> Mapping[str, KeysteadError]:
        return {subject: EngineUnavailable(f"{subject} is cold") for subject in places if subject in self.frozen}

    async def when_warmth_changes(self) -> None:
        await self.changed.wait()

    def thaw(self, subject: str) -> None:
        self.frozen.discard(subject)
        self.changed.set()
        self.changed = asyncio.Event()

    def is_prepared(self, step: Step, desired: Part) -> bool:
        return True

    async def prepare_for(self, step: Step, desired: Part) -> None:
        return

    async def apply(self, step: Step, desired: Part) -> None:
        self._require_up()
        error = self._change(step.subject, is_wanted=step.verb is Verb.ADD)
        if error is not None:
            raise error

    async def apply_marked(self, desired: Part, subjects: Collection[str]) -> Mapping[str, KeysteadError | None]:
        self.told += [f"{'+' if subject in desired.wanted else '-'}{subject}" for subject in subjects]
        if self.is_down:
            return {s: EngineUnavailable("down") if s in desired.wanted else None for s in subjects}
        return {subject: self._change(subject, is_wanted=subject in desired.wanted) for subject in subjects}

    def _change(self, subject: str, *, is_wanted: bool) -> KeysteadError | None:
        if subject in self.silent:
            return EngineUnavailable("no answer")
        if subject in self.refused:
            return Rejected("no")
        (self.held.add if is_wanted else self.held.discard)(subject)
        if not is_wanted:
            self.connected.discard(subject)
        return None

    def _require_up(self) -> None:
        if self.is_down:
            raise EngineUnavailable("down")


def plan(scope: str, desired: Part, actual: frozenset[str]) -> Plan:
    """Compare two sets."""
    gone = [Step("user", subject, Verb.REMOVE, "there", "", "test") for subject in sorted(actual - desired.wanted)]
    new = [Step("user", subject, Verb.ADD, "", "there", "test") for subject in sorted(desired.wanted - actual)]
    return plan_of(scope, [*gone, *new])
