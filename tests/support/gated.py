"""A REALITY target behind a gate: while it is closed whoever connects waits, so that nothing there can be examined."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.xray import serving

_SIZE_BYTES = 65536


class Gate:
    """Whether connections to a target go through. Those that did go on when it is closed again."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._opened = asyncio.Event()
        self.port = 0

    def open(self) -> None:
        """Let through whoever waits and whoever comes."""
        self._opened.set()

    def close(self) -> None:
        """Let nobody through who comes from now on."""
        self._opened.clear()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to the target and back once the gate is open."""
        await self._opened.wait()
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            back = asyncio.create_task(_carry(target_reader, writer))
            await _carry(reader, target_writer)
            await back
        finally:
            target_writer.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while found := await reader.read(_SIZE_BYTES):
            writer.write(found)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def gated(target_port: int, *, is_open: bool = False) -> AsyncIterator[Gate]:
    """Serve a gate before a target's port."""
    gate = Gate(target_port)
    if is_open:
        gate.open()
    async with serving(gate.pass_on) as gate.port:
        yield gate
