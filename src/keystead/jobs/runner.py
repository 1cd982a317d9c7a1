"""The runner: claims jobs that are due and has them carried out, each by the handler of its kind.

A job is claimed by a lease in a transaction of its own, which is prolonged while its handler works. The handler does a
job in parts, each in a transaction that first holds the job and in the end says how far it is (``store.hold``,
``store.advance``): a process that is killed leaves a job that goes on behind its last part, and a job that is cancelled
or taken by somebody else fails its next part with nothing done. Several runners share one database.

Run by ``main``; woken after a commit that put a job in, and looking by itself every second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from keystead.db.session import Database
from keystead.jobs import store
from keystead.jobs.errors import JobLost, NotYet
from keystead.jobs.store import Job, State
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError, StorageFailed, Unavailable
from keystead.kit.ids import Ids
from keystead.kit.log import get_logger
from keystead.kit.waiting import ended, within

log = get_logger()

# Carries a job out and returns when nothing of it is left. An error that waiting may cure puts it off, ``NotYet`` until
# a moment; any other ends it as failed, and so does a crash.
Handler = Callable[[Job], Awaitable[None]]

LEASE = timedelta(seconds=15)
KEPT_FOR = timedelta(days=30)
TOGETHER_MAX = 4
# Jobs that go on for hours leave a place to those that somebody waits for.
LONG_MAX = 3
CRASHED = "it was stopped by an error of Keystead itself, which the log has"
_RENEW_EVERY_S = 5.0
_LOOK_EVERY_S = 1.0
_PUT_OFF_S = 5
_PURGE_EVERY_S = 3600.0


class JobRunner:
    """Carry jobs out; one per process. ``is_alone``: no other process can have claimed anything."""

    def __init__(
        self, database: Database, handlers: Mapping[str, Handler], *, clock: Clock, ids: Ids, is_alone: bool
    ) -> None:
        self._database = database
        self._handlers = dict(handlers)
        self._clock = clock
        self._ids = ids
        self._is_alone = is_alone
        self._wake = asyncio.Event()
        self._long: set[str] = set()
        # The kinds of what is carried out now, by claim.
        self._busy: dict[str | None, str] = {}
        self._next_purge_s = 0.0

    def on(self, kind: str, handler: Handler) -> None:
        """Have jobs of a kind carried out by a handler; before the runner runs."""
        self._handlers[kind] = handler

    def on_long(self, kind: str, handler: Handler) -> None:
        """Do so for a kind whose jobs may go on for hours: no more than ``LONG_MAX`` of all such kinds at a time."""
        self.on(kind, handler)
        self._long.add(kind)

    def wake(self) -> None:
        """Take notice that a job was put in."""
        self._wake.set()

    async def run(self) -> None:
        """Carry jobs out until cancelled; what is under way then is given back and gone on with by the next start."""
        self._busy.clear()
        if self._is_alone:
            await self._free()
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                await self._round(group)
                await within(self._clock, _LOOK_EVERY_S, self._wake.wait())

    async def claim(self) -> Job | None:
        """Take a job that is due, of a kind that has a place left."""
        now, claim, kinds = self._clock.now(), self._ids.hex(16), self._kinds()
        if not await self._database.read(lambda connection: store.is_any_due(connection, kinds, now)):
            return None
        return await self._database.write(
            lambda connection: store.claim(connection, kinds, at=now, until=now + LEASE, claim=claim)
        )

    async def carry_out(self, job: Job) -> None:
        """Have a claimed job carried out for as long as it is ours, and write down how it ended."""
        handling = asyncio.ensure_future(self._handlers[job.kind](job))
        keeping = asyncio.ensure_future(self._keep_lease(job))
        try:
            await asyncio.wait({handling, keeping}, return_when=asyncio.FIRST_COMPLETED)
            if handling.done():
                await self._note_end(job, handling)
        except asyncio.CancelledError:
            await ended(handling, keeping)  # whoever takes it next is not to be about it beside us
            await self._give_back(job)
            raise
        finally:
            await ended(handling, keeping)
            self._busy.pop(job.claim, None)
            self._wake.set()

    def _kinds(self) -> list[str]:
        has_place = sum(kind in self._long for kind in self._busy.values()) < LONG_MAX
        return [kind for kind in self._handlers if has_place or kind not in self._long]

    async def _free(self) -> None:
        now = self._clock.now()
        try:
            await self._database.write(lambda connection: store.free(connection, now))
        except KeysteadError as error:
            log.warning("jobs of an earlier process wait for their leases to run out", reason=error.message)

    async def _round(self, group: asyncio.TaskGroup) -> None:
        try:
            while len(self._busy) < TOGETHER_MAX and (job := await self.claim()) is not None:
                self._busy[job.claim] = job.kind
                group.create_task(self.carry_out(job), name=f"job {job.number}")
            if self._clock.monotonic_s() >= self._next_purge_s:
                before = self._clock.now() - KEPT_FOR
                await self._database.write(lambda connection: store.purge(connection, before))
                self._next_purge_s = self._clock.monotonic_s() + _PURGE_EVERY_S
        except KeysteadError as error:
            log.warning("jobs put off", reason=error.message)

    async def _keep_lease(self, job: Job) -> None:
        """Prolong the lease until it is lost."""
        while True:
            await self._clock.sleep(_RENEW_EVERY_S)
            try:
                if not await self._database.write(partial(store.renew, job=job, until=self._clock.now() + LEASE)):
                    return
            except KeysteadError as error:
                log.warning("lease of a job not prolonged", job=job.number, reason=error.message)

    async def _note_end(self, job: Job, handling: "asyncio.Future[None]") -> None:
        """Write down how a handler ended; what the database refuses is found out when the lease has run out."""
        try:
            await self._note(job, handling.exception())
        except KeysteadError as error:
            log.warning("end of a job not written down", job=job.number, reason=error.message)

    async def _note(self, job: Job, problem: BaseException | None) -> None:
        """Write down what a handler raised; one that crashed ends its own job and nobody else's."""
        match problem:
            case None:
                log.info("job done", job=job.number, kind=job.kind)
                await self._end(job, State.DONE, None)
            case JobLost():
                return
            case NotYet(message=message, due_at=due_at):
                await self._release(job, due_at=due_at or self._in(_PUT_OFF_S), message=message)
            case Unavailable() | StorageFailed():
                await self._put_off(job, problem)
            case KeysteadError(message=message):
                log.warning("job failed", job=job.number, kind=job.kind, reason=message)
                await self._end(job, State.FAILED, message)
            case Exception():
                log.error("job crashed", job=job.number, kind=job.kind, exc_info=problem)
                await self._end(job, State.FAILED, CRASHED)
            case _:
                raise problem

    async def _put_off(self, job: Job, error: Unavailable | StorageFailed) -> None:
        log.info("job put off", job=job.number, kind=job.kind, reason=error.message)
        wait_s = max(_PUT_OFF_S, error.retry_after_s) if isinstance(error, Unavailable) else _PUT_OFF_S
        await self._release(job, due_at=self._in(wait_s), message=error.message)

    async def _end(self, job: Job, state: State, message: str | None) -> None:
        now = self._clock.now()
        await self._database.write(lambda connection: store.end(connection, job, state, message=message, at=now))

    async def _release(self, job: Job, *, due_at: datetime, message: str) -> None:
        await self._database.write(lambda connection: store.release(connection, job, due_at=due_at, message=message))

    async def _give_back(self, job: Job) -> None:
        now = self._clock.now()
        try:
            await self._database.write(lambda connection: store.release(connection, job, due_at=now, message=None))
        except KeysteadError as error:
            log.warning("job not given back", job=job.number, reason=error.message)

    def _in(self, wait_s: float) -> datetime:
        return self._clock.now() + timedelta(seconds=wait_s)
