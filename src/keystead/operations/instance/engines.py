"""Operations on engines: how they stand, what would be done, and doing it. The same for every wire.

Waits are bounded: an engine that does not answer is told so instead of keeping its caller.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from keystead.access import engines
from keystead.kit.errors import EngineUnavailable
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.reconcile.engine import EngineView, Health
from keystead.reconcile.loop import Reconciler
from keystead.reconcile.plan import Plan
from keystead.reconcile.replacement import Progress, Replacement, Wish
from keystead.reconcile.store import ScopeStatus

R = TypeVar("R")

LOOK_TIMEOUT_S = 10.0
# A plan may hold a restart, and a core needs seconds to be told things again.
APPLY_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class EngineStatus:
    """The program of a scope: which one, why this one, and how it is doing. Free of secrets and destinations."""

    binary: str
    version: str
    why: str
    state: str
    pid: int | None
    health: Health
    trouble: str
    last_lines: tuple[str, ...]


# What is known of the program of each scope at this moment, without asking it.
EngineStatuses = Callable[[], Mapping[str, EngineStatus]]


@dataclass(frozen=True)
class ScopeView:
    """A scope and its program; a scope nobody drives here has none."""

    status: ScopeStatus
    engine: EngineStatus | None
    view: EngineView


class EngineOperations:
    """What callers may do with engines."""

    def __init__(self, transactions: Transactions, reconciler: Reconciler, statuses: EngineStatuses) -> None:
        self._transactions = transactions
        self._reconciler = reconciler
        self._statuses = statuses

    async def list_(self, call: Call) -> list[ScopeView]:
        """Return every scope."""
        found = await self._transactions.read(call, engines.statuses)
        programs, views = self._statuses(), await self._reconciler.views()
        nothing = EngineView()
        return [ScopeView(status, programs.get(status.name), views.get(status.name, nothing)) for status in found]

    async def preview(self, call: Call, scope: str) -> Plan:
        """Return the plan as it would run now."""
        await self._transactions.read(call, engines.look, scope)
        return await _within(LOOK_TIMEOUT_S, scope, self._reconciler.preview(scope))

    async def apply(self, call: Call, scope: str, digest: str) -> Plan:
        """Apply exactly the plan that was reviewed; raise Conflict when it is no longer the plan."""
        await self._transactions.write(call, engines.approve, scope=scope, digest=digest)
        return await _within(APPLY_TIMEOUT_S, scope, self._reconciler.apply_reviewed(scope, digest))

    async def plan_replacement(self, call: Call, scope: str, wish: Wish) -> Replacement:
        """Return what it would mean to put another process in the place of the one that serves."""
        await self._transactions.read(call, engines.look, scope)
        return await _within(LOOK_TIMEOUT_S, scope, self._reconciler.plan_replacement(scope, wish))

    async def replace(self, call: Call, scope: str, wish: Wish, digest: str) -> Replacement:
        """Carry out exactly the replacement that was reviewed; raise Conflict when it is no longer the plan."""
        await self._transactions.write(call, engines.replace, scope=scope, kind=wish.kind.value, digest=digest)
        return await self._reconciler.replace(scope, wish, digest=digest, timeout_s=APPLY_TIMEOUT_S)

    async def progress(self, call: Call, scope: str) -> Progress:
        """Return how far the last replacement has come."""
        await self._transactions.read(call, engines.look, scope)
        return await _within(LOOK_TIMEOUT_S, scope, self._reconciler.progress(scope))

    async def reconcile(self, call: Call, scope: str) -> Plan:
        """Compare and repair now; return what was planned."""
        await self._transactions.write(call, engines.compare, scope)
        return (await self._reconciler.reconcile_now(scope, APPLY_TIMEOUT_S)).plan


async def _within(timeout_s: float, scope: str, work: Awaitable[R]) -> R:
    try:
        return await asyncio.wait_for(work, timeout_s)
    except TimeoutError:
        raise EngineUnavailable(f"the engine of {scope} did not answer in time; look at it again") from None
