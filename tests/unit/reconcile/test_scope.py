"""What the worker of a scope promises, on an engine that makes every trouble a real one makes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from keystead.db.session import Database
from keystead.kit.clock import SystemClock
from keystead.kit.errors import KeysteadError, StorageBusy, StorageFailed
from keystead.reconcile import confirming, store
from keystead.reconcile import scope as scope_module
from keystead.reconcile.confirming import ScopeWiring
from keystead.reconcile.marks import Mark, bump
from keystead.reconcile.scope import ScopeWorker
from keystead.reconcile.settle import Outcome
from tests.support.engine import FakeEngine, FakeSource, Part, plan

SCOPE = "fake/main"


@dataclass
class Site:
    """A scope with its worker, which runs once ``begin`` is called."""

    database: Database
    source: FakeSource = field(default_factory=FakeSource)
    engine: FakeEngine = field(default_factory=FakeEngine)

    def __post_init__(self) -> None:
        wiring = ScopeWiring[Part, frozenset[str]](SCOPE, self.engine, self.source, plan)
        self.worker = ScopeWorker(wiring, database=self.database, clock=SystemClock())
        self.task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self.task = asyncio.create_task(self.worker.run())

    async def mark(self, subject: str) -> Mark:
        generation = await self.database.write(lambda connection: bump(connection, SCOPE))
        mark = Mark(SCOPE, subject, generation)
        self.worker.wake([mark])
        return mark

    async def want(self, subject: str) -> Mark:
        self.source.wanted.add(subject)
        self.source.issuing.add(subject)
        return await self.mark(subject)

    async def unwant(self, subject: str, *, is_tombstone: bool = True) -> Mark:
        self.source.wanted.discard(subject)
        if is_tombstone:
            self.source.removing.add(subject)
        return await self.mark(subject)

    async def outcome(self, mark: Mark, within_s: float = 3.0) -> Outcome:
        return (await self.worker.settle(mark, within_s)).outcome


async def until(holds: Callable[[], bool], within_s: float = 3.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture
async def site(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    # The intervals are the module's own constants: nothing is to be waited for in real time.
    monkeypatch.setattr(scope_module, "CHECK_INTERVAL_S", 0.1)
    monkeypatch.setattr(scope_module, "_BACKOFF_MAX_S", 0.1)
    await database.write(lambda connection: store.register(connection, SCOPE))
    made = Site(database)
    yield made
    if made.task is not None:
        made.task.cancel()
        with suppress(asyncio.CancelledError):
            await made.task


async def test_a_marked_subject_is_settled_when_the_engine_is_ready(site: Site) -> None:
    site.begin()
    site.engine.frozen = {"k1-1"}

    mark = await site.want("k1-1")
    before = await site.outcome(mark, 0.2)
    site.engine.thaw("k1-1")

    assert before is Outcome.PENDING
    assert await site.outcome(mark) is Outcome.SETTLED
    await until(lambda: not site.source.issuing)


async def test_a_subject_does_not_wait_for_what_only_others_wait_for(site: Site) -> None:
    site.begin()
    await until(lambda: not site.worker._wants_full_pass)  # what an earlier process left behind has been read
    site.engine.frozen = {"k1-1", "k2-1"}

    cold, gone, warm = await site.want("k1-1"), await site.want("k2-1"), await site.want("k3-1")
    outcomes = await site.worker.settle_each([cold, warm], 0.3)
    removed = await site.unwant("k2-1")
    site.worker.wake_fully()
    await until(lambda: "k3-1" not in site.source.issuing)
    still_cold = await site.outcome(cold, 0.2)
    site.engine.thaw("k1-1")

    assert [ended.outcome for ended in outcomes] == [Outcome.PENDING, Outcome.SETTLED]
    assert str(outcomes[0].error) == "k1-1 is cold"
    assert still_cold is Outcome.PENDING
    assert gone.subject == removed.subject
    assert await site.outcome(removed) is Outcome.SETTLED
    assert await site.outcome(cold) is Outcome.SETTLED
    assert not site.worker.confirmations.is_applied("k2-1")


async def test_a_mark_that_was_settled_before_anybody_waited_is_settled(site: Site) -> None:
    site.begin()

    mark = await site.want("k1-1")
    await until(lambda: not site.source.issuing)

    assert await site.outcome(mark, 0.2) is Outcome.SETTLED


async def test_a_removal_without_a_tombstone_settles_after_one_unanswered_call(site: Site) -> None:
    site.engine.held = {"k1-1"}
    site.source.wanted = {"k1-1"}
    site.begin()
    site.engine.silent = {"k1-1"}

    mark = await site.unwant("k1-1", is_tombstone=False)
    while_silent = await site.outcome(mark, 0.3)
    site.engine.silent = set()

    assert while_silent is Outcome.PENDING
    assert await site.outcome(mark) is Outcome.SETTLED


async def test_a_removal_nobody_answered_is_certain_once_the_process_is_gone(site: Site) -> None:
    site.engine.held = {"k1-1"}
    site.source.wanted = {"k1-1"}
    site.begin()
    site.engine.silent = {"k1-1"}
    mark = await site.unwant("k1-1")
    assert await site.outcome(mark, 0.3) is Outcome.PENDING

    site.engine.is_down = True

    assert await site.outcome(mark) is Outcome.SETTLED
    await until(lambda: not site.source.removing)


async def test_a_removal_is_settled_at_once_while_the_engine_is_down(site: Site) -> None:
    site.source.wanted = {"k1-1"}
    site.engine.is_down = True
    site.begin()

    mark = await site.unwant("k1-1")

    assert await site.outcome(mark, 1.0) is Outcome.SETTLED


async def test_an_addition_waits_for_an_engine_that_is_down(site: Site) -> None:
    site.engine.is_down = True
    site.begin()
    mark = await site.want("k1-1")
    assert await site.outcome(mark, 0.2) is Outcome.PENDING

    site.engine.is_down = False

    assert await site.outcome(mark) is Outcome.SETTLED
    assert site.engine.held == {"k1-1"}


async def test_a_refused_step_does_not_keep_the_others_from_being_done(site: Site) -> None:
    site.engine.held = {"k1-1", "k2-1"}
    site.engine.refused = {"k1-1"}
    site.source.wanted = {"k3-1"}

    site.begin()

    await until(lambda: site.engine.held == {"k1-1", "k3-1"})


@pytest.mark.parametrize("error", [StorageFailed("the disk is full"), StorageBusy("locked")])
async def test_the_worker_outlives_a_database_that_takes_nothing(
    site: Site, error: KeysteadError, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_unit: object) -> None:
        raise error

    mark = await site.want("k1-1")
    # The real database is fine; what it says to writes is the trouble under test.
    monkeypatch.setattr(site.database, "write", refuse)
    site.begin()
    settled = await site.outcome(mark)
    await asyncio.sleep(0.3)
    monkeypatch.undo()

    assert settled is Outcome.SETTLED
    assert site.task is not None
    assert not site.task.done()
    await until(lambda: not site.source.issuing, within_s=8.0)


async def test_what_was_settled_is_confirmed_later_when_the_confirmation_failed(site: Site) -> None:
    site.source.confirmation_error = StorageBusy("locked")
    site.begin()
    mark = await site.want("k1-1")
    assert await site.outcome(mark) is Outcome.SETTLED
    assert site.worker.confirmations.is_applied("k1-1")

    site.source.confirmation_error = None

    await until(lambda: not site.source.issuing)


async def test_what_is_out_of_the_engine_is_gone_before_the_database_says_so(site: Site) -> None:
    site.begin()
    mark = await site.want("k1-1")
    assert await site.outcome(mark) is Outcome.SETTLED
    assert not site.worker.confirmations.is_gone("k1-1")
    site.source.confirmation_error = StorageBusy("locked")

    mark = await site.unwant("k1-1")

    assert await site.outcome(mark) is Outcome.SETTLED
    assert site.worker.confirmations.is_gone("k1-1")


async def test_what_the_database_says_by_now_is_forgotten(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    # A minute; others are settled meanwhile.
    monkeypatch.setattr(confirming, "_READERS_LINGER_S", 0.3)
    site.begin()
    confirmations = site.worker.confirmations

    for subject in ("k1-1", "k2-1", "k3-1"):
        assert await site.outcome(await site.want(subject)) is Outcome.SETTLED
    assert await site.outcome(await site.unwant("k1-1")) is Outcome.SETTLED

    await until(lambda: not any(map(confirmations.is_applied, ("k1-1", "k2-1", "k3-1"))))
    await until(lambda: not confirmations.is_gone("k1-1"))


async def test_what_came_back_is_not_gone(site: Site) -> None:
    site.begin()
    await site.outcome(await site.want("k1-1"))
    await site.outcome(await site.unwant("k1-1", is_tombstone=False))
    assert site.worker.confirmations.is_gone("k1-1")

    mark = await site.want("k1-1")

    assert await site.outcome(mark) is Outcome.SETTLED
    assert not site.worker.confirmations.is_gone("k1-1")


async def test_what_an_earlier_process_left_unconfirmed_shows_at_once(site: Site) -> None:
    site.source.wanted = site.source.issuing = {"k1-1"}
    site.engine.is_down = True

    site.begin()

    await until(lambda: site.worker.confirmations.is_applied("k1-1"))


async def test_what_an_earlier_process_took_out_and_did_not_live_to_cut_off_is_cut_off(site: Site) -> None:
    site.source.removing = {"k1-1"}
    site.engine.connected = {"k1-1"}

    site.begin()

    await until(lambda: not site.source.removing)
    assert site.engine.connected == set()


async def test_a_subject_a_full_pass_could_not_reach_is_uncertain_afterwards(site: Site) -> None:
    site.source.wanted = {"k1-1"}
    site.engine.silent = {"k1-1"}
    site.begin()
    await asyncio.sleep(0.2)
    site.engine.held.add("k1-1")  # the late call lands
    site.engine.silent = set()

    mark = await site.unwant("k1-1")

    assert await site.outcome(mark) is Outcome.SETTLED
    assert site.engine.held == set()


async def test_many_removals_whose_marks_are_lost_are_not_held_back_where_a_row_explains_them(site: Site) -> None:
    many = {f"k{number}-1" for number in range(20)}
    site.engine.held = set(many)
    site.source.stopped = set(many)

    await site.worker.full_pass()

    assert site.engine.held == set()


async def test_many_removals_that_were_asked_for_are_not_held_back(site: Site) -> None:
    many = {f"k{number}-1" for number in range(40)}
    site.engine.held = set(many)
    site.source.wanted = set(many)
    marks = [await site.unwant(subject, is_tombstone=False) for subject in sorted(many)]

    site.begin()

    assert [await site.outcome(mark) for mark in marks] == [Outcome.SETTLED] * 40
    assert site.engine.held == set()


async def test_stopping_confirms_what_was_answered(site: Site) -> None:
    site.begin()
    mark = await site.want("k1-1")
    await site.outcome(mark)
    assert site.task is not None

    site.task.cancel()
    with suppress(asyncio.CancelledError):
        await site.task

    assert site.source.issuing == set()
