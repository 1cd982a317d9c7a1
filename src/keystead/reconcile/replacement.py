"""A replacement as data: the process that serves, the one to take its place, and why; a person reads it first.

Made by an engine's driver, approved by its digest like any plan, carried out by the worker of the scope.
"""

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson


class Kind(StrEnum):
    """What is wished for: a fresh process of the same program, or the program that would be chosen now."""

    RESTART = "restart"
    UPGRADE = "upgrade"


class Phase(StrEnum):
    """How far a replacement has come."""

    NONE = "none"
    STARTING = "starting"
    STARTED = "started"
    WARM = "warm"
    LISTENING = "listening"
    PROVEN = "proven"
    DRAINING = "draining"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Wish:
    """What somebody asks for; with ``has_new_keeper`` another keeper owns the next process."""

    kind: Kind
    has_new_keeper: bool = False


@dataclass(frozen=True)
class Program:
    """A program on this machine and why it is this one; ``why`` may be empty for one that runs."""

    path: str
    version: str
    why: str = ""


@dataclass(frozen=True)
class Running:
    """The process that serves; ``connections`` is what its keeper counts now, None when it does not say."""

    process: str
    program: Program
    pid: int | None
    since: datetime | None
    connections: int | None
    keeper_pid: int | None


@dataclass(frozen=True)
class Loss:
    """Programs of customers that connect before a replacement and not after it, all or some of them, and why.

    ``customers`` is how many used them in the last ``days``.
    """

    programs: str
    is_whole: bool
    customers: int
    days: int
    reason: str

    @property
    def reviewed(self) -> list[Any]:
        """Return what an approval is of; of the number its size, since customers come while a plan is read."""
        return [self.programs, self.is_whole, self.reason, self.customers.bit_length()]

    def __str__(self) -> str:
        extent = "" if self.is_whole else ", some of them"
        counted = "1 customer" if self.customers == 1 else f"{self.customers} customers"
        return f"{self.programs}{extent}: {counted} in the last {self.days} days; {self.reason}"


@dataclass(frozen=True)
class Replacement:
    """What would be done. ``is_needed`` is false for an upgrade to what runs already.

    ``alterations`` are what changes beside the process, ``losses`` whom it locks out.
    """

    scope: str
    wish: Wish
    running: Running
    successor: Program
    is_needed: bool
    alterations: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()

    @property
    def digest(self) -> str:
        """Return a short digest of what was reviewed; the number of connections changes by the second and is not in."""
        reviewed: list[Any] = [
            *(self.scope, asdict(self.wish), self.running.process, asdict(self.running.program)),
            *(self.running.keeper_pid, asdict(self.successor), self.is_needed),
        ]
        if self.alterations or self.losses:
            reviewed += [self.alterations, [loss.reviewed for loss in self.losses]]
        return hashlib.sha256(orjson.dumps(reviewed, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    def as_data(self) -> dict[str, Any]:
        """Return the replacement as JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        old, new = self.running, self.successor
        if not self.is_needed:
            return f"{self.scope}: nothing to do, {new.version} at {new.path} is what runs"
        since = f", since {old.since:%Y-%m-%d %H:%M:%S} UTC" if old.since else ""
        open_now = "unknown" if old.connections is None else str(old.connections)
        lost = [("locked out" if loss.is_whole else "in part", str(loss)) for loss in self.losses]
        others = "the others notice" if self.losses else "notice"
        keeper = "a new keeper, started beside the present one" if self.wish.has_new_keeper else "the same keeper"
        return "\n".join(
            (
                f"{self.wish.kind.value} {self.scope}",
                f"  runs now       {old.program.version} at {old.program.path}, pid {old.pid}{since}",
                f"  connections    {open_now} open; they stay with it until they end",
                f"  takes over     {new.version} at {new.path}, {new.why}; owned by {keeper}",
                *(f"  changes        {alteration}" for alteration in self.alterations),
                *(f"  {how:<14} {loss}" for how, loss in lost),
                f"  customers      {others} nothing: new connections go to the new process once it is proven",
                "  if it fails    the new process is ended, the present one serves on, nothing is changed",
            )
        )


@dataclass(frozen=True)
class Progress:
    """How far the last replacement has come, the ``serial``-th since the start of Keystead.

    ``left`` are connections of processes that are on their way out.
    """

    phase: Phase = Phase.NONE
    message: str = ""
    left: int = 0
    serial: int = 0
