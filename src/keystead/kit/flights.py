"""Shared flights: what costs much is run once for all who ask for it at the same time.

Used by the meter for full readings, and by the reconciler for full passes on request.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SharedFlight(Generic[T]):
    """Run something one at a time; callers share a run, but never one that began before they asked."""

    def __init__(self, fly: Callable[[], Awaitable[T]]) -> None:
        self._fly = fly
        self._next: asyncio.Task[T] | None = None
        self._flying = asyncio.Lock()

    async def result(self) -> T:
        """Return what the next run returns, or raise what it raises; a caller who stops waiting does not stop it."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._take_off())
            self._next.add_done_callback(_looked_at)
        return await asyncio.shield(self._next)

    async def _take_off(self) -> T:
        async with self._flying:
            self._next = None
            return await self._fly()


def _looked_at(flight: "asyncio.Task[Any]") -> None:
    """Take notice of a failure that nobody may wait for any more."""
    if not flight.cancelled():
        flight.exception()
