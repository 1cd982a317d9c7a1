"""What an engine is told while it is committed: in force with the commit, gone again when there is none."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Connection

from keystead.db.session import Database
from keystead.kit.clock import SystemClock
from keystead.kit.errors import Conflict
from keystead.reconcile import confirming, store
from keystead.reconcile import scope as scope_module
from keystead.reconcile.ahead import Telling
from keystead.reconcile.confirming import ScopeWiring
from keystead.reconcile.marks import Mark, bump
from keystead.reconcile.scope import ScopeWorker
from keystead.reconcile.settle import Outcome
from tests.support.engine import FakeEngine, FakeSource, Part, plan

SCOPE = "fake/main"
KEY = "k1-1"


class Uncommitted(FakeSource):
    """What is read within a transaction is wanted there, and by nobody else before the commit."""

    def desired_part(self, connection: Connection, subjects: Sequence[str]) -> Part:
        return Part(frozenset(subjects)) if connection.in_transaction() else super().desired_part(connection, subjects)


@dataclass
class Site:
    """A scope whose engine may be told ahead; ``end`` lets a write that was begun go on to its commit."""

    database: Database
    source: Uncommitted = field(default_factory=Uncommitted)
    engine: FakeEngine = field(default_factory=FakeEngine)
    end: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        wiring = ScopeWiring[Part, frozenset[str]](
            SCOPE, self.engine, self.source, plan, is_light=lambda part, subjects: True
        )
        self.worker = ScopeWorker(wiring, database=self.database, clock=SystemClock())

    async def add(self, *, error: Exception | None = None, runs: int = 1) -> Mark:
        """Add a key as an operation does, its transaction run so many times; the last run ends when it may."""
        telling = Telling({SCOPE: self.worker.ahead})

        def unit(connection: Connection) -> Mark:
            mark = Mark(SCOPE, KEY, bump(connection, SCOPE))
            for _ in range(runs):
                telling.note(connection, [mark])
            self.end.wait(5)
            if error is not None:
                raise error
            self.source.wanted.add(KEY)
            self.source.issuing.add(KEY)
            return mark

        is_committed = is_told = False
        try:
            mark = await self.database.write(unit)
            is_committed = True
        finally:
            is_told = await telling.end(is_committed=is_committed)
        if not is_told:
            self.worker.wake([mark])
        return mark


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture
async def site(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    # The engine is busy when a test says so, and not because it is compared at that moment.
    monkeypatch.setattr(scope_module, "CHECK_INTERVAL_S", 600.0)
    await database.write(lambda connection: store.register(connection, SCOPE))
    made = Site(database)
    running = asyncio.create_task(made.worker.run())
    await until(lambda: not made.worker._wants_full_pass)
    async with made.worker._engine_lock:  # the first pass is over
        pass
    yield made
    made.end.set()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def outcome(site: Site, mark: Mark) -> Outcome:
    return (await site.worker.settle(mark, 3.0)).outcome


async def test_the_engine_knows_an_addition_before_its_commit_and_is_told_once(site: Site) -> None:
    adding = asyncio.create_task(site.add())
    await until(lambda: KEY in site.engine.held)
    was_over = adding.done()
    site.end.set()

    assert await outcome(site, await adding) is Outcome.SETTLED
    assert not was_over
    assert site.engine.told == [f"+{KEY}"]
    await until(lambda: not site.source.issuing)


async def test_a_write_that_outlives_the_work_of_its_scope_ends_as_it_would(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirming, "_LAST_CONFIRMATIONS_S", 0.0)
    adding = asyncio.create_task(site.add())
    await until(lambda: KEY in site.engine.held)

    await site.worker.background.finish()
    site.end.set()

    assert (await adding).subject == KEY


async def test_nothing_compares_the_engine_while_a_commit_is_on_its_way(site: Site) -> None:
    adding = asyncio.create_task(site.add())
    await until(lambda: KEY in site.engine.held)
    comparing = asyncio.create_task(site.worker.full_pass())
    await asyncio.sleep(0.1)
    was_compared = comparing.done()
    site.end.set()
    await comparing

    assert await outcome(site, await adding) is Outcome.SETTLED
    assert not was_compared
    assert site.engine.held == {KEY}
    assert site.engine.told == [f"+{KEY}"]


async def test_what_was_not_committed_is_taken_out_again(site: Site) -> None:
    adding = asyncio.create_task(site.add(error=Conflict("another was faster")))
    await until(lambda: KEY in site.engine.held)
    site.end.set()

    with pytest.raises(Conflict):
        await adding
    await until(lambda: not site.engine.held)
    assert site.engine.told == [f"+{KEY}", f"-{KEY}"]


async def test_only_the_last_run_of_a_transaction_counts(site: Site) -> None:
    site.end.set()

    mark = await site.add(runs=2)

    assert await outcome(site, mark) is Outcome.SETTLED
    assert site.engine.told == [f"+{KEY}", f"-{KEY}", f"+{KEY}"]
    assert site.engine.held == {KEY}


async def test_what_got_no_answer_is_told_again_after_the_commit(site: Site) -> None:
    site.engine.silent = {KEY}
    site.end.set()

    mark = await site.add()
    assert (await site.worker.settle(mark, 0.1)).outcome is Outcome.PENDING
    site.engine.silent = set()

    assert await outcome(site, mark) is Outcome.SETTLED


async def test_a_busy_engine_is_told_after_the_commit(site: Site) -> None:
    async with site.worker._engine_lock:
        site.end.set()
        mark = await site.add()
        assert site.engine.told == []

    assert await outcome(site, mark) is Outcome.SETTLED
    assert site.engine.told == [f"+{KEY}"]


async def test_a_write_that_nobody_waits_for_any_more_tells_nothing(site: Site) -> None:
    adding = asyncio.create_task(site.add())
    await asyncio.sleep(0)
    adding.cancel()
    with suppress(asyncio.CancelledError):
        await adding
    site.end.set()

    # Whatever it was in the middle of is over when the next write is.
    await site.database.write(lambda connection: None)
    await until(lambda: not site.worker._engine_lock.locked())
    assert site.engine.told == []
