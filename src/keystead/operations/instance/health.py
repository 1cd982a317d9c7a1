"""How the service is doing, in three words and a few reasons that help an operator and no stranger."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from keystead.db.session import Database
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError
from keystead.reconcile import store
from keystead.reconcile.engine import Condition, Health

REMEMBER_S = 1.0


@dataclass(frozen=True)
class Report:
    """``status`` is ok, degraded or unhealthy; reasons are empty when it is ok.

    ``engine`` is how the engine is doing; None while the database cannot be read, for then it is not asked.
    """

    status: str
    reasons: list[str]
    engine: Condition | None = None


class HealthCheck:
    """Put the conditions of database, engine and target together."""

    def __init__(
        self,
        database: Database,
        engine: Callable[[], Awaitable[Health]],
        target_problem: Callable[[], str | None],
        clock: Clock,
    ) -> None:
        self._database = database
        self._engine = engine
        self._target_problem = target_problem
        self._clock = clock
        self._asking = asyncio.Lock()
        self._known = Report("ok", [])
        self._known_until_s = 0.0

    async def report(self) -> Report:
        """Return how the service is doing, as of a second ago at most: strangers may ask, and a probe is a dial."""
        async with self._asking:
            if self._clock.monotonic_s() >= self._known_until_s:
                self._known = await self._look()
                self._known_until_s = self._clock.monotonic_s() + REMEMBER_S
        return self._known

    async def _look(self) -> Report:
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
        return Report("ok" if not reasons else "unhealthy" if is_down else "degraded", reasons, health.condition)
