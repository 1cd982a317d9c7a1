"""The runner: a job is one worker's at a time, goes on after a kill, and ends as its handler does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from keystead.jobs import store
from keystead.jobs.errors import JobLost, NotYet
from keystead.jobs.runner import CRASHED, KEPT_FOR, LEASE, LONG_MAX, JobRunner
from keystead.jobs.store import Job, NewJob, State
from keystead.kit.clock import Clock, SystemClock
from keystead.kit.errors import Invalid, Unavailable
from tests.support.work import Workplace

KIND = "test"


class Office:
    """A workplace with runners whose handler is the test's."""

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self.handler: Callable[[Job], Awaitable[None]] = self._nothing

    def runner(self, *, is_alone: bool = False, clock: Clock | None = None) -> JobRunner:
        place, handlers = self.place, {KIND: lambda job: self.handler(job)}
        return JobRunner(place.database, handlers, clock=clock or place.clock, ids=place.ids, is_alone=is_alone)

    async def enqueue(self, total: int = 3, kind: str = KIND) -> int:
        job = NewJob(self.place.account_id, kind, {"actor": "anna"}, {"what": 1}, total)
        now = self.place.clock.now()
        return await self.place.database.write(lambda connection: store.enqueue(connection, job, now))

    async def find(self, number: int, kind: str = KIND) -> Job:
        found = await self.place.database.read(
            lambda connection: store.find(connection, self.place.account_id, kind, number)
        )
        assert found is not None
        return found

    async def carried_out(self, number: int) -> Job:
        runner = self.runner()
        job = await runner.claim()
        assert job is not None
        await runner.carry_out(job)
        return await self.find(number)

    async def hold(self, job: Job) -> int:
        return await self.place.database.write(lambda connection: store.hold(connection, job))

    async def _nothing(self, job: Job) -> None:
        return


@asynccontextmanager
async def running(runner: JobRunner) -> AsyncIterator[None]:
    """Let a runner run."""
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def end_within(office: Office, begun: asyncio.Event) -> None:
    """Have a runner take up what waits, and end it once the handler has begun."""
    await office.enqueue()
    runner = office.runner()
    job = await runner.claim()
    assert job is not None
    carrying = asyncio.create_task(runner.carry_out(job))
    await begun.wait()
    carrying.cancel()
    with suppress(asyncio.CancelledError):
        await carrying


@pytest.fixture
def office(workplace: Workplace) -> Office:
    return Office(workplace)


async def test_a_job_is_given_to_its_handler_and_is_done_when_that_returns(office: Office) -> None:
    given: list[Job] = []

    async def handler(job: Job) -> None:
        given.append(job)

    office.handler = handler
    number = await office.enqueue()

    ended = await office.carried_out(number)

    assert [(job.number, job.attempts, dict(job.request)) for job in given] == [(number, 1, {"what": 1})]
    assert (ended.state, ended.claim, ended.ended_at is None) == (State.DONE, None, False)


async def test_a_job_is_claimed_once(office: Office) -> None:
    await office.enqueue()

    claims = await asyncio.gather(*(office.runner().claim() for _ in range(4)))

    assert len([job for job in claims if job is not None]) == 1


async def test_an_error_that_waiting_may_cure_puts_a_job_off(office: Office) -> None:
    async def handler(job: Job) -> None:
        raise Unavailable("the engine is away")

    office.handler = handler
    number = await office.enqueue()

    left = await office.carried_out(number)
    office.place.clock.advance(60)
    later = await office.runner().claim()

    assert (left.state, left.message, left.claim) == (State.RUNNING, "the engine is away", None)
    assert later is not None
    assert later.attempts == 2


async def test_a_job_is_put_off_for_as_long_as_the_error_says(office: Office) -> None:
    began = office.place.clock.now()

    async def handler(job: Job) -> None:
        raise Unavailable("the engine is away", retry_after_s=3600)

    office.handler = handler

    left = await office.carried_out(await office.enqueue())

    assert left.due_at >= began + timedelta(seconds=3600)


async def test_any_other_error_ends_a_job_as_failed(office: Office) -> None:
    async def handler(job: Job) -> None:
        raise Invalid("no such thing")

    office.handler = handler

    ended = await office.carried_out(await office.enqueue())

    assert (ended.state, ended.message) == (State.FAILED, "no such thing")


async def test_a_handler_that_crashes_ends_its_own_job_and_nobody_elses(office: Office) -> None:
    crashed, goes_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def crashing(job: Job) -> None:
        crashed.set()
        raise ZeroDivisionError

    async def waiting(job: Job) -> None:
        await goes_on.wait()
        done.set()

    runner = office.runner(is_alone=True, clock=SystemClock())
    runner.on("crashing", crashing)
    runner.on("waiting", waiting)
    beside = await office.enqueue(kind="waiting")
    number = await office.enqueue(kind="crashing")
    async with running(runner), asyncio.timeout(60):
        await crashed.wait()
        while (ended := await office.find(number, kind="crashing")).state is State.RUNNING:
            await asyncio.sleep(0)
        goes_on.set()
        await done.wait()

    assert (ended.state, ended.message) == (State.FAILED, CRASHED)
    assert (await office.find(beside, kind="waiting")).attempts == 1


async def test_a_job_whose_worker_is_gone_is_taken_up_by_another_and_lost_to_the_first(office: Office) -> None:
    number = await office.enqueue()
    first = await office.runner().claim()
    assert first is not None
    await office.place.database.write(lambda connection: store.advance(connection, first, 2))

    office.place.clock.advance(LEASE.total_seconds() + 1)
    second = await office.runner().claim()

    assert second is not None
    assert (second.number, second.attempts, await office.hold(second)) == (number, 2, 2)
    with pytest.raises(JobLost):
        await office.hold(first)


async def test_a_process_that_is_alone_waits_for_no_lease_of_a_predecessor(office: Office) -> None:
    await office.runner().claim()
    number = await office.enqueue()
    assert await office.runner().claim() is not None
    begun = asyncio.Event()

    async def handler(job: Job) -> None:
        begun.set()

    office.handler = handler
    async with running(office.runner(is_alone=True)), asyncio.timeout(10):
        await begun.wait()
        while (await office.find(number)).state is not State.DONE:
            await asyncio.sleep(0)


async def test_a_job_that_is_cancelled_is_taken_from_its_handler(office: Office) -> None:
    begun, was_ended = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            was_ended.set()

    office.handler = handler
    number = await office.enqueue()
    carrying = asyncio.create_task(office.carried_out(number))
    await begun.wait()
    now = office.place.clock.now()
    job = await office.find(number)

    assert await office.place.database.write(lambda connection: store.cancel(connection, number, now))

    assert (await carrying).state is State.CANCELLED
    assert was_ended.is_set()
    with pytest.raises(JobLost):
        await office.hold(job)


async def test_a_runner_that_ends_gives_its_jobs_back(office: Office) -> None:
    begun = asyncio.Event()

    async def handler(job: Job) -> None:
        begun.set()
        await asyncio.Event().wait()

    office.handler = handler
    await end_within(office, begun)

    again = await office.runner().claim()
    assert again is not None
    assert again.attempts == 2


async def test_a_job_is_given_back_when_its_handler_has_ended(office: Office) -> None:
    begun, claimed_beside = asyncio.Event(), list[Job | None]()

    async def handler(job: Job) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            claimed_beside.append(await office.runner().claim())

    office.handler = handler
    await end_within(office, begun)

    assert claimed_beside == [None]
    assert await office.runner().claim() is not None


async def test_jobs_that_go_on_for_long_leave_a_place_to_others(office: Office) -> None:
    goes_on, begun, done = asyncio.Event(), 0, asyncio.Event()

    async def long(job: Job) -> None:
        nonlocal begun
        begun += 1
        await goes_on.wait()

    async def short(job: Job) -> None:
        done.set()

    office.handler = short
    # Under a clock that others move on, leases would run out.
    runner = office.runner(is_alone=True, clock=SystemClock())
    runner.on_long("long", long)
    numbers = [await office.enqueue(kind="long") for _ in range(LONG_MAX + 2)]
    await office.enqueue()
    async with running(runner), asyncio.timeout(60):
        await done.wait()
        begun_meanwhile = begun
        goes_on.set()
        for number in numbers:
            while (await office.find(number, kind="long")).state is not State.DONE:
                await asyncio.sleep(0)

    assert begun_meanwhile <= LONG_MAX
    assert begun == LONG_MAX + 2


async def test_old_jobs_are_forgotten(office: Office) -> None:
    number = await office.enqueue()
    await office.carried_out(number)

    office.place.clock.advance(KEPT_FOR.total_seconds() + 1)
    forgotten = await office.place.database.write(
        lambda connection: store.purge(connection, office.place.clock.now() - KEPT_FOR)
    )

    assert forgotten == 1


async def test_a_job_with_nothing_to_do_before_a_moment_is_claimed_from_then_on(office: Office) -> None:
    clock = office.place.clock

    async def handler(job: Job) -> None:
        raise NotYet("DNS takes its time", due_at=clock.now() + timedelta(hours=1))

    office.handler = handler
    number = await office.enqueue()

    left = await office.carried_out(number)
    clock.advance((left.due_at - clock.now()).total_seconds() - 1)
    early = await office.runner().claim()
    clock.advance(1)

    assert (left.state, left.message, left.claim) == (State.RUNNING, "DNS takes its time", None)
    assert early is None
    assert await office.runner().claim() is not None


async def test_a_paused_job_is_taken_from_its_worker_and_goes_on_when_it_is_continued(office: Office) -> None:
    number = await office.enqueue()
    first = await office.runner().claim()
    assert first is not None
    write = office.place.database.write
    await write(lambda connection: store.advance(connection, first, 2))

    assert await write(lambda connection: store.pause(connection, number))
    with pytest.raises(JobLost):
        await office.hold(first)
    office.place.clock.advance(LEASE.total_seconds() + 1)
    assert await office.runner().claim() is None
    assert await write(lambda connection: store.go_on(connection, number, office.place.clock.now()))

    again = await office.runner().claim()
    assert again is not None
    assert await office.hold(again) == 2


async def test_a_paused_job_can_be_cancelled_and_an_ended_one_neither_paused_nor_continued(office: Office) -> None:
    number, now = await office.enqueue(), office.place.clock.now()
    write = office.place.database.write
    await write(lambda connection: store.pause(connection, number))

    assert await write(lambda connection: store.cancel(connection, number, now))
    assert not await write(lambda connection: store.pause(connection, number))
    assert not await write(lambda connection: store.go_on(connection, number, now))


async def test_a_job_that_has_ended_is_gone_on_with_when_it_is_reopened(office: Office) -> None:
    number = await office.enqueue()
    await office.carried_out(number)
    write, now = office.place.database.write, office.place.clock.now()

    await write(lambda connection: store.reopen(connection, number, now, less=0))

    assert (await office.carried_out(number)).state is State.DONE
    assert (await office.find(number)).attempts == 2


async def test_a_job_that_is_reopened_is_taken_from_a_worker_only_when_that_has_done_every_part(office: Office) -> None:
    number = await office.enqueue(total=2)
    write, now = office.place.database.write, office.place.clock.now()
    job = await office.runner().claim()
    assert job is not None
    await write(lambda connection: store.advance(connection, job, 1))

    await write(lambda connection: store.reopen(connection, number, now, less=1))
    left = await office.find(number)
    await write(lambda connection: store.advance(connection, job, 2))
    await write(lambda connection: store.reopen(connection, number, now, less=1))
    await write(lambda connection: store.end(connection, job, State.DONE, message=None, at=now))
    taken = await office.find(number)

    assert (left.state, left.claim, left.done) == (State.RUNNING, job.claim, 0)
    assert (taken.state, taken.claim, taken.done) == (State.WAITING, None, 1)
