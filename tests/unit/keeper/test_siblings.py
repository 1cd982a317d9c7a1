"""Two keepers with connections of one label: each caps its own so that both together keep to the label's limit."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from keystead.keeper import diag, protocol
from keystead.keeper.proving import Tricks
from keystead.keeper.service import Keeper
from tests.support.clock import ManualClock

# Little enough for loopback to pass it on at once, whatever the cap.
LABEL, LIMIT = "k1-1", 40_000
_MAX_PACING_RATE = 47


class Side:
    """A keeper and a connection of the label that a process of it has."""

    def __init__(self, path: Path, clock: ManualClock, listener: socket.socket, stack: ExitStack) -> None:
        self.keeper = Keeper(path, core_log=path.with_suffix(".log"), is_attached=False, clock=clock)
        self.watch = self.keeper._watch
        self.client = stack.enter_context(socket.create_connection(listener.getsockname()))
        self.accepted = stack.enter_context(listener.accept()[0])
        self.watch.tricks = Tricks()
        self.watch.begin(path.stem, os.getpid(), {"shared": listener.getsockname()[1]})
        self.watch.note_access(path.stem, *self.client.getsockname(), "shared", LABEL)
        self.watch.limit({LABEL: LIMIT}, {})

    async def send(self) -> None:
        """Send as much as a second allows, and wait until the kernel counts it."""
        size = min(self.cap, LIMIT)
        sent = self._acked() + size
        self.accepted.sendall(bytes(size))
        async with asyncio.timeout(10):
            while self._acked() < sent:
                with suppress(BlockingIOError):
                    self.client.recv(1 << 16, socket.MSG_DONTWAIT)
                await asyncio.sleep(0.002)

    def _acked(self) -> int:
        port, inode = self.accepted.getsockname()[1], os.fstat(self.accepted.fileno()).st_ino
        return next(one.acked for one in diag.dump([port]) if one.inode == inode)

    @property
    def cap(self) -> int:
        told = self.accepted.getsockopt(socket.SOL_SOCKET, _MAX_PACING_RATE)
        return told if told >= 0 else LIMIT  # none yet


class Pair:
    """Two keepers of one directory."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.clock = ManualClock()
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        paths = directory / protocol.SOCKET_NAME, directory / "keeper2.sock"
        self.sides = [Side(path, self.clock, listener, stack) for path in paths]

    async def pass_a_second(self) -> None:
        for side in self.sides:
            await side.send()
        self.clock.advance(1.0)
        for side in self.sides:
            await side.keeper._siblings.ask()
        for side in self.sides:
            side.watch._look()


@asynccontextmanager
async def pair(directory: Path) -> AsyncIterator[Pair]:
    with ExitStack() as stack:
        made = Pair(directory, stack)
        servers = [await asyncio.start_unix_server(side.keeper._serve, side.keeper._socket_path) for side in made.sides]
        try:
            yield made
        finally:
            for server in servers:
                server.close()
            for side in made.sides:
                side.watch.end(side.keeper._socket_path.stem)
                await asyncio.gather(*side.keeper._tasks)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory whose sockets have short names."""
    return tmp_path


async def test_two_keepers_share_one_limit_out_between_them(directory: Path) -> None:
    async with pair(directory) as both:
        for _ in range(3):
            await both.pass_a_second()

        assert sum(side.cap for side in both.sides) <= LIMIT


async def test_who_is_left_has_the_whole_limit_when_the_other_keeper_is_gone(directory: Path) -> None:
    async with pair(directory) as both:
        for _ in range(3):
            await both.pass_a_second()
        shared = both.sides[0].cap
        both.sides[1].keeper._socket_path.unlink()
        for _ in range(3):
            await both.pass_a_second()

        assert (shared < LIMIT, both.sides[0].cap) == (True, LIMIT)


async def test_a_keeper_that_knows_no_such_question_or_is_silent_costs_the_limit_nothing(directory: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await protocol.read_frame(reader)
        writer.write(protocol.frame({"id": 1, "error": "not_found", "message": "verb sent does not exist"}))
        with suppress(OSError):
            await writer.drain()
        writer.close()

    async with pair(directory) as both, await asyncio.start_unix_server(refuse, directory / "keeper3.sock"):
        both.sides[1].keeper._socket_path.unlink()
        (directory / "keeper4.sock").touch()
        await both.pass_a_second()

        assert both.sides[0].cap == LIMIT
