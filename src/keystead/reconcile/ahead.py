"""Additions that an engine is told while their commit is on its way to disk, so that both take as long as one of them.

The engine may know a subject for a moment that no transaction knows. Nobody can use it: what opens it was made in that
transaction. Whoever tells the engine holds its lock until the commit has ended, so that nothing compares or changes it
meanwhile, and takes the subject out again when the commit failed. A kill in between leaves what the next start's
comparison finds. Only what a driver can add and take away without a trace is told ahead (``ScopeWiring.is_light``), and
only when the engine is idle: with many additions at once a batch behind their common commit is faster.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from keystead.kit.errors import KeysteadError
from keystead.reconcile.confirming import ScopeWiring
from keystead.reconcile.marks import Mark

D = TypeVar("D")

# Subjects with their generations, how the engine took each, and the desired state of them.
Take = Callable[[dict[str, int], Mapping[str, KeysteadError | None], Any], Awaitable[None]]


class Ahead(Generic[D]):
    """What is told ahead to the engine of one scope."""

    def __init__(
        self,
        wiring: ScopeWiring[D, Any],
        lock: asyncio.Lock,
        *,
        is_idle: Callable[[], bool],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        take: Take,
        wake_fully: Callable[[], None],
    ) -> None:
        self._source = wiring.source
        self._driver = wiring.driver
        self._is_light = wiring.is_light
        self._lock = lock
        self._is_idle = is_idle
        self._spawn = spawn
        self._take = take
        self._wake_fully = wake_fully

    def read(self, connection: Connection, mark: Mark) -> "Early[D] | None":
        """Read what a transaction adds, from within it; None when it is to be told after the commit. Any thread."""
        if self._is_light is None or self._lock.locked():
            return None
        part = self._source.desired_part(connection, [mark.subject])
        return Early(self, part, mark) if self._is_light(part, [mark.subject]) else None

    def begin(self, early: "Early[D]") -> bool:
        """Tell the engine, unless it is busy; tell whether that is so."""
        if self._lock.locked() or not self._is_idle():
            return False
        self._spawn(self._tell(early))
        return True

    async def _tell(self, early: "Early[D]") -> None:
        async with self._lock:
            early.outcomes = await self._apply(early.part, early.mark.subject)
            if not await asyncio.shield(early.is_committed):  # a stop ends this task, and not the writer's word
                left = await self._apply(self._source.without(early.part), early.mark.subject)
                if any(left.values()):
                    self._wake_fully()
                return
            await self.take(early)

    async def take(self, early: "Early[D]") -> None:
        """Settle a committed addition that the engine has answered; whoever comes second finds nothing to do."""
        outcomes, early.outcomes = early.outcomes, None
        if outcomes is not None:
            await self._take({early.mark.subject: early.mark.generation}, outcomes, early.part)

    async def _apply(self, part: D, subject: str) -> Mapping[str, KeysteadError | None]:
        try:
            return await self._driver.apply_marked(part, [subject])
        except KeysteadError as error:
            return {subject: error}


class Early(Generic[D]):
    """One addition, as one run of its transaction has it."""

    def __init__(self, ahead: Ahead[D], part: D, mark: Mark) -> None:
        self._ahead = ahead
        self.part = part
        self.mark = mark
        # How the engine took it; None before it has answered, and after that was settled.
        self.outcomes: Mapping[str, KeysteadError | None] | None = None
        self.is_committed: asyncio.Future[bool]
        self._is_told = False

    def begin(self) -> None:
        """Tell the engine, unless it is busy."""
        self.is_committed = asyncio.get_running_loop().create_future()
        self._is_told = self._ahead.begin(self)

    async def end(self, *, is_committed: bool) -> bool:
        """Say how the commit ended; tell whether the engine was told, so that it need not be told again."""
        if self._is_told:
            self.is_committed.set_result(is_committed)
            if is_committed:
                await self._ahead.take(self)
        return self._is_told


class Telling:
    """What one write tells ahead. Its transaction may be run more than once; the last run is the one that counts."""

    def __init__(self, aheads: Mapping[str, Ahead[Any]]) -> None:
        self._aheads = aheads
        self._loop = asyncio.get_running_loop()
        self._runs: list[Early[Any] | None] = []
        self._is_over = False

    def note(self, connection: Connection, marks: Sequence[Mark]) -> None:
        """Have the engine told of a run's only mark; called within the transaction, in whatever thread runs it."""
        early = self._aheads[marks[0].scope].read(connection, marks[0]) if len(marks) == 1 else None
        with suppress(RuntimeError):  # a loop that was closed meanwhile tells nobody
            self._loop.call_soon_threadsafe(self._begin, early)

    async def end(self, *, is_committed: bool) -> bool:
        """Say how the write ended; tell whether the engine has been told of what was committed."""
        self._is_over = True
        runs, self._runs = self._runs, []
        for stale in runs[:-1]:
            if stale is not None:
                await stale.end(is_committed=False)
        last = runs[-1] if runs else None
        return last is not None and await last.end(is_committed=is_committed)

    def _begin(self, early: Early[Any] | None) -> None:
        if not self._is_over:
            self._runs.append(early)
            if early is not None:
                early.begin()
