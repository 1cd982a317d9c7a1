"""One core in the keeper: start, watch, read, restart with back-off, end.

It is told everything in a Launch and knows nothing of what the program does. What it promises:

* Two never run at once, and none outlives the keeper: the child is spawned by the keeper's main thread, since
  PR_SET_PDEATHSIG fires when the spawning *thread* ends (prctl(2)). ``setpriv`` sets it; the kernel drops it on
  programs with file capabilities, so an engine must get its privileges otherwise. A keeper that was killed before it
  was set would not be noticed, so the child looks afterwards whose child it is, and ends if it is not ours any more.
* The standard input of a start is put together in the step of the event loop that spawns it. So whoever had a change
  of an entry acknowledged while the core was down knows that the next start includes it.
* The configuration travels through memory (an anonymous file as standard input), never through a disk, an argument
  or the environment, and cannot block us if the child stops reading. The child's environment is not ours either:
  ours may hold secrets.
"""

import asyncio
import fcntl
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

from keystead.keeper import neighbours, ports
from keystead.keeper.journal import note
from keystead.keeper.launch import Change, Launch, Openings, changed
from keystead.keeper.output import Output
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError
from keystead.kit.waiting import within

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 10.0
# A process that served or lived this long did start; its end is a new trouble, not the old one again.
HEALTHY_LIFE_S = 60.0
GRACE_S = 3.0
# What the program may write ahead of us; Xray drops access lines while it cannot write. 1 MiB is what anybody may have.
OUTPUT_BYTES = 1 << 20
DRAIN_S = 1.0
_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# A shell takes notice of its parent when it starts (POSIX, PPID). It reads these words alone, the program's are its
# arguments; and it is a shell because the Python that a keeper was started from may be gone after an upgrade.
_UNLESS_ORPHANED = 'parent=$1 && shift && test "$PPID" = "$parent" && exec "$@"'


class State(StrEnum):
    """Where a core is in its life; STARTING is short: from the check of the ports to the spawned process."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing-off"


# In these states nothing runs for certain, and the next start has not yet read its entries.
DOWN = frozenset({State.STOPPED, State.BACKING_OFF})


class Core:
    """Keep one program running until told otherwise."""

    def __init__(
        self,
        number: int,
        launch: Launch,
        *,
        output: Output,
        clock: Clock,
        name_process: Callable[[], str],
        on_change: Callable[["Core"], None],
    ) -> None:
        self.number = number
        self.launch = launch
        self.process = ""
        self.memo: Mapping[str, Any] = {}
        self.state = State.STOPPED
        self.trouble = ""
        self.since_s = 0.0
        self._output = output
        self._clock = clock
        self._name_process = name_process
        self._on_change = on_change
        self._changed = asyncio.Event()
        self._hurry = asyncio.Event()
        self._is_ending = False
        self.is_drained = False
        self._has_served = False
        self._child: subprocess.Popen[bytes] | None = None
        self._exited = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_down(self) -> bool:
        """Tell whether for certain nothing runs and the next start has not yet read its entries."""
        return self.state in DOWN

    @property
    def is_leaving(self) -> bool:
        """Tell whether the present process is the last one."""
        return self._is_ending

    @property
    def pid(self) -> int | None:
        """Return the process id while there is one."""
        return self._child.pid if self._child else None

    @property
    def last_lines(self) -> tuple[str, ...]:
        """Return the last lines the program wrote, scrubbed."""
        return self._output.last_lines

    def start(self) -> None:
        """Begin to keep the program running."""
        if self._task is None:
            self._is_ending = False
            self._task = asyncio.create_task(self._supervise(), name="keeper")

    async def stop(self) -> None:
        """End the program, gracefully first, and the supervision with it."""
        task, self._task = self._task, None
        if task is None:
            return
        self._is_ending = True
        try:
            await self._end()
        finally:
            task.cancel()
            await asyncio.wait([task])
            self._remove_stale_files()
            self._become(State.STOPPED)

    def retire(self) -> None:
        """Let the present process be the last one."""
        self._is_ending = True

    def kill(self, reason: str) -> None:
        """End a process that no longer listens; it is restarted like one that crashed."""
        self.trouble = reason
        self._signal(signal.SIGKILL)

    def note_served(self) -> None:
        """Take notice that the present process did what it is for, so that its end is not a failed start."""
        self._has_served = True

    def renew(self, launch: Launch) -> None:
        """Start with this from the next start on; one that is put off is tried at once."""
        self.launch = launch
        self._hurry.set()

    def remember(self, changes: Sequence[Change], openings: Openings) -> None:
        """Change entries and listeners of the next start."""
        changed(self.launch, changes, openings)

    async def when(self, *states: State) -> State:
        """Wait until the core is in one of these states and return it."""
        while self.state not in states:
            await self.when_changed()
        return self.state

    async def when_changed(self) -> None:
        """Wait until the state changes."""
        await self._changed.wait()

    def _become(self, state: State) -> None:
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()
        self._on_change(self)

    async def _supervise(self) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            begun_s = self._clock.monotonic_s()
            try:
                await self._live_once()
            except KeysteadError as error:
                self.trouble = error.message
            except OSError as error:
                self.trouble = f"cannot start {self.launch.argv[0]}: {error.strerror}"
            if self._is_ending:
                self._become(State.STOPPED)
                return
            if self._has_served or self._clock.monotonic_s() - begun_s >= HEALTHY_LIFE_S:
                delay_s = FIRST_DELAY_S
            self._hurry.clear()
            self._become(State.BACKING_OFF)
            note("core is down", core=self.number, trouble=self.trouble, next_start_s=delay_s)
            await within(self._clock, delay_s, self._hurry.wait())
            delay_s = min(delay_s * 2, LONGEST_DELAY_S)

    async def _live_once(self) -> None:
        self._become(State.STARTING)
        self._has_served = False
        ports.require_free(self.launch.listens)
        taken = neighbours.taken(self.launch.openings)
        if taken:
            note("listeners are left out, others hold their ports", holders="; ".join(sorted(taken.values())))
        self._remove_stale_files()
        child = self._spawn(self.launch.stdin(without=taken))
        self.process, self.memo = self._name_process(), self.launch.memo
        self.trouble, self.since_s = "", self._clock.now().timestamp()
        self._exited.clear()
        self._child = child
        self._become(State.RUNNING)
        draining = asyncio.create_task(self._drain(child))
        try:
            await self._exit_of(child)
        finally:
            await self._bury(child, draining)

    def _spawn(self, stdin: bytes) -> subprocess.Popen[bytes]:
        with os.fdopen(os.memfd_create("configuration"), "w+b") as configuration:
            configuration.write(stdin)
            configuration.seek(0)
            child = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL", "--"),
                    *("/bin/sh", "-c", _UNLESS_ORPHANED, "start", str(os.getpid())),
                    *self.launch.argv,
                ],
                stdin=configuration,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env={"PATH": _SEARCH_PATH, **self.launch.environment},
                start_new_session=True,
            )
        if child.stdout is not None:
            with suppress(OSError):  # a user's pipes together may not be larger than the system allows
                fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, OUTPUT_BYTES)
        return child

    def _remove_stale_files(self) -> None:
        for path in self.launch.stale_files:
            Path(path).unlink(missing_ok=True)

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

    async def _bury(self, child: subprocess.Popen[bytes], draining: asyncio.Task[None]) -> None:
        self._signal(signal.SIGKILL)  # before it is reaped, so that the number is still its own
        code = child.wait()
        self._child = None
        await within(self._clock, DRAIN_S, asyncio.wait([draining]))
        draining.cancel()
        [outcome] = await asyncio.gather(draining, return_exceptions=True)
        if isinstance(outcome, Exception):
            note("output was not read to its end", core=self.number, error=type(outcome).__name__)
        last = self.last_lines[-1] if self.last_lines else "it wrote nothing"
        self.trouble = self.trouble or f"ended with {code}: {last}"
        self._exited.set()

    async def _end(self) -> None:
        child = self._child
        if child is None:
            return
        self._signal(signal.SIGTERM)
        if not await within(self._clock, GRACE_S, self._exited.wait()) and self._child is child:
            self._signal(signal.SIGKILL)
            await self._exited.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._child:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)
