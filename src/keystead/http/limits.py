"""How often a caller may ask: so many requests of a kind in a minute, counted per token.

Used by dialects whose wire documents limits. The counting is behind a port, since several API processes have to share
it; one process keeps it in memory, bounded. A caller's minute begins with the first request that is counted in it.
"""

import math
from collections import OrderedDict
from typing import Protocol

from keystead.kit.clock import Clock
from keystead.kit.errors import RateLimited
from keystead.operations.calls import Call

WINDOW_S = 60.0
_COUNTS_MAX = 20_000


class RequestCounter(Protocol):
    """Count requests for all API processes together."""

    async def take(self, name: str, limit: int) -> int:
        """Count one request under a name; return 0, or after how many seconds it would be within the limit."""
        ...


class RequestCounts:
    """Requests counted in the memory of one process; the names used longest ago are forgotten first."""

    def __init__(self, clock: Clock, *, counts_max: int = _COUNTS_MAX) -> None:
        self._clock = clock
        self._counts_max = counts_max
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def take(self, name: str, limit: int) -> int:
        """Count one request under a name; one beyond the limit is not counted, so that waiting always helps."""
        now_s = self._clock.monotonic_s()
        count, ends_s = self._counts.get(name, (0, 0.0))
        if ends_s <= now_s:
            count, ends_s = 0, now_s + WINDOW_S
        if count >= limit:
            return math.ceil(ends_s - now_s)
        self._counts[name] = (count + 1, ends_s)
        self._counts.move_to_end(name)
        if len(self._counts) > self._counts_max:
            self._counts.popitem(last=False)
        return 0


class RateLimits:
    """Hold callers to the limits of a wire; without a counter nobody is held to any, and some tokens never are."""

    def __init__(self, counter: RequestCounter | None) -> None:
        self._counter = counter

    async def check(self, call: Call, operation: str, per_minute: int) -> None:
        """Count a request of a caller; raise RateLimited beyond the limit."""
        if self._counter is None or not call.principal.is_rate_limited:
            return
        wait_s = await self._counter.take(f"{_caller(call)} {operation}", per_minute)
        if wait_s:
            raise RateLimited(f"Rate limit exceeded: {per_minute} per 1 minute", retry_after_s=wait_s)


def _caller(call: Call) -> str:
    """Return what tells callers apart: a token, or who needs none."""
    token_id = call.principal.token_id
    return call.principal.actor if token_id is None else str(token_id)
