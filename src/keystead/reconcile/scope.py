"""One scope and its worker: small changes at once, the full comparison periodically, one at a time.

The worker is the only one who tells the engine anything. Marked subjects go straight to the engine
(``Driver.apply_marked``) and are confirmed afterwards; the full pass observes, plans, guards, applies and verifies.
Both end in the same state. A subject whose call got no answer is *uncertain*: a late call might still land, so its
removal is confirmed only by a full pass that has seen the engine without it, or by the end of the process it was
sent to.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from keystead.db.session import Database, Weight
from keystead.kit.clock import Clock
from keystead.kit.errors import (
    Conflict,
    EngineUnavailable,
    KeysteadError,
    NeedsConfirmation,
    StorageFailed,
    Unavailable,
)
from keystead.kit.log import get_logger
from keystead.reconcile import guard, store
from keystead.reconcile.ahead import Ahead
from keystead.reconcile.confirming import Background, Confirmations, ScopeWiring
from keystead.reconcile.marks import Mark, Snapshot
from keystead.reconcile.plan import Passed, Plan, Step
from keystead.reconcile.replacement import Replacement
from keystead.reconcile.settle import Outcome, Settlement, Waiters

log = get_logger()

D = TypeVar("D")
A = TypeVar("A")

CHECK_INTERVAL_S = 5.0
FULL_INTERVAL_S = 60.0
_WRITTEN_WITHIN_S = 1.0
_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 5.0


class ScopeWorker(Generic[D, A]):
    """Keep one scope of one engine as desired."""

    def __init__(self, wiring: ScopeWiring[D, A], *, database: Database, clock: Clock) -> None:
        self.name = wiring.name
        self._driver = wiring.driver
        self._source = wiring.source
        self._planner = wiring.planner
        self.replacer = wiring.replacer
        self._database = database
        self._clock = clock
        self._waiters = Waiters()
        self._dirty: dict[str, int] = {}
        self._uncertain: set[str] = set()
        self._wake = asyncio.Event()
        self._engine_lock = asyncio.Lock()
        self._wants_full_pass = True
        self._has_begun = False
        self._next_check_s = self._next_full_s = 0.0
        self._preparing: asyncio.Task[None] | None = None
        self.background = Background()
        self.confirmations = Confirmations(
            wiring,
            self._waiters,
            database=database,
            clock=clock,
            background=self.background,
            is_quiet=lambda: not self._dirty,
            on_put_off=self.wake_fully,
        )
        self.ahead = Ahead(
            wiring,
            self._engine_lock,
            is_idle=lambda: not self._dirty,
            spawn=self.background.spawn,
            take=self._take_ahead,
            wake_fully=self.wake_fully,
        )

    def wake(self, marks: Iterable[Mark]) -> None:
        """Take notice of committed marks."""
        for mark in marks:
            self._dirty[mark.subject] = max(mark.generation, self._dirty.get(mark.subject, 0))
        self._wake.set()

    def wake_fully(self) -> None:
        """Ask for a full pass soon: the engine was restarted, or somebody doubts."""
        self._wants_full_pass = True
        self._wake.set()

    async def settle(self, mark: Mark, timeout_s: float) -> Settlement:
        """Wait until the mark is applied (and a client would be served), has failed for good, or time is over."""
        return (await self._waiters.settle([mark], timeout_s))[0]

    async def settle_each(self, marks: Sequence[Mark], timeout_s: float) -> list[Settlement]:
        """Do the same for many marks, and say of each how it ended."""
        return await self._waiters.settle(marks, timeout_s)

    async def run(self) -> None:
        """Work until cancelled; no failure ends this loop. What was answered is confirmed at the end."""
        if not self._has_begun:
            self._has_begun = True
            await self._trust_predecessor()
        try:
            await self._work()
        finally:
            await self.confirmations.stop()
            await self.background.finish()

    async def _trust_predecessor(self) -> None:
        """Show what an earlier process left unconfirmed: it may have been answered, and the engine starts with it.

        Removals are done once more: an engine that lacks a subject may still have its connections.
        """
        try:
            present, absent = await self._database.read(self._source.unconfirmed)
        except KeysteadError as error:
            log.warning("unconfirmed subjects not read", scope=self.name, reason=error.message)
            return
        self.confirmations.trust([*present, *absent])
        for subject in absent:
            self._dirty.setdefault(subject, 0)

    async def _work(self) -> None:
        backoff_s = _BACKOFF_FIRST_S
        while True:
            try:
                await self._sleep(await self._round())
                backoff_s = _BACKOFF_FIRST_S
            except (Unavailable, StorageFailed) as error:
                self._wants_full_pass = True
                log.debug("scope waits", scope=self.name, reason=error.message, again_in_s=backoff_s)
                await self._sleep(backoff_s)
                backoff_s = min(backoff_s * 2, _BACKOFF_MAX_S)
            except KeysteadError as error:
                log.error("scope blocked", scope=self.name, reason=error.message)
                await self._note_blocked(error)
                await self._sleep(FULL_INTERVAL_S)

    async def _round(self) -> float:
        """Do what is due and return how long there is nothing to do."""
        self._wake.clear()
        if self._dirty:
            await self._apply_dirty()
        now = self._clock.monotonic_s()
        if self._wants_full_pass or now >= self._next_full_s:
            self._next_full_s, self._next_check_s = now + FULL_INTERVAL_S, now + CHECK_INTERVAL_S
            self._wants_full_pass = False
            await self.full_pass()
        elif now >= self._next_check_s:
            self._next_check_s = now + CHECK_INTERVAL_S
            await self._check_sizes()
        return self._next_check_s - self._clock.monotonic_s()

    async def _note_blocked(self, error: KeysteadError) -> None:
        """Write down what a person has to see to; the log has it already when the database cannot take it."""
        with suppress(KeysteadError):
            await self._record(store.PassRecord("blocked", error.message, "", "", 0))

    async def _sleep(self, seconds: float) -> None:
        waiting = asyncio.ensure_future(self._wake.wait())
        pausing = asyncio.ensure_future(self._clock.sleep(max(seconds, 0.0)))
        try:
            await asyncio.wait({waiting, pausing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            pausing.cancel()

    # --- marked subjects -------------------------------------------------------------------------------------------

    async def _apply_dirty(self) -> None:
        """Bring marked subjects to the engine; one that is down for certain still settles removals."""
        if not await self._driver.when_reachable():
            # Whatever got no answer was sent to a process that is gone, so none of it can land any more.
            self._uncertain.clear()
        async with self._engine_lock:
            batch, self._dirty = self._dirty, {}
            subjects = list(batch)
            try:
                weight = Weight.POINT if len(subjects) <= 4 else Weight.LIST
                part = await self._database.read(lambda c: self._source.desired_part(c, subjects), weight)
                results = await self._driver.apply_marked(part, subjects)
            except BaseException:
                self._take_back(batch)
                raise
            failed = await self._sort_results(batch, results, part)
        if failed:
            raise failed

    async def _take_ahead(self, batch: dict[str, int], outcomes: Any, part: D) -> None:
        """Settle what was told ahead of its commit; what got no answer is told again."""
        if await self._sort_results(batch, outcomes, part):
            self._wake.set()

    def _take_back(self, batch: dict[str, int]) -> None:
        for subject, generation in batch.items():
            self._dirty[subject] = max(generation, self._dirty.get(subject, 0))

    async def _sort_results(
        self, batch: dict[str, int], results: Any, part: D
    ) -> EngineUnavailable | Unavailable | None:
        """Settle what succeeded, fail what was refused, keep what got no answer; return an error to back off on."""
        present = self._source.present(part)
        done_present: dict[str, int] = {}
        done_absent: dict[str, int] = {}
        retry: Unavailable | None = None
        for subject, generation in batch.items():
            error = results.get(subject)
            if error is None:
                (done_present if subject in present else done_absent)[subject] = generation
            elif isinstance(error, Unavailable):
                retry = error
                self._uncertain.add(subject)
                self._waiters.note(subject, error)
                self._take_back({subject: generation})
            else:
                self._waiters.resolve(subject, generation, Settlement(Outcome.FAILED, error))
        await self._finish(done_present, done_absent, part)
        return retry

    async def _finish(self, present: dict[str, int], absent: dict[str, int], part: D) -> None:
        certain_absent = {
            subject: generation for subject, generation in absent.items() if subject not in self._uncertain
        }
        self.confirmations.settle_gone(certain_absent)
        if len(certain_absent) < len(absent):
            self._take_back({s: g for s, g in absent.items() if s not in certain_absent})
            self._wants_full_pass = True
        if present:
            self._uncertain.difference_update(present)
            await self.confirmations.settle_when_ready(present, part)
        if certain_absent:
            self.background.spawn(self.confirmations.confirm((), certain_absent, max(certain_absent.values())))

    # --- the full comparison -----------------------------------------------------------------------------------------

    async def _check_sizes(self) -> None:
        """Compare counts, which costs little; a difference asks for the full pass."""
        async with self._engine_lock:
            wanted = await self._database.read(self._source.sizes)
            if not self._dirty and not self._uncertain and await self._driver.sizes() == wanted:
                return
        await self.full_pass()

    async def full_pass(self, *, approved_digest: str | None = None) -> Passed[A]:
        """Observe, plan, guard, apply, verify and record; return the plan that was applied and what was seen last.

        What takes long to prepare is prepared meanwhile, and done by a pass of its own.
        Raises Unavailable when the engine does not answer, Conflict when an approved plan is no longer the plan.
        """
        if not await self._driver.when_reachable():
            raise EngineUnavailable(f"the engine of {self.name} is down")
        async with self._engine_lock:
            return await self._full_pass(approved_digest)

    async def patient_pass(self, *, approved_digest: str | None = None) -> Passed[A]:
        """Do a full pass and wait for what it has to prepare; small changes go on meanwhile."""
        if approved_digest is None:
            passed = await self.full_pass()
            if self._preparing is not None:
                await asyncio.wait([self._preparing])
                passed = Passed(passed.plan, (await self.full_pass()).seen)
            return passed
        if not await self._driver.when_reachable():
            raise EngineUnavailable(f"the engine of {self.name} is down")
        async with self._engine_lock:
            _, desired, reviewed, _, _ = await self._look()
        for step in reviewed.steps:
            await self._driver.prepare_for(step, desired)
        return await self.full_pass(approved_digest=approved_digest)

    async def replace(self, replacement: Replacement) -> None:
        """Put another process in the place of the one that serves; small changes go on until the moment itself."""
        replacer = self.replacer
        assert replacer is not None  # noqa: S101 - a replacement was planned by it
        async with self._engine_lock:
            desired = (await self._look())[1]
        await replacer.prepare(replacement, desired)
        async with self._engine_lock:
            await replacer.carry_out(replacement, (await self._look())[1])
        self.wake_fully()

    async def _prepare(self, steps: Collection[Step], desired: D) -> None:
        """Prepare beside what serves, then ask for the pass that can carry the steps out."""
        try:
            for step in steps:
                await self._driver.prepare_for(step, desired)
            self.wake_fully()
        except KeysteadError as error:
            log.warning("a step is not prepared", scope=self.name, reason=error.message)
        finally:
            self._preparing = None

    async def _full_pass(self, approved_digest: str | None) -> Passed[A]:
        started = self._clock.monotonic_s()
        snapshot, desired, plan, held_objects, seen = await self._look()
        if approved_digest is not None and approved_digest != plan.digest:
            raise Conflict(f"the plan of {self.name} has changed since it was reviewed; look at it again")
        explained = snapshot.absent | snapshot.dirty.keys() | snapshot.explained
        verdict = guard.judge(plan, explained=explained, held_objects=held_objects)
        steps = plan.steps if approved_digest is not None else verdict.allowed
        held = () if approved_digest is not None else verdict.held
        waiting = tuple(step for step in steps if not self._driver.is_prepared(step, desired))
        if waiting and self._preparing is None:
            self._preparing = self.background.spawn(self._prepare(waiting, desired))
        if ready := [step for step in steps if step not in waiting]:
            await self._apply_steps(ready, desired)
            seen = await self._verify(desired, (*held, *waiting))
            log.info("plan applied", scope=self.name, steps=len(ready), digest=plan.digest)
        await self._settle_snapshot(snapshot, desired, frozenset(step.subject for step in held))
        message = guard.told(self.name, plan, len(held))
        took_ms = int((self._clock.monotonic_s() - started) * 1000)
        await self._record(store.PassRecord("held" if held else "ok", message, str(plan), plan.digest, took_ms))
        return Passed(plan, seen)

    async def _apply_steps(self, steps: Collection[Step], desired: D) -> None:
        """Carry out every step; one that is refused does not keep the others from being done."""
        refused: KeysteadError | None = None
        for step in steps:
            try:
                await self._driver.apply(step, desired)
            except (Unavailable, asyncio.CancelledError):
                self._uncertain.add(step.subject)
                raise
            except KeysteadError as error:
                log.error("step refused", scope=self.name, step=str(step), reason=error.message)
                refused = refused or error
        if refused is not None:
            raise refused

    async def _look(self) -> tuple[Snapshot, D, Plan, int, A]:
        def unit(connection: Any) -> tuple[Snapshot, D]:
            reached = store.generation(connection, self.name)
            present, absent = self._source.unconfirmed(connection)
            explained = frozenset(self._source.explained(connection))
            snapshot = Snapshot(reached, frozenset(present), frozenset(absent), dirty, uncertain, explained)
            return snapshot, self._source.desired(connection)

        dirty, uncertain = dict(self._dirty), frozenset(self._uncertain)
        snapshot, desired = await self._database.read(unit, Weight.LIST)
        actual = await self._driver.observe()
        held_objects = sum((await self._driver.sizes()).values())
        return snapshot, desired, self._planner(self.name, desired, actual), held_objects, actual

    async def _verify(self, desired: D, held: Collection[object]) -> A:
        seen = await self._driver.observe()
        left = self._planner(self.name, desired, seen)
        if len(left.steps) > len(held):
            raise Unavailable(f"{self.name} is not as planned after the plan was applied: {left.steps[0]}")
        return seen

    async def _settle_snapshot(self, snapshot: Snapshot, desired: D, held: frozenset[str]) -> None:
        """Confirm what was unconfirmed or marked, now that the engine was seen to hold it or to lack it."""
        wanted = self._source.present(desired)
        open_subjects = (snapshot.present | snapshot.absent | snapshot.dirty.keys()) - held
        present = {subject: snapshot.reached for subject in open_subjects if subject in wanted}
        absent = dict.fromkeys(open_subjects - present.keys(), snapshot.reached)
        self._uncertain -= snapshot.uncertain - held
        for subject in open_subjects:
            if self._dirty.get(subject, 0) <= snapshot.reached:
                self._dirty.pop(subject, None)
        self.confirmations.settle_gone(absent)
        if present:
            await self.confirmations.settle_when_ready(present, desired)
        if absent:
            await self.confirmations.confirm((), absent, snapshot.reached)

    async def _record(self, record: store.PassRecord) -> None:
        if record.state != "ok":
            log.warning("scope needs a person", scope=self.name, reason=record.message)
        await self._database.write(lambda connection: store.record_pass(connection, self.name, record))

    async def sizes(self) -> Mapping[str, int]:
        """Return what the engine holds, by place; raise EngineUnavailable when it does not answer."""
        async with self._engine_lock:
            return await self._driver.sizes()

    async def preview(self) -> Plan:
        """Return the plan as it would run now, without applying it."""
        async with self._engine_lock:
            return (await self._look())[2]

    async def apply_reviewed(self, digest: str) -> Plan:
        """Apply exactly the plan a person reviewed; raise NeedsConfirmation without a digest."""
        if not digest:
            raise NeedsConfirmation("name the digest of the plan you reviewed")
        plan = (await self.patient_pass(approved_digest=digest)).plan
        await self.background.pause(_WRITTEN_WITHIN_S)  # whoever looks next finds that it is applied
        return plan
