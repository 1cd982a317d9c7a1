"""The port every engine implements, and what the loop is told about a scope by the composition root."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from keystead.kit.errors import KeysteadError
from keystead.reconcile.plan import Plan, Step
from keystead.reconcile.replacement import Program, Progress, Replacement, Wish

DesiredIn = TypeVar("DesiredIn", contravariant=True)
DesiredOut = TypeVar("DesiredOut", covariant=True)
ActualIn = TypeVar("ActualIn", contravariant=True)
ActualOut = TypeVar("ActualOut", covariant=True)


class Condition(StrEnum):
    """How an engine is doing; one that is *partial* serves clients of some of its places and not those of others."""

    READY = "ready"
    PARTIAL = "partial"
    WARMING = "warming"
    DOWN = "down"
    HUNG = "hung"

    @property
    def is_serving(self) -> bool:
        """Tell whether clients are served, those of some places at least."""
        return self in (Condition.READY, Condition.PARTIAL)


@dataclass(frozen=True)
class Health:
    """An engine's condition and a sentence for the operator, without addresses or secrets."""

    condition: Condition
    reason: str = ""


@dataclass(frozen=True)
class CoreView:
    """One process of an engine as its keeper tells of it; ``role`` is serving, candidate or leaving."""

    process: str
    pid: int | None
    role: str
    state: str
    version: str
    since: datetime | None
    connections: int | None
    trouble: str


@dataclass(frozen=True)
class KeeperView:
    """One keeper: ``version`` is that of its wire; one that is not ``is_current`` runs another program than is here."""

    pid: int
    version: int
    is_understood: bool
    is_leading: bool
    is_attached: bool
    is_current: bool
    since: datetime | None
    cores: tuple[CoreView, ...]


@dataclass(frozen=True)
class EngineView:
    """What stands behind an engine now: another program to upgrade to, keepers, and strangers on its ports."""

    available: Program | None = None
    keepers: tuple[KeeperView, ...] = ()
    foreign: tuple[str, ...] = ()


class Driver(Protocol[DesiredIn, ActualOut]):
    """Drive one scope of one engine. All methods raise KeysteadError: Unavailable when waiting may help."""

    async def observe(self) -> ActualOut:
        """Return what the engine really holds, completely."""
        ...

    def is_prepared(self, step: Step, desired: DesiredIn) -> bool:
        """Tell whether a step can be carried out without a long preparation."""
        ...

    async def prepare_for(self, step: Step, desired: DesiredIn) -> None:
        """Make what a step needs and what takes long, beside what serves; nothing that serves is changed."""
        ...

    async def apply(self, step: Step, desired: DesiredIn) -> None:
        """Carry out one idempotent step; the desired state holds what the step's text may not (secrets)."""
        ...

    async def sizes(self) -> Mapping[str, int]:
        """Count what the engine holds, per part of the scope; cheap, comparable with ``Source.sizes``."""
        ...

    async def probe(self) -> Health:
        """Tell how the engine is doing, from the outside, as a client would find it."""
        ...

    async def when_reachable(self) -> bool:
        """Wait until the engine can be told things; return False at once when it is down for certain.

        Down for certain means: no process serves, and a later start will read the desired state afresh.
        """
        ...

    def places(self, desired: DesiredIn, subjects: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return what clients of these subjects of a (part of a) desired state wait for, in the engine's own words.

        Called before ``cold`` is asked of them: what nobody has seen to is seen to from then on.
        """
        ...

    async def cold(self, places: Mapping[str, Collection[str]]) -> Mapping[str, KeysteadError]:
        """Say of each of these subjects why a client would not be served at once; those that would are left out."""
        ...

    async def when_warmth_changes(self) -> None:
        """Wait until ``cold`` may say something else."""
        ...

    async def apply_marked(self, desired: DesiredIn, subjects: Collection[str]) -> Mapping[str, KeysteadError | None]:
        """Bring only these subjects to the desired state (a part that holds just them); say per subject how it went."""
        ...


class Replacer(Protocol[DesiredIn]):
    """Put another process of an engine in the place of the one that serves, because a person asks for it."""

    async def plan(self, scope: str, wish: Wish) -> Replacement:
        """Return what it would mean; raise EngineUnavailable when nothing serves."""
        ...

    async def prepare(self, replacement: Replacement, desired: DesiredIn) -> None:
        """Make the successor ready beside what serves; nothing that serves is changed."""
        ...

    async def carry_out(self, replacement: Replacement, desired: DesiredIn) -> None:
        """Let the successor take over; raise EngineUnavailable, nothing changed, when it does not prove itself."""
        ...

    async def progress(self) -> Progress:
        """Return how far the last replacement has come."""
        ...

    async def view(self) -> EngineView:
        """Return what stands behind the engine now."""
        ...


class Source(Protocol[DesiredOut]):
    """Where the desired state of a scope comes from, and who is told what was applied."""

    def desired(self, connection: Connection) -> DesiredOut:
        """Read the whole desired state."""
        ...

    def desired_part(self, connection: Connection, subjects: Sequence[str]) -> DesiredOut:
        """Read the desired state of some subjects only."""
        ...

    def without(self, part: Any) -> DesiredOut:
        """Return a part in which its subjects are absent."""
        ...

    def present(self, part: Any) -> Collection[str]:
        """Return the subjects that a (part of a) desired state wants in the engine."""
        ...

    def sizes(self, connection: Connection) -> Mapping[str, int]:
        """Count what should be in the engine, per part of the scope."""
        ...

    def unconfirmed(self, connection: Connection) -> tuple[Collection[str], Collection[str]]:
        """Return the subjects not yet confirmed: those that should be present, and those that should be absent."""
        ...

    def explained(self, connection: Connection) -> Collection[str]:
        """Return subjects whose absence somebody recorded beside their marks, which a kill may have taken along."""
        ...

    def confirm(self, connection: Connection, *, present: Sequence[str], absent: Sequence[str]) -> None:
        """Record that subjects are in the engine, or known to be out of it; runs in a write transaction."""
        ...


class Planner(Protocol[DesiredIn, ActualIn]):
    """Turn desired and actual into a plan; pure."""

    def __call__(self, scope: str, desired: DesiredIn, actual: ActualIn) -> Plan: ...
