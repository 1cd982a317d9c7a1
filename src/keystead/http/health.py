"""How the service is doing, in three words and a few reasons that help an operator and no stranger."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from keystead.db.session import Database
from keystead.kit.errors import KeysteadError
from keystead.reconcile import store
from keystead.reconcile.engine import Condition, Health


@dataclass(frozen=True)
class Report:
    """``status`` is ok, degraded or unhealthy; reasons are empty when it is ok."""

    status: str
    reasons: list[str]


class HealthCheck:
    """Put the conditions of database, engine and target together."""

    def __init__(
        self, database: Database, engine: Callable[[], Awaitable[Health]], target_problem: Callable[[], str | None]
    ) -> None:
        self._database = database
        self._engine = engine
        self._target_problem = target_problem

    async def report(self) -> Report:
        """Return how the service is doing now; reads one row and asks the engine's driver for its last probe."""
        try:
            await self._database.read(store.all_statuses)
        except KeysteadError:
            return Report("unhealthy", ["database unavailable"])
        reasons = []
        health = await self._engine()
        if health.condition is not Condition.READY:
            reasons.append(f"vpn engine {health.condition.value}")
        if self._target_problem() is not None:
            reasons.append("reality target not valid")
        is_down = health.condition in (Condition.DOWN, Condition.HUNG)
        return Report("ok" if not reasons else "unhealthy" if is_down else "degraded", reasons)
