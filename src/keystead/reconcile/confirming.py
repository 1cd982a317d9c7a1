"""Confirmations: who waits learns that a change is in force, and the database is told so, behind the answer.

Used by the worker of a scope. Between the answer and the commit a subject is *applied*: shown, although the database
does not call it live yet; or *gone*: found by nobody, although the database still has its row.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from keystead.db.session import Database
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger
from keystead.reconcile import store
from keystead.reconcile.engine import Driver, Planner, Replacer, Source
from keystead.reconcile.settle import Outcome, Settlement, Waiters

log = get_logger()

D = TypeVar("D")
A = TypeVar("A")

_LAST_CONFIRMATIONS_S = 1.0
# Far longer than any reading takes; labels are never used again, so that a late one misleads nobody.
_READERS_LINGER_S = 60.0


@dataclass(frozen=True)
class ScopeWiring(Generic[D, A]):
    """What the composition root tells the reconciler about a scope."""

    name: str
    driver: Driver[D, A]
    source: Source[D]
    planner: Planner[D, A]
    # None: somebody else runs the engine.
    replacer: Replacer[D] | None = None
    # Whether a part can be added and taken away without a trace, now; None: nothing is told before its commit.
    is_light: Callable[[D, Collection[str]], bool] | None = None


@dataclass(frozen=True)
class _Cold:
    """A subject that the engine holds, and what its clients wait for."""

    generation: int
    places: Collection[str]


class Background:
    """Work of a scope that nobody waits for."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin something, keep hold of it until it is done, and return it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def pause(self, timeout_s: float) -> None:
        """Wait until what is under way now is done, or time is over."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)

    async def finish(self) -> None:
        """Let what is under way be written, and leave the rest to the next start."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=_LAST_CONFIRMATIONS_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


class Confirmations:
    """Settle what the engine was seen to hold or to lack, and have it written down."""

    def __init__(
        self,
        wiring: ScopeWiring[Any, Any],
        waiters: Waiters,
        *,
        database: Database,
        clock: Clock,
        background: Background,
        is_quiet: Callable[[], bool],
        on_put_off: Callable[[], None],
    ) -> None:
        self._name = wiring.name
        self._driver = wiring.driver
        self._source = wiring.source
        self._waiters = waiters
        self._database = database
        self._clock = clock
        self._background = background
        self._is_quiet = is_quiet
        self._on_put_off = on_put_off
        self._applied: set[str] = set()
        self._gone: set[str] = set()
        self._cold: dict[str, _Cold] = {}
        self._thawing: asyncio.Task[None] | None = None

    def is_applied(self, subject: str) -> bool:
        """Tell whether a subject is in the engine although the database does not say so yet."""
        return subject in self._applied

    def is_gone(self, subject: str) -> bool:
        """Tell whether a subject is out of the engine although the database does not say so yet."""
        return subject in self._gone

    def trust(self, subjects: Iterable[str]) -> None:
        """Show subjects that an earlier process left unconfirmed."""
        self._applied.update(subjects)

    async def settle_when_ready(self, present: Mapping[str, int], desired: Any) -> None:
        """Settle additions: a key is usable when what it waits for is warm, not when the engine holds the key."""
        places = self._driver.places(desired, present)
        if cold := await self._driver.cold(places):
            self._put_off({subject: _Cold(present[subject], places[subject]) for subject in cold}, cold)
            present = {subject: generation for subject, generation in present.items() if subject not in cold}
        if present:
            self._settle(present)

    async def stop(self) -> None:
        """Wait for nothing any more: the next start settles what is cold."""
        if self._thawing is not None:
            self._thawing.cancel()
            await asyncio.gather(self._thawing, return_exceptions=True)

    def _put_off(self, found: Mapping[str, _Cold], why: Mapping[str, KeysteadError]) -> None:
        """Let subjects wait for what is not warm; who waits for them learns why."""
        self._cold.update(found)
        for subject, error in why.items():
            self._waiters.note(subject, error)
        if self._thawing is None or self._thawing.done():
            self._thawing = asyncio.get_running_loop().create_task(self._thaw())

    async def _thaw(self) -> None:
        """Settle what becomes warm until nothing is left that is not."""
        while asked := dict(self._cold):
            cold = await self._driver.cold({subject: one.places for subject, one in asked.items()})
            warm = {subject: one for subject, one in asked.items() if subject not in cold}
            if warm := {subject: one for subject, one in warm.items() if self._cold.get(subject) is one}:
                for subject in warm:
                    del self._cold[subject]
                self._settle({subject: one.generation for subject, one in warm.items()})
            else:
                await self._driver.when_warmth_changes()

    def _settle(self, present: Mapping[str, int]) -> None:
        # With |= and -= a view of keys would make another set, of all there are.
        self._applied.update(present)
        self._gone.difference_update(present)
        for subject, generation in present.items():
            self._waiters.resolve(subject, generation, Settlement(Outcome.SETTLED))
        self._background.spawn(self.confirm(present, (), max(present.values())))

    def settle_gone(self, absent: Mapping[str, int]) -> None:
        """Settle removals: the engine is known to be without them. They are confirmed by ``confirm``."""
        self._gone.update(absent)
        if self._cold:
            self._cold = {subject: one for subject, one in self._cold.items() if subject not in absent}
        for subject, generation in absent.items():
            self._waiters.resolve(subject, generation, Settlement(Outcome.SETTLED))

    async def confirm(self, present: Collection[str], absent: Collection[str], reached: int) -> None:
        """Write down what is in the engine and what is out of it."""

        def unit(connection: Any) -> None:
            self._source.confirm(connection, present=list(present), absent=list(absent))
            if self._is_quiet():
                store.raise_applied(connection, self._name, reached, self._clock.now())

        try:
            await self._database.write_soon(unit)
        except KeysteadError as error:
            log.warning("confirmation put off to the next full pass", scope=self._name, reason=error.message)
            self._on_put_off()
            return
        # A reader that is slower than this commit may still be looking at the rows from before it.
        asyncio.get_running_loop().call_later(_READERS_LINGER_S, self._forget, (*present, *absent), tuple(absent))

    def _forget(self, written: Sequence[str], absent: Sequence[str]) -> None:
        self._applied.difference_update(written)
        self._gone.difference_update(absent)
