"""The API's end of one keeper's wire: connect to it or start it, ask it, hear of its cores.

Used by ``keepers.py``, which knows all keepers of an instance, on the API's event loop.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keystead.keeper import protocol
from keystead.keeper.protocol import Message
from keystead.kit.clock import Clock
from keystead.kit.errors import EngineUnavailable, Rejected, Unsupported
from keystead.kit.waiting import within

# More than a core is given to end in order.
ANSWER_S = 10.0
_START_S = 10.0
_POLL_S = 0.01
_LOG_MAX_BYTES = 5_000_000


@dataclass(frozen=True)
class KeeperPlace:
    """Where a keeper listens and writes, whether it ends with the API, and which tricks it is not to use."""

    socket: Path
    core_log: Path
    log: Path
    is_attached: bool
    without: tuple[str, ...] = ()


class KeeperLink:
    """One connection to a keeper."""

    def __init__(self, place: KeeperPlace, *, clock: Clock) -> None:
        self.hello: Message = {}
        self.place = place
        self.on_event: Callable[[Message], None] = lambda _: None
        self.on_closed: Callable[[], None] = lambda: None
        self._clock = clock
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._serial = 0
        self._closed = asyncio.Event()
        self._closed.set()
        self._reading: asyncio.Task[None] | None = None
        self._child: int | None = None
        self._is_starting = False

    @property
    def is_open(self) -> bool:
        """Tell whether the keeper can be asked."""
        return not self._closed.is_set()

    def start_early(self) -> None:
        """Start the keeper, and do not wait for it: it takes as long as the database to be there."""
        self._child, self._is_starting = start(self.place), True

    async def abandon(self) -> None:
        """End a keeper that was started early and is not needed after all."""
        if self._is_starting and self._child is not None:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGTERM)
            await within(self._clock, ANSWER_S, self._reaped(self._child))

    async def join(self) -> bool:
        """Connect to the keeper if it runs and have it introduce itself; it is not ours to steer by that."""
        if not await self._connect():
            return False
        self._is_starting = False
        self.hello = await self.ask("hello")
        return True

    async def open(self) -> None:
        """Connect to the keeper if it runs, else start it; raise EngineUnavailable when it does not answer in time."""
        if not await self._connect():
            if not self._is_starting:
                self._child = start(self.place)
            give_up_s = self._clock.monotonic_s() + _START_S
            while not await self._connect():
                if self._clock.monotonic_s() > give_up_s:
                    self._is_starting = False
                    raise EngineUnavailable(f"the keeper does not start; see {self.place.log}")
                await self._clock.sleep(_POLL_S)
        self._is_starting = False
        self.hello = await self.ask("hello")

    async def when_closed(self) -> None:
        """Wait until the connection has ended."""
        await self._closed.wait()

    async def close(self) -> None:
        """End the connection; an attached keeper ends with it."""
        if self._writer is not None:
            self._writer.close()
        if self._reading is not None:
            await asyncio.wait([self._reading])
        if self._child is not None and self.place.is_attached:
            await within(self._clock, ANSWER_S, self._reaped(self._child))
            self._child = None

    async def _reaped(self, child: int) -> None:
        with suppress(ChildProcessError):
            while os.waitpid(child, os.WNOHANG) == (0, 0):  # noqa: ASYNC222 - WNOHANG does not wait
                await self._clock.sleep(_POLL_S)

    async def ask(self, verb: str, **arguments: object) -> Any:
        """Return the keeper's answer; raise EngineUnavailable when it is gone, Rejected for what it refuses.

        Raises Unsupported for what does not work on this machine.
        """
        serial = self._send(verb, arguments)
        future = self._waiting[serial] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_S):
                return await future
        except TimeoutError as error:
            raise EngineUnavailable("the keeper does not answer") from error
        finally:
            self._waiting.pop(serial, None)

    def tell(self, verb: str, **arguments: object) -> None:
        """Send what gets no answer; the keeper gets it before what is asked later, and also when we are gone by then.

        Raises EngineUnavailable when there is no keeper.
        """
        self._send(verb, {"is_told": True, **arguments})

    def _send(self, verb: str, arguments: Mapping[str, object]) -> int:
        if self._writer is None or not self.is_open:
            raise EngineUnavailable("the keeper is not reachable")
        self._serial += 1
        self._writer.write(protocol.frame({"id": self._serial, "verb": verb, **arguments}))
        return self._serial

    async def _connect(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(self.place.socket)
        except OSError:
            return False
        self._writer = writer
        self._closed.clear()
        self._reading = asyncio.create_task(self._read(reader, writer), name="keeper link")
        return True

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_let_go = True
        try:
            while (message := await protocol.read_frame(reader)) is not None:
                if "event" in message:
                    self.on_event(message)
                else:
                    self._resolve(message)
            is_let_go = writer.is_closing()
        finally:
            writer.close()
            self._closed.set()
            waiting, self._waiting = self._waiting, {}
            for future in waiting.values():
                if not future.done():
                    future.set_exception(EngineUnavailable("the keeper ended"))
            self.on_closed()
        if not is_let_go and self._child is not None:
            await within(self._clock, ANSWER_S, self._reaped(self._child))
            self._child = None

    def _resolve(self, message: Message) -> None:
        future = self._waiting.pop(message["id"], None)
        if future is None or future.done():
            return
        if "error" in message:
            kind = Unsupported if message["error"] == Unsupported.code else Rejected
            future.set_exception(kind(str(message["message"])))
        else:
            future.set_result(message["answer"])


def start(place: KeeperPlace) -> int:
    """Start a keeper in a session of its own, so that what ends us does not end it; return its process id."""
    command = [
        sys.executable,
        "-m",
        "keystead.keeper",
        "--socket",
        str(place.socket),
        "--core-log",
        str(place.core_log),
    ]
    with suppress(OSError):
        if place.log.stat().st_size > _LOG_MAX_BYTES:
            place.log.replace(place.log.with_name(f"{place.log.name}.1"))
    log = os.open(place.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        return os.posix_spawn(
            sys.executable,
            [*command, *(["--attached"] if place.is_attached else []), "--without", ",".join(place.without)],
            _environment(),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(log)


def _environment() -> dict[str, str]:
    """Return what the keeper needs to find Python and the package; the rest of ours may hold secrets."""
    return {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
