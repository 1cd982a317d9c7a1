"""The watch over engines: tells webhooks of every account when one is down for its customers, and when it is up again.

A short restart is not worth a message: an engine is called down when it has been so for ten seconds (a minute while it
only warms up), and up when it has served for ten. What was last said is a row, so that a restart of ours repeats
nothing and several processes say it once.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy import Connection

from keystead.db.session import Database
from keystead.kit.clock import Clock
from keystead.kit.ids import Ids
from keystead.kit.loops import repeat
from keystead.outbox.events import Event
from keystead.outbox.store import announced, deliveries
from keystead.outbox.store.deliveries import Notice
from keystead.reconcile.engine import Condition, Health

LOOK_EVERY_S = 5.0
SETTLED_AFTER_S = {condition: 60.0 if condition is Condition.WARMING else 10.0 for condition in Condition}


class Steadiness:
    """Tell what can be said of an engine from what is seen of it; pure but for what it remembers."""

    def __init__(self) -> None:
        self._is_up: bool | None = None
        self._since_s = 0.0

    def see(self, now_s: float, condition: Condition) -> bool | None:
        """Return whether the engine is up or down once it has been so for long enough, else None."""
        is_up = condition.is_serving
        if is_up is not self._is_up:
            self._is_up, self._since_s = is_up, now_s
        return is_up if now_s - self._since_s >= SETTLED_AFTER_S[condition] else None


class EngineWatch:
    """Watch the engine of one scope."""

    def __init__(
        self, scope: str, probe: Callable[[], Awaitable[Health]], *, database: Database, clock: Clock, ids: Ids
    ) -> None:
        self._scope = scope
        self._probe = probe
        self._database = database
        self._clock = clock
        self._ids = ids
        self._steadiness = Steadiness()
        self._said: bool | None = None

    async def run(self) -> None:
        """Watch until cancelled; what cannot be written now is written at the next look."""
        await repeat(self.look, LOOK_EVERY_S, self._clock, failing="engine not announced", scope=self._scope)

    async def look(self) -> None:
        """Look once, and announce a change that has settled."""
        health = await self._probe()
        is_up = self._steadiness.see(self._clock.monotonic_s(), health.condition)
        if is_up is None or is_up is self._said:
            return
        at = self._clock.now()
        await self._database.write(lambda connection: self._announce(connection, health, at, is_up=is_up))
        self._said = is_up

    def _announce(self, connection: Connection, health: Health, at: datetime, *, is_up: bool) -> None:
        if not announced.announce(connection, self._scope, at, is_up=is_up):
            return
        data = {"scope": self._scope, "condition": health.condition.value, "reason": health.reason}
        notice = Notice(Event.ENGINE_UP if is_up else Event.ENGINE_DOWN, f"engine {self._scope}", data)
        deliveries.put_for_all(connection, notice, at=at, ids=self._ids)
