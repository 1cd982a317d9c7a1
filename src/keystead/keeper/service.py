"""The keeper's service: who may talk to it, what it can be asked, and when it ends.

One connection at a time is the *steward's*: the API's. While there is none the cores go on as they are. An attached
keeper (a run in the foreground) takes the end of its steward's connection as the order to end its cores and itself;
a detached one ends when it has had neither a core nor a connection for a while.
"""

import asyncio
import os
import re
import secrets
import signal
import socket
import struct
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from keystead.keeper import protocol, watchverbs
from keystead.keeper.core import Core, State
from keystead.keeper.echo import Echo
from keystead.keeper.journal import note
from keystead.keeper.launch import from_wire, openings_of
from keystead.keeper.logfile import LogFile
from keystead.keeper.neighbours import Neighbours
from keystead.keeper.output import Output
from keystead.keeper.protocol import Message
from keystead.keeper.siblings import Siblings
from keystead.keeper.watch import Watch
from keystead.kit.clock import Clock
from keystead.kit.errors import Broken, KeysteadError, NotFound

IDLE_S = 60.0
SEE_OFF_EVERY_S = 1.0
AGAIN_S = 1.0
LAST_READING_S = 5.0
_CREDENTIALS = struct.Struct("3i")

Verb = Callable[[Message], Awaitable[Any]]


class Keeper:
    """The cores, the connections, and what may be asked."""

    def __init__(
        self,
        socket_path: Path,
        *,
        core_log: Path,
        is_attached: bool,
        clock: Clock,
        without: Collection[str] = (),
        version: int = protocol.VERSION,
    ) -> None:
        self._version = version
        self._socket_path = socket_path
        self._core_log = LogFile(core_log)
        self._is_attached = is_attached
        self._clock = clock
        self._boot = secrets.token_hex(8)
        self._cores: dict[int, Core] = {}
        self._processes = self._numbers = 0
        self._since_s = clock.now().timestamp()
        self._siblings = Siblings(socket_path, clock)
        self._watch = Watch(
            clock,
            without=without,
            neighbours=Neighbours(socket_path.parent),
            is_alone=lambda: protocol.is_alone(socket_path),
            on_foreign=self._announce_foreign,
            known_labels=self._known_labels,
            beside=self._siblings.beside,
        )
        self._echo = Echo(clock)
        self._echo_port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._steward: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Serve until told to end, orphaned while attached, or idle for long; leave nothing running."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._ending.set)
        self._echo_port = await self._echo.start()
        self._socket_path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, self._socket_path, limit=1 << 20)
        self._socket_path.chmod(0o600)
        ours = self._socket_path.stat().st_ino
        note("keeper serves", pid=os.getpid(), boot=self._boot, attached=self._is_attached)
        loops = (self._watch_idleness, self._siblings.run, self._watch.run)
        tasks = [asyncio.create_task(self._keep_running(loop)) for loop in loops]
        try:
            await self._ending.wait()
        finally:
            for task in tasks:
                task.cancel()
            server.close()
            self._remove_socket(ours)
            await asyncio.gather(*(core.stop() for core in self._cores.values()), return_exceptions=True)
            await self._echo.close()
            for writer in list(self._writers):
                writer.close()
            note("keeper ends", boot=self._boot)

    def _remove_socket(self, ours: int) -> None:
        """Remove our socket, and not the one of a keeper that was started meanwhile."""
        with suppress(FileNotFoundError):
            if self._socket_path.stat().st_ino == ours:
                self._socket_path.unlink()

    # --- connections ---

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if _uid_of(writer) not in {0, os.geteuid()}:
            writer.close()
            return
        self._writers.add(writer)
        try:
            while (message := await protocol.read_frame(reader)) is not None:
                if message.get("verb") == "hello" and message.get("steward"):
                    self._steward = writer
                self._background(self._answer(message, writer))
        except asyncio.CancelledError:
            return  # the keeper ends, and streams would call this an error of theirs
        finally:
            self._writers.discard(writer)
            writer.close()
            if self._steward is writer:
                self._steward = None
                note("steward is gone", attached=self._is_attached)
                if self._is_attached:
                    self._ending.set()

    async def _answer(self, message: Message, writer: asyncio.StreamWriter) -> None:
        verbs: dict[str, Verb] = {
            "hello": self._hello,
            "launch": self._launch,
            "renew": self._renew,
            "remember": self._remember,
            "stop": self._stop,
            "relabel": self._relabel,
            "retire": self._retire,
            "kill": self._kill,
            "served": self._served,
            "end": self._end,
            **watchverbs.of(self._watch, self._clock),
        }
        answer: Message = {"id": message.get("id")}
        try:
            verb = verbs.get(str(message.get("verb")))
            if verb is None:
                raise NotFound("verb", message.get("verb"))
            answer["answer"] = await verb(message)
        except KeysteadError as error:
            answer |= {"error": error.code, "message": error.message}
        except OSError as error:
            answer |= {"error": Broken.code, "message": f"the keeper was refused by the system: {error.strerror}"}
        except (KeyError, TypeError, ValueError) as error:
            answer |= {"error": Broken.code, "message": f"the keeper does not understand: {type(error).__name__}"}
        if not message.get("is_told"):
            _send(writer, answer)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _announce(self, core: Core) -> None:
        if core.state is State.RUNNING and core.pid is not None:
            self._watch.begin(core.process, core.pid, core.launch.ports())
        else:
            self._watch.end(core.process)
        message = {"event": "core", **self._description(core)}
        for writer in self._writers:
            _send(writer, message)

    def _announce_foreign(self, foreign: list[str]) -> None:
        note("others listen on our ports", listeners="; ".join(foreign) or "none any more")
        for writer in self._writers:
            _send(writer, {"event": "ports", "foreign": foreign})

    async def _see_off(self, core: Core, deadline_s: float) -> None:
        """End a retired core when its last connection is gone or time is over; the API may read it once more first."""
        end_s = self._clock.monotonic_s() + deadline_s
        while not core.is_down and self._watch.count(core.process) and self._clock.monotonic_s() < end_s:
            await self._clock.sleep(SEE_OFF_EVERY_S)
        core.is_drained = True
        self._announce(core)
        if self._steward is not None:
            await self._clock.sleep(LAST_READING_S)
        await core.stop()
        self._cores.pop(core.number, None)
        note("core is gone", core=core.number, process=core.process)

    def _access_reader(self, number: int, pattern: str) -> Callable[[bytes], bool]:
        """Return what finds the owner of a connection in a line of output; the rest of such a line is forgotten."""
        if not pattern:
            return lambda _: False
        search = re.compile(pattern.encode()).search

        def read(line: bytes) -> bool:
            found = search(line)
            if found is None:
                return False
            host, port, tag, label = found.group("host", "port", "tag", "label")
            process = self._cores[number].process
            self._watch.note_access(process, host.decode(), int(port), tag.decode(), label.decode(errors="replace"))
            return True

        return read

    async def _keep_running(self, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin a loop that fails again: cores go on, and nobody else would cut and slow down their connections."""
        while True:
            outcomes = await asyncio.gather(loop(), return_exceptions=True)
            note("a loop of the keeper failed", error=repr(outcomes[0]))
            await self._clock.sleep(AGAIN_S)

    async def _watch_idleness(self) -> None:
        idle_since_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep(IDLE_S / 10)
            now_s = self._clock.monotonic_s()
            if self._cores or self._writers:
                idle_since_s = now_s
            elif now_s - idle_since_s >= IDLE_S:
                self._ending.set()

    # --- verbs ---

    async def _hello(self, _: Message) -> Message:
        return {
            "version": self._version,
            "build": protocol.build(),
            "pid": os.getpid(),
            "since_s": self._since_s,
            "has_steward": self._steward is not None,
            "foreign": self._watch.foreign,
            "boot": self._boot,
            "echo_port": self._echo_port,
            "is_attached": self._is_attached,
            "cores": [self._description(core) for core in self._cores.values()],
        }

    async def _launch(self, message: Message) -> Message:
        self._numbers += 1
        launch = from_wire(message["launch"])
        core = Core(
            self._numbers,
            launch,
            output=Output(self._core_log, self._access_reader(self._numbers, launch.access)),
            clock=self._clock,
            name_process=self._name_process,
            on_change=self._announce,
        )
        self._cores[core.number] = core
        self._watch.limit_only(launch.limits, launch.address_limits)
        core.start()
        return self._description(core)

    async def _renew(self, message: Message) -> Message:
        core = self._core(message)
        launch = from_wire(message["launch"])
        core.renew(launch)
        self._watch.limit_only(launch.limits, launch.address_limits)
        self._watch.pardon(launch.labels())  # read from what is desired now, which a candidate's launch may not be
        return self._description(core)

    async def _remember(self, message: Message) -> Message:
        core = self._core(message)
        changes = [(gap, subject, entry) for gap, subject, entry in message["changes"]]
        openings = openings_of(message["openings"])
        core.remember(changes, openings)
        self._watch.listen(core.process, {tag: one.port for tag, one in openings.items() if one is not None})
        self._watch.pardon([subject for _, subject, entry in changes if entry is not None])
        for opening in openings.values():
            self._watch.pardon(opening.labels if opening is not None else ())
        return self._description(core)

    async def _stop(self, message: Message) -> Message:
        core = self._core(message)
        await core.stop()
        self._cores.pop(core.number, None)
        return self._description(core)

    async def _relabel(self, message: Message) -> Message:
        """Give running processes other memos, all at once."""
        cores = [(self._core({"core": number}), memo) for number, memo in message["memos"]]
        for core, memo in cores:
            core.memo = memo
        return {}

    async def _retire(self, message: Message) -> Message:
        core = self._core(message)
        core.retire()
        self._background(self._see_off(core, float(message["deadline_s"])))
        return self._description(core)

    async def _kill(self, message: Message) -> Message:
        core = self._core(message)
        if core.process == message["process"]:
            core.kill(message["reason"])
        return self._description(core)

    async def _served(self, message: Message) -> Message:
        core = self._core(message)
        if core.process == message["process"]:
            core.note_served()
        return {}

    async def _end(self, _: Message) -> Message:
        await asyncio.gather(*(core.stop() for core in self._cores.values()))
        asyncio.get_running_loop().call_soon(self._ending.set)
        return {}

    # --- the rest ---

    def _core(self, message: Message) -> Core:
        core = self._cores.get(message["core"])
        if core is None:
            raise NotFound("core", message["core"])
        return core

    def _known_labels(self) -> set[str]:
        return set().union(*(core.launch.labels() for core in self._cores.values()))

    def _name_process(self) -> str:
        self._processes += 1
        return f"{self._boot}-{self._processes}"

    def _description(self, core: Core) -> Message:
        return {
            "core": core.number,
            "state": core.state.value,
            "process": core.process,
            "pid": core.pid,
            "since_s": core.since_s,
            "connections": self._watch.count(core.process),
            "is_leaving": core.is_leaving,
            "trouble": core.trouble,
            "last_lines": core.last_lines,
            "is_drained": core.is_drained,
            "memo": core.memo or core.launch.memo,
        }


def _send(writer: asyncio.StreamWriter, message: Message) -> None:
    if not writer.is_closing():
        with suppress(OSError):
            writer.write(protocol.frame(message))


def _uid_of(writer: asyncio.StreamWriter) -> int:
    peer: socket.socket = writer.get_extra_info("socket")
    _, uid, _ = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)
