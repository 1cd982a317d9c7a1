"""A core as the API sees it: the keeper's word about its state, mirrored, and what the API does while it lives.

Driven by an engine's driver, which is the Program: it says how to start and what to do while the process lives. If a
keeper runs already, its core is taken over as it is. A keeper that ends takes its core with it; another one is started
then, and the core anew.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from keystead.keeper.core import DOWN, FIRST_DELAY_S, LONGEST_DELAY_S, State
from keystead.keeper.launch import Change, Launch, to_wire
from keystead.keeper.link import KeeperLink
from keystead.keeper.program import Program, Standing
from keystead.keeper.protocol import Message
from keystead.kit.clock import Clock
from keystead.kit.errors import EngineUnavailable, KeysteadError
from keystead.kit.waiting import within

log = structlog.get_logger(__name__)

_GONE_S = 5.0
_POLL_S = 0.02


# Per process whether it lives, and uplink, downlink and the open part of both per label.
CarriedIn = Mapping[str, tuple[bool, Mapping[str, Sequence[int]]]]


class KeptCore:
    """Mirror one core of a keeper, and ask the keeper for changes."""

    def __init__(self, program: Program, link: KeeperLink, *, clock: Clock) -> None:
        self._program = program
        self._clock = clock
        self._link = link
        link.on_event = self._hear
        self._number = 0
        self._told: Message = {}
        self._all_told: dict[int, Message] = {}
        self._state = State.STOPPED
        self._own_trouble = ""
        self._changed = asyncio.Event()
        self._carried: dict[str, dict[str, Sequence[int]]] = {}
        self._carried_serial = -1
        self._renewing = asyncio.Lock()
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
            if self._link.place.is_attached and self._link.is_open:
                await self._program.before_stop()
                await self._link.ask("end")
        except KeysteadError as error:
            log.warning("the core was not ended in order", reason=error.message)
        finally:
            task.cancel()
            await asyncio.wait([task])
            await self._stop_attending()
            await self._link.close()
            if self._link.place.is_attached:
                self._become(State.STOPPED)

    async def restart(self) -> None:
        """End the present process gracefully; the next one starts at once, with a fresh configuration."""
        if not self._link.is_open:
            raise EngineUnavailable("the keeper is not reachable")
        await self._program.before_stop()
        await self.renew()
        await self._link.ask("restart", core=self._number)

    async def renew(self) -> None:
        """Have the next start made from what is desired now."""
        async with self._renewing:
            launch = await self._program.prepare(self.echo_port)
            await self._link.ask("renew", core=self._number, launch=to_wire(launch))

    async def remember(self, changes: Sequence[Change]) -> bool:
        """Have the next start include these changes of its entries; tell whether the core was down for certain then."""
        async with self._renewing:
            told = await self._link.ask("remember", core=self._number, changes=changes)
        return State(told["state"]) in DOWN

    # --- connections ---

    async def cut(self, labels: Sequence[str]) -> int:
        """End the live connections of these labels; return how many were found. A process that is gone has none."""
        return await self._cut(labels=labels)

    async def cut_all(self, process: str) -> int:
        """End every connection of a process that is about to end; return how many there were."""
        return await self._cut(process=process)

    async def _cut(self, **whose: object) -> int:
        try:
            return int(await self._link.ask("cut", **whose))
        except EngineUnavailable as error:
            log.warning("connections not cut", reason=error.message)
        return 0

    async def limit(self, limits: Mapping[str, int | None]) -> None:
        """Hold labels to bytes a second from now on, or let them go with None."""
        async with self._renewing:
            await self._link.ask("limit", limits=limits)

    async def carried(self) -> CarriedIn:
        """Return per process whether it lives, and uplink, downlink and the open part of both per label."""
        told = await self._link.ask("carried", since=self._carried_serial)
        self._carried = {} if told["is_full"] else self._carried
        self._carried_serial = told["serial"]
        for process, labels in told["changed"].items():
            self._carried.setdefault(process, {}).update(labels)
        return {process: (process in told["living"], self._carried.get(process, {})) for process in told["all"]}

    async def carried_now(self, label: str) -> CarriedIn:
        """Return the same of one label as of now."""
        return dict(await self._link.ask("carried_now", label=label))

    # --- another core beside this one ---

    @property
    def number(self) -> int:
        """Return the keeper's number of this core."""
        return self._number

    @property
    def echo_port(self) -> int:
        """Return the loopback port of the keeper's echo."""
        port: int = self._link.hello["echo_port"]
        return port

    def memos(self) -> list[Mapping[str, Any]]:
        """Return the memos of all processes the keeper has."""
        return [told["memo"] for told in self._all_told.values()]

    def told_of(self, number: int) -> Message:
        """Return what the keeper said last of a core."""
        return self._all_told.get(number, {})

    async def launch_beside(self, launch: Launch) -> int:
        """Have another core started beside this one; return its number."""
        told = await self._link.ask("launch", launch=to_wire(launch))
        self._all_told.setdefault(told["core"], told)
        return int(told["core"])

    async def relabel(self, memos: Mapping[int, Mapping[str, Any]]) -> None:
        """Have the keeper note what these processes are from now on, all at once."""
        await self._link.ask("relabel", memos=[[number, memo] for number, memo in memos.items()])

    async def succeed(self, number: int, attending: asyncio.Task[None]) -> None:
        """Mirror another core from now on; its process is attended to already."""
        async with self._renewing:
            launch = await self._program.prepare(self.echo_port)
            await self._link.ask("renew", core=number, launch=to_wire(launch))
            if self._attending is not None:
                self._attending.cancel()
            self._number, self._told, self._attending = number, self._all_told[number], attending
            self._attended = self._told["process"]
            self._become(State(self._told["state"]))

    async def retire(self, number: int, deadline_s: float) -> None:
        """Have a core end when its last connection has, at the latest after so long."""
        await self._link.ask("retire", core=number, deadline_s=deadline_s)

    async def discard(self, number: int) -> None:
        """Have a core ended now."""
        await self._link.ask("stop", core=number)

    def kill(self, reason: str, process: str | None = None) -> None:
        """End the present process, if it is this one, because it hangs; it is restarted like one that crashed."""
        if process in {None, self.identity}:
            self._soon(self._link.ask("kill", core=self._number, process=self.identity, reason=reason))

    def note_served(self, process: str) -> None:
        """Take notice that the present process did what it is for, so that its end is not a failed start."""
        if process == self.identity:
            self._soon(self._link.ask("served", core=self._number, process=process))

    async def when(self, *states: State) -> State:
        """Wait until the core is in one of these states and return it."""
        while self._state not in states:
            await self.when_changed()
        return self._state

    async def when_changed(self) -> None:
        """Wait until the state changes."""
        await self._changed.wait()

    # --- the rest ---

    async def _keep(self) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            begun_s = self._clock.monotonic_s()
            try:
                if not self._link.is_open:
                    self._become(State.STARTING)
                    await self._link.open()
                await self._take_over_or_launch()
                self._own_trouble = ""
                await self._link.when_closed()
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
        if not self._link.is_open:
            await self._stop_attending()
            await self._when_gone()
            self._number, self._told, self._all_told = 0, {}, {}
        if self._state is not State.RUNNING or not self._number:
            self._become(State.BACKING_OFF)

    async def _take_over_or_launch(self) -> None:
        """Take over the core the keeper has, unless it is one we do not understand."""
        cores = (await self._link.ask("hello", steward=True))["cores"]
        standings = {told["core"]: self._program.standing(told["memo"]) for told in cores}
        for told in cores:
            self._all_told[told["core"]] = told
            if standings[told["core"]] is Standing.FOREIGN:
                log.warning("core ended, nothing is known of it", pid=told["pid"])
                await self.discard(told["core"])
        serving = [told for told in cores if standings[told["core"]] is Standing.SERVING]
        if serving:
            log.info("core taken over", process=serving[0]["process"], pid=serving[0]["pid"])
            self._number = serving[0]["core"]
            self._hear(serving[0])
            await self.renew()
        else:
            await self._launch()
        for told in cores:
            if standings[told["core"]] is Standing.LEAVING:
                self._program.leaves(told["core"], told["process"], told["memo"])

    async def _launch(self) -> None:
        self._number = 0
        self._become(State.STARTING)
        async with self._renewing:
            launch = await self._program.prepare(self.echo_port)
            told = await self._link.ask("launch", launch=to_wire(launch))
            self._number = told["core"]

    def _hear(self, told: Message) -> None:
        self._all_told[told["core"]] = told
        if self._number and told["core"] != self._number:
            if told["state"] == State.STOPPED:
                del self._all_told[told["core"]]
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

        async def attend() -> None:
            try:
                await attending
            except Exception:
                log.exception("supervision failed")
                self.kill("its supervision failed", process)

        return asyncio.create_task(attend(), name="attending")

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
