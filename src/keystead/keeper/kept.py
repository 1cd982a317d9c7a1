"""A core as the API sees it: the keeper's word about its state, mirrored, and what the API does while it lives.

Driven by an engine's driver, which is the Program: it says how to start and what to do while the process lives. If a
keeper runs already, its core is taken over as it is. A keeper that ends takes its core with it; another one is started
then, and the core anew. A core is named by its keeper and a number (``keepers.py``).
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from keystead.keeper.core import DOWN, FIRST_DELAY_S, LONGEST_DELAY_S, State
from keystead.keeper.keepers import LINGER_S, Keepers
from keystead.keeper.launch import Change, Openings, to_wire
from keystead.keeper.program import Program, Standing
from keystead.keeper.protocol import Message
from keystead.keeper.watched import Watched
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger
from keystead.kit.waiting import within

log = get_logger()

_GONE_S = 5.0
_POLL_S = 0.02


class KeptCore:
    """Mirror one core of a keeper, and ask the keeper for changes."""

    def __init__(self, program: Program, keepers: Keepers, *, clock: Clock) -> None:
        self._program = program
        self._clock = clock
        self._keepers = keepers
        keepers.on_core = self._hear
        self._name = ""
        self._told: Message = {}
        self._state = State.STOPPED
        self._own_trouble = ""
        self._changed = asyncio.Event()
        self._renewing = asyncio.Lock()
        self.watched = Watched(keepers, renewing=self._renewing)
        self._attended = ""
        self._attending: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> State:
        """Return the present state."""
        return self._state

    @property
    def is_down(self) -> bool:
        """Tell whether for certain nothing runs and the next start has not yet read what is desired."""
        return self._state in DOWN

    @property
    def identity(self) -> str:
        """Return the name of the running (or last) process; no other process ever has it."""
        return str(self._told.get("process", ""))

    @property
    def pid(self) -> int | None:
        """Return the process id while there is one."""
        pid: int | None = self._told.get("pid")
        return pid if self._state is State.RUNNING else None

    @property
    def trouble(self) -> str:
        """Return why the last start or life failed, or ""."""
        return self._own_trouble or str(self._told.get("trouble", ""))

    @property
    def last_lines(self) -> tuple[str, ...]:
        """Return the last lines the program wrote, scrubbed."""
        return tuple(self._told.get("last_lines", ()))

    async def start(self) -> None:
        """Begin to have the program kept running; returns at once."""
        if self._task is None:
            self._become(State.STARTING)
            self._task = asyncio.create_task(self._keep(), name="keeper")

    async def stop(self) -> None:
        """Let go of the core: an attached one is ended, gracefully first; another one goes on without us."""
        task, self._task = self._task, None
        if task is None:
            return
        try:
            if self._keepers.place.is_attached and self._keepers.is_open:
                await self._program.before_stop()
                await self._keepers.end()
        except KeysteadError as error:
            log.warning("the core was not ended in order", reason=error.message)
        finally:
            task.cancel()
            await asyncio.wait([task])
            await self._stop_attending()
            await self._keepers.close()
            if self._keepers.place.is_attached:
                self._become(State.STOPPED)

    async def renew(self) -> None:
        """Have the next start made from what is desired now."""
        async with self._renewing:
            launch = await self._program.prepare(self._keepers.echo_port(self._name))
            await self._keepers.ask("renew", self._name, launch=to_wire(launch))

    async def remember(self, changes: Sequence[Change], openings: Openings) -> bool:
        """Have the next start include these changes; tell whether the core was down for certain then."""
        async with self._renewing:
            told = await self._keepers.ask("remember", self._name, changes=changes, openings=openings)
        return State(told["state"]) in DOWN

    async def note(self, changes: Sequence[Change]) -> None:
        """Do the same for additions to a running core, without waiting for the keeper to have read of them.

        What is sent is read before any later start of the core, also when we are killed meanwhile.
        """
        async with self._renewing:
            self._keepers.tell("remember", self._name, changes=changes, openings={})

    # --- another core beside this one ---

    @property
    def name(self) -> str:
        """Return the name of this core among those of all keepers."""
        return self._name

    def memos(self) -> list[Mapping[str, Any]]:
        """Return the memos of all processes that keepers have."""
        return [told["memo"] for told in self._keepers.told.values()]

    def told_of(self, core: str) -> Message:
        """Return what its keeper said last of a core; nothing once it is gone."""
        return self._keepers.told.get(core, {})

    async def relabel(self, memos: Mapping[str, Mapping[str, Any]]) -> None:
        """Have it noted what these processes are from now on, all at once if they are of one keeper."""
        await self._keepers.relabel(memos)

    async def succeed(self, core: str, attending: asyncio.Task[None]) -> None:
        """Mirror another core from now on; its process is attended to already."""
        async with self._renewing:
            launch = await self._program.prepare(self._keepers.echo_port(core))
            await self._keepers.ask("renew", core, launch=to_wire(launch))
            if self._attending is not None:
                self._attending.cancel()
            self._keepers.lead(core)
            self._name, self._told, self._attending = core, self._keepers.told[core], attending
            self._attended = self._told["process"]
            self._become(State(self._told["state"]))

    async def retire(self, core: str, deadline_s: float) -> None:
        """Have a core end when its last connection has, at the latest after so long."""
        await self._keepers.ask("retire", core, deadline_s=deadline_s)

    async def discard(self, core: str) -> None:
        """Have a core ended now."""
        await self._keepers.ask("stop", core)

    async def tidy(self) -> None:
        """End keepers whose last core was seen off, once the meter has seen what that carried."""
        await self._clock.sleep(LINGER_S)
        await self._keepers.tidy()

    def kill(self, reason: str, process: str | None = None) -> None:
        """End the present process, if it is this one, because it hangs; it is restarted like one that crashed."""
        if process in {None, self.identity}:
            self._soon(self._keepers.ask("kill", self._name, process=self.identity, reason=reason))

    def note_served(self, process: str) -> None:
        """Take notice that the present process did what it is for, so that its end is not a failed start."""
        if process == self.identity:
            self._soon(self._keepers.ask("served", self._name, process=process))

    async def when(self, *states: State) -> State:
        """Wait until the core is in one of these states and return it."""
        while self._state not in states:
            await self.when_changed()
        return self._state

    @property
    def changed(self) -> asyncio.Event:
        """Return what is set by the next change of state."""
        return self._changed

    async def when_changed(self) -> None:
        """Wait until the state changes."""
        await self._changed.wait()

    # --- the rest ---

    async def _keep(self) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            begun_s = self._clock.monotonic_s()
            try:
                if not self._keepers.is_open:
                    self._become(State.STARTING)
                    await self._keepers.open()
                await self._take_over_or_launch()
                self._own_trouble = ""
                await self._keepers.when_closed()
                self._own_trouble = "the keeper ended"
            except KeysteadError as error:
                self._own_trouble = error.message
            except Exception as error:
                log.exception("the core was not started")
                self._own_trouble = f"the start failed: {type(error).__name__}"
            await self._lost()
            log.warning("engine is down", trouble=self._own_trouble, next_start_s=delay_s)
            if self._clock.monotonic_s() - begun_s > LONGEST_DELAY_S:
                delay_s = FIRST_DELAY_S
            await self._clock.sleep(delay_s)
            delay_s = min(delay_s * 2, LONGEST_DELAY_S)

    async def _lost(self) -> None:
        """Note that nothing runs: never started, or gone with its keeper. A core that runs goes on being attended."""
        if not self._keepers.is_open:
            await self._stop_attending()
            await self._when_gone()
            self._name, self._told = "", {}
        if self._state is not State.RUNNING or not self._name:
            self._become(State.BACKING_OFF)

    async def _take_over_or_launch(self) -> None:
        """Take over the core that serves, see off those that leave, and end those we do not understand."""
        cores = list(self._keepers.told.values())
        standings = {told["core"]: self._program.standing(told["memo"]) for told in cores}
        for told in cores:
            if standings[told["core"]] is Standing.FOREIGN:
                log.warning("core ended, nothing is known of it", pid=told["pid"])
                await self.discard(told["core"])
        serving = [told for told in cores if standings[told["core"]] is Standing.SERVING]
        if serving:
            # Two of them: an API ended between telling one keeper and telling the other. The later one took over.
            serves = max(serving, key=lambda told: told["memo"].get("generation", 0))
            log.info("core taken over", process=serves["process"], pid=serves["pid"])
            self._name = serves["core"]
            self._keepers.lead(self._name)
            self._hear(serves)
            await self.renew()
        else:
            await self._launch()
        for told in cores:
            if standings[told["core"]] is not Standing.FOREIGN and told["core"] != self._name:
                self._program.leaves(told["core"], told["process"], told["memo"])
        await self._keepers.tidy()

    async def _launch(self) -> None:
        self._name = ""
        self._become(State.STARTING)
        async with self._renewing:
            launch = await self._program.prepare(self._keepers.echo_port())
            self._name = await self._keepers.launch(to_wire(launch))
            told = self._keepers.told[self._name]
            if told["state"] != State.STOPPED:  # it may have been heard of before its name was
                self._hear(told)

    def _hear(self, told: Message) -> None:
        if told["core"] != self._name:
            if told["state"] == State.STOPPED:
                self._keepers.told.pop(told["core"], None)
            self._become(self._state)
            return
        self._told = told
        state = State(told["state"])
        if state is State.RUNNING and told["process"] != self._attended:
            self._attend(told)
        if state is not State.RUNNING:
            if self._attending is not None:
                self._attending.cancel()
            self._program.ended()
        if state is State.BACKING_OFF:
            log.warning("engine is down", trouble=self.trouble)
        self._become(state)

    def _attend(self, told: Message) -> None:
        self._attended = told["process"]
        if self._attending is not None:
            self._attending.cancel()
        self._program.began(told["process"], told["memo"])
        self._attending = self.attended(told["process"], self._program.attend())

    def attended(self, process: str, attending: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let the program attend to a process; a process that nobody attends to is ended and started again."""
        task = asyncio.create_task(attending, name="attending")
        task.add_done_callback(partial(self._attended_to, process))
        return task

    def _attended_to(self, process: str, attending: asyncio.Task[None]) -> None:
        problem = None if attending.cancelled() else attending.exception()
        if problem is not None:
            log.error("supervision failed", exc_info=problem)
            self.kill("its supervision failed", process)

    async def _stop_attending(self) -> None:
        attending, self._attending, self._attended = self._attending, None, ""
        if attending is not None:
            attending.cancel()
            await asyncio.wait([attending])
        self._program.ended()

    async def _when_gone(self) -> None:
        """Wait until the process the keeper told of last is gone: it ends with its keeper, but let us see it."""
        pid = self._told.get("pid")
        if pid is not None and not await within(self._clock, _GONE_S, self._until_gone(int(pid))):
            log.error("a core outlives its keeper", pid=pid)

    async def _until_gone(self, pid: int) -> None:
        while _is_alive(pid):
            await self._clock.sleep(_POLL_S)

    def _become(self, state: State) -> None:
        self._state = state
        self._changed.set()
        self._changed = asyncio.Event()

    def _soon(self, asking: Any) -> None:
        task = asyncio.ensure_future(asking)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
