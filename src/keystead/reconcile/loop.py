"""The reconciler: all scopes, their workers, and the one address for wake, settle, preview and apply."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from keystead.db.session import Database
from keystead.kit.clock import Clock
from keystead.kit.errors import Conflict, EngineUnavailable, KeysteadError, NotFound
from keystead.kit.flights import SharedFlight
from keystead.reconcile import store
from keystead.reconcile.ahead import Telling
from keystead.reconcile.confirming import ScopeWiring
from keystead.reconcile.engine import EngineView, Replacer
from keystead.reconcile.marks import Mark
from keystead.reconcile.plan import Passed, Plan
from keystead.reconcile.replacement import Progress, Replacement, Wish
from keystead.reconcile.scope import ScopeWorker
from keystead.reconcile.settle import Outcome, Settlement
from keystead.reconcile.store import ScopeStatus


class Reconciler:
    """Keep every scope as desired and tell callers when a change is in force."""

    def __init__(self, wirings: Sequence[ScopeWiring[Any, Any]], *, database: Database, clock: Clock) -> None:
        self._database = database
        self._workers = {wiring.name: ScopeWorker(wiring, database=database, clock=clock) for wiring in wirings}
        self._replacing: dict[str, asyncio.Task[None]] = {}
        self._passes = {name: SharedFlight(worker.patient_pass) for name, worker in self._workers.items()}

    def is_applied(self, subject: str) -> bool:
        """Tell whether a subject is in its engine although the database does not say so yet."""
        return any(worker.confirmations.is_applied(subject) for worker in self._workers.values())

    def is_gone(self, subject: str) -> bool:
        """Tell whether a subject is out of its engine although the database does not say so yet."""
        return any(worker.confirmations.is_gone(subject) for worker in self._workers.values())

    def wake(self, marks: Iterable[Mark]) -> None:
        """Take notice of committed marks."""
        for mark in marks:
            self._worker(mark.scope).wake([mark])

    def telling(self) -> Telling:
        """Return what tells engines of one write's addition while it is committed."""
        return Telling({name: worker.ahead for name, worker in self._workers.items()})

    def wake_fully(self, scope: str) -> None:
        """Ask for a full pass of a scope soon."""
        self._worker(scope).wake_fully()

    async def settle(self, marks: Sequence[Mark], timeout_s: float) -> Settlement:
        """Wait for all marks of one commit: settled when all are, failed when one has, else pending."""
        settlements = await self.settle_each(marks, timeout_s)
        for outcome in (Outcome.FAILED, Outcome.PENDING):
            for settlement in settlements:
                if settlement.outcome is outcome:
                    return settlement
        return Settlement(Outcome.SETTLED)

    async def settle_each(self, marks: Sequence[Mark], timeout_s: float) -> list[Settlement]:
        """Wait for all marks of one commit, which are of one scope, and say of each how it ended."""
        return [] if not marks else await self._worker(marks[0].scope).settle_each(marks, timeout_s)

    async def when_written(self, scope: str, timeout_s: float) -> None:
        """Wait until the database knows what is settled in a scope by now, or time is over."""
        await self._worker(scope).background.pause(timeout_s)

    async def run(self) -> None:
        """Run every worker until cancelled."""
        async with asyncio.TaskGroup() as group:
            for worker in self._workers.values():
                group.create_task(worker.run(), name=f"scope {worker.name}")

    async def statuses(self) -> list[ScopeStatus]:
        """Return how every scope stands."""
        return await self._database.read(store.all_statuses)

    async def reconcile_now(self, scope: str, timeout_s: float) -> Passed[Any]:
        """Run a full pass now; raise EngineUnavailable when it is not done in time. The pass itself goes on.

        Callers at the same time share a pass, so that they cannot queue up behind an engine that is slow.
        """
        self._worker(scope)
        try:
            return await asyncio.wait_for(self._passes[scope].result(), timeout_s)
        except TimeoutError:
            raise EngineUnavailable(f"the engine of {scope} did not answer in time; it is tried again") from None

    async def sizes(self, scope: str) -> Mapping[str, int]:
        """Return what the engine of a scope holds, by place; raise EngineUnavailable when it does not answer."""
        return await self._worker(scope).sizes()

    async def preview(self, scope: str) -> Plan:
        """Return the plan of a scope as it would run now."""
        return await self._worker(scope).preview()

    async def apply_reviewed(self, scope: str, digest: str) -> Plan:
        """Apply exactly the plan a person reviewed."""
        return await self._worker(scope).apply_reviewed(digest)

    async def plan_replacement(self, scope: str, wish: Wish) -> Replacement:
        """Return what it would mean to put another process in the place of the one that serves."""
        return await self._replacer(scope, wish).plan(scope, wish)

    async def replace(self, scope: str, wish: Wish, *, digest: str, timeout_s: float) -> Replacement:
        """Carry out exactly the replacement that was reviewed; it goes on when its caller does not wait for it.

        Raises Conflict when it is no longer the plan or another one is under way, EngineUnavailable when the successor
        does not prove itself, with nothing changed.
        """
        planned = await self._replacer(scope, wish).plan(scope, wish)
        if planned.digest != digest:
            raise Conflict(f"the plan of {scope} has changed since it was reviewed; look at it again")
        if not planned.is_needed:
            return planned
        if scope in self._replacing:
            raise Conflict(f"a replacement in {scope} is under way; look at its progress")
        task = self._replacing[scope] = asyncio.create_task(self._worker(scope).replace(planned), name="replacement")
        task.add_done_callback(lambda done: self._replaced(scope, done))
        try:
            await asyncio.wait_for(asyncio.shield(task), timeout_s)
        except TimeoutError:
            raise EngineUnavailable(
                f"the replacement in {scope} takes long and goes on; look at its progress"
            ) from None
        return planned

    def can_replace(self, scope: str) -> bool:
        """Tell whether another process can be put in the place of the one that serves."""
        return self._worker(scope).replacer is not None

    async def progress(self, scope: str) -> Progress:
        """Return how far the last replacement in a scope has come."""
        replacer = self._worker(scope).replacer
        return Progress() if replacer is None else await replacer.progress()

    async def views(self) -> Mapping[str, EngineView]:
        """Return what stands behind each engine that runs here."""
        found = {}
        for name, worker in self._workers.items():
            if worker.replacer is not None:
                with suppress(KeysteadError):  # a keeper that is gone at this moment is told of by the engine's state
                    found[name] = await worker.replacer.view()
        return found

    def _replaced(self, scope: str, task: "asyncio.Task[None]") -> None:
        del self._replacing[scope]
        if not task.cancelled():
            task.exception()  # its caller may not wait for it any more

    def _replacer(self, scope: str, wish: Wish) -> Replacer[Any]:
        replacer = self._worker(scope).replacer
        if replacer is None:
            raise Conflict(f"the engine of {scope} is run by somebody else, who has to {wish.kind.value} it")
        return replacer

    def _worker(self, scope: str) -> ScopeWorker[Any, Any]:
        worker = self._workers.get(scope)
        if worker is None:
            raise NotFound("scope", scope)
        return worker
