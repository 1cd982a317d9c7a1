"""The supervisor of one engine's process: start, watch, read, restart, end.

Driven by an engine's driver, which is the Program: it says how to start and what to do while the process lives.
This file knows nothing of what the program does.

What it promises:

* Two never run at once, and none outlives us: the child is spawned by a thread that lives as long as the supervisor,
  since PR_SET_PDEATHSIG fires when the spawning *thread* ends (prctl(2)). ``setpriv`` sets it; the kernel drops it on
  programs with file capabilities, so an engine must get its privileges otherwise.
* Every start reads the configuration afresh, and that reading begins in the same step of the event loop that leaves
  a down state. So whoever sees ``is_down`` after committing a change knows that the next start will include it.
* The configuration travels through memory (an anonymous file as standard input), never through a disk, an argument
  or the environment, and cannot block us if the child stops reading. The child's environment is not ours either:
  ours may hold secrets.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import structlog

from keystead.keeper import ports
from keystead.keeper.output import Output
from keystead.kit.clock import Clock
from keystead.kit.errors import Broken, KeysteadError
from keystead.kit.ids import Ids
from keystead.kit.waiting import within

log = structlog.get_logger(__name__)

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 10.0
# A process that served or lived this long did start; its end is a new trouble, not the old one again.
HEALTHY_LIFE_S = 60.0
GRACE_S = 3.0
DRAIN_S = 1.0
_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class State(StrEnum):
    """Where the process is in its life."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing-off"


@dataclass(frozen=True)
class Launch:
    """What one start needs: the standard input, and the addresses nobody else may hold."""

    stdin: bytes
    listens: tuple[ports.Listen, ...]


class Program(Protocol):
    """What the supervisor is told about the program it runs. Called on the event loop; nothing here may block."""

    @property
    def argv(self) -> Sequence[str]:
        """Return the program and its arguments."""
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """Return its whole environment besides PATH."""
        ...

    @property
    def stale_files(self) -> Sequence[Path]:
        """Return what a killed predecessor may have left in the way."""
        ...

    async def prepare(self) -> Launch:
        """Make the next start's input from what is desired now; a KeysteadError puts the start off."""
        ...

    async def attend(self) -> None:
        """Do what has to be done while the process lives; cancelled when it ends."""
        ...

    async def before_stop(self) -> None:
        """Take what will be lost with the process; must not take long."""
        ...


class CoreProcess:
    """Keep one program running until told otherwise."""

    def __init__(self, program: Program, *, log_path: Path, clock: Clock, ids: Ids) -> None:
        self._program = program
        self._clock = clock
        self._output = Output(log_path)
        self._boot = ids.hex(8)
        self._serial = 0
        self._state = State.STOPPED
        self._changed = asyncio.Event()
        self._hurry = asyncio.Event()
        self._is_planned = False
        self._has_served = False
        self._trouble = ""
        self._child: subprocess.Popen[bytes] | None = None
        self._exited = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._spawner: ThreadPoolExecutor | None = None

    @property
    def state(self) -> State:
        """Return the present state."""
        return self._state

    @property
    def is_down(self) -> bool:
        """Tell whether for certain nothing runs and the next start has not yet read what is desired."""
        return self._state in {State.STOPPED, State.BACKING_OFF}

    @property
    def identity(self) -> str:
        """Return the name of the running (or last) process; no other process ever has it."""
        return f"{self._boot}-{self._serial}"

    @property
    def pid(self) -> int | None:
        """Return the process id while there is one."""
        return self._child.pid if self._child else None

    @property
    def trouble(self) -> str:
        """Return why the last start or life failed, or ""."""
        return self._trouble

    @property
    def last_lines(self) -> tuple[str, ...]:
        """Return the last lines the program wrote, scrubbed."""
        return self._output.last_lines

    async def start(self) -> None:
        """Begin to keep the program running; returns at once."""
        if self._task is None:
            self._spawner = ThreadPoolExecutor(1, thread_name_prefix="keeper")
            self._task = asyncio.create_task(self._supervise(), name="keeper")

    async def stop(self) -> None:
        """End the program, gracefully first, and the supervision with it."""
        task, self._task = self._task, None
        if task is None:
            return
        try:
            await self._end()
        finally:
            task.cancel()
            await asyncio.wait([task])
            if self._spawner:
                self._spawner.shutdown()
            for path in self._program.stale_files:
                path.unlink(missing_ok=True)
            self._become(State.STOPPED)

    async def restart(self) -> None:
        """End the present process gracefully; the next one starts at once, with a fresh configuration."""
        self._is_planned = self._child is not None
        self._hurry.set()
        await self._end()

    def kill(self, reason: str) -> None:
        """End a process that no longer listens; it is restarted like one that crashed."""
        self._trouble = reason
        self._signal(signal.SIGKILL)

    def note_served(self) -> None:
        """Take notice that the present process did what it is for, so that its end is not a failed start."""
        self._has_served = True

    async def when(self, *states: State) -> State:
        """Wait until the process is in one of these states and return it."""
        while self._state not in states:
            await self.when_changed()
        return self._state

    async def when_changed(self) -> None:
        """Wait until the state changes."""
        await self._changed.wait()

    def _become(self, state: State) -> None:
        self._state = state
        self._changed.set()
        self._changed = asyncio.Event()

    async def _supervise(self) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            begun_s = self._clock.monotonic_s()
            try:
                await self._live_once()
            except KeysteadError as error:
                self._trouble = error.message
            except OSError as error:
                self._trouble = f"cannot start {self._program.argv[0]}: {error.strerror}"
            except Exception as error:
                log.exception("start failed")
                self._trouble = f"the start failed: {type(error).__name__}"
            if self._task is None:
                return  # it was told to stop
            if self._is_planned:
                self._is_planned, delay_s = False, FIRST_DELAY_S
                continue
            if self._has_served or self._clock.monotonic_s() - begun_s >= HEALTHY_LIFE_S:
                delay_s = FIRST_DELAY_S
            self._hurry.clear()
            self._become(State.BACKING_OFF)
            log.warning("engine is down", trouble=self._trouble, next_start_s=delay_s)
            await within(self._clock, delay_s, self._hurry.wait())
            delay_s = min(delay_s * 2, LONGEST_DELAY_S)

    async def _live_once(self) -> None:
        self._become(State.STARTING)
        self._has_served = False
        launch = await self._program.prepare()
        ports.require_free(launch.listens)
        for path in self._program.stale_files:
            path.unlink(missing_ok=True)
        child = await self._spawn(launch.stdin)
        self._serial += 1
        self._trouble = ""
        self._exited.clear()
        self._child = child
        self._become(State.RUNNING)
        tasks = [asyncio.create_task(self._drain(child)), asyncio.create_task(self._attend(child))]
        try:
            await self._exit_of(child)
        finally:
            await self._bury(child, tasks)

    async def _attend(self, child: subprocess.Popen[bytes]) -> None:
        """Let the program attend to its process; a process that nobody attends to is ended and started again."""
        try:
            await self._program.attend()
        except Exception:
            log.exception("supervision failed")
            if self._child is child:
                self.kill("its supervision failed")

    async def _spawn(self, stdin: bytes) -> subprocess.Popen[bytes]:
        if self._spawner is None:
            raise Broken("the supervisor was asked to spawn before it was started")
        spawning = asyncio.get_running_loop().run_in_executor(self._spawner, self._popen, stdin)
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:
            child = await spawning
            child.kill()
            child.communicate()
            raise

    def _popen(self, stdin: bytes) -> subprocess.Popen[bytes]:
        with os.fdopen(os.memfd_create("configuration"), "w+b") as configuration:
            configuration.write(stdin)
            configuration.seek(0)
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self._program.argv],
                stdin=configuration,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env={"PATH": _SEARCH_PATH, **self._program.environment},
                start_new_session=True,
            )

    async def _drain(self, child: subprocess.Popen[bytes]) -> None:
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), child.stdout)
        try:
            while chunk := await reader.read(65536):
                self._output.feed(chunk)
            self._output.finish()
        finally:
            transport.close()

    async def _exit_of(self, child: subprocess.Popen[bytes]) -> None:
        loop, descriptor = asyncio.get_running_loop(), os.pidfd_open(child.pid)
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def _bury(self, child: subprocess.Popen[bytes], tasks: list[asyncio.Task[None]]) -> None:
        self._signal(signal.SIGKILL)  # before it is reaped, so that the number is still its own
        code = child.wait()
        self._child = None
        draining, attending = tasks
        attending.cancel()
        await within(self._clock, DRAIN_S, asyncio.wait([draining]))
        draining.cancel()
        for task in tasks:
            [outcome] = await asyncio.gather(task, return_exceptions=True)
            if isinstance(outcome, Exception):
                log.error("supervision failed", exc_info=outcome)
        last = self.last_lines[-1] if self.last_lines else "it wrote nothing"
        self._trouble = self._trouble or f"ended with {code}: {last}"
        self._exited.set()

    async def _end(self) -> None:
        child = self._child
        if child is None:
            return
        await self._program.before_stop()
        if self._child is child:
            self._signal(signal.SIGTERM)
            if not await within(self._clock, GRACE_S, self._exited.wait()) and self._child is child:
                self._signal(signal.SIGKILL)
                await self._exited.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._child:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)
