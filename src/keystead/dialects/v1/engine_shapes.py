"""The native API's shapes of engines, their keepers and their replacement, and how values of the core become them."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from keystead.dialects.v1.bases import Answer, Body
from keystead.operations.instance.engines import EngineStatus, ScopeView
from keystead.reconcile.replacement import Progress
from keystead.reconcile.replacement import Replacement as Replaced

Kind = Literal["restart", "upgrade"]


class Program(Answer):
    """A program on the machine, and why it is this one."""

    path: str
    version: str
    why: str


class Core(Answer):
    """One process of an engine; ``role`` is serving, candidate or leaving."""

    process: str
    pid: int | None
    role: str
    state: str
    version: str
    since: datetime | None
    connections: int | None
    trouble: str


class Keeper(Answer):
    """One keeper: ``version`` is that of its wire; one that is not current is older than what is installed."""

    pid: int
    version: int
    is_understood: bool
    is_leading: bool
    is_attached: bool
    is_current: bool
    since: datetime | None
    cores: list[Core]


class Engine(Answer):
    """The program of a scope."""

    binary: str
    version: str
    why: str
    state: str
    pid: int | None
    health: str
    reason: str
    trouble: str
    last_lines: list[str]


class Scope(Answer):
    """A scope of an engine: desired and applied generation, the last full pass, its program and its keepers.

    ``available`` is another program that an upgrade would choose; ``foreign`` are others who listen on its ports.
    """

    scope: str
    state: str
    generation: int
    applied_generation: int
    message: str | None
    applied_at: datetime | None
    plan_digest: str | None
    engine: Engine | None
    available: Program | None
    keepers: list[Keeper]
    foreign: list[str]


class ReplacementWish(Body):
    """What is wished for; without ``dry_run``, ``digest`` names the plan that was reviewed."""

    kind: Kind
    has_new_keeper: bool = False
    dry_run: bool = False
    digest: Annotated[str, Field(max_length=64)] = ""


class Replacement(Answer):
    """What would be done, or was; ``digest`` approves exactly this."""

    scope: str
    digest: str
    kind: Kind
    has_new_keeper: bool
    is_needed: bool
    running: "RunningProcess"
    successor: Program
    alterations: list[str]
    losses: list["LostClients"]
    text: str


class LostClients(Answer):
    """Programs of customers that the replacement locks out, all or some of them, and who used them lately."""

    programs: str
    is_whole: bool
    customers: int
    days: int
    reason: str


class RunningProcess(Answer):
    """The process that serves."""

    process: str
    program: Program
    pid: int | None
    since: datetime | None
    connections: int | None
    keeper_pid: int | None


class ReplacementProgress(Answer):
    """How far the ``serial``-th replacement since the start has come, and how many connections wait to end."""

    serial: int
    phase: str
    message: str
    left: int


def replacement(value: Replaced) -> dict[str, Any]:
    """Present a replacement."""
    return {
        "scope": value.scope,
        "digest": value.digest,
        "kind": value.wish.kind.value,
        "has_new_keeper": value.wish.has_new_keeper,
        "is_needed": value.is_needed,
        "running": asdict(value.running),
        "successor": asdict(value.successor),
        "alterations": list(value.alterations),
        "losses": [asdict(loss) for loss in value.losses],
        "text": str(value),
    }


def progress(value: Progress) -> dict[str, Any]:
    """Present how far a replacement has come."""
    return {"serial": value.serial, "phase": value.phase.value, "message": value.message, "left": value.left}


def scopes(views: Sequence[ScopeView]) -> list[dict[str, Any]]:
    """Present all scopes."""
    return [_scope(view) for view in views]


def _scope(view: ScopeView) -> dict[str, Any]:
    return {
        "scope": view.status.name,
        "state": view.status.state,
        "generation": view.status.generation,
        "applied_generation": view.status.applied_generation,
        "message": view.status.message,
        "applied_at": view.status.applied_at,
        "plan_digest": view.status.plan_digest,
        "engine": None if view.engine is None else _engine(view.engine),
        "available": None if view.view.available is None else asdict(view.view.available),
        "keepers": [asdict(keeper) for keeper in view.view.keepers],
        "foreign": list(view.view.foreign),
    }


def _engine(engine: EngineStatus) -> dict[str, Any]:
    return {
        "binary": engine.binary,
        "version": engine.version,
        "why": engine.why,
        "state": engine.state,
        "pid": engine.pid,
        "health": engine.health.condition.value,
        "reason": engine.health.reason,
        "trouble": engine.trouble,
        "last_lines": list(engine.last_lines),
    }
