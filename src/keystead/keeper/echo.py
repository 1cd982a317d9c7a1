"""An echo on loopback that lives as long as the keeper: the far end of a dial that proves a way through a core.

It gives back the first bytes of a connection and closes it. That the right bytes come back is for the dialler to see.
"""

import asyncio
from contextlib import suppress

from keystead.kit.clock import Clock
from keystead.kit.waiting import within

NONCE_SIZE = 32
_PATIENCE_S = 10.0


class Echo:
    """Answer every connection with what it sends first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen on a free loopback port and return it."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            await within(self._clock, _PATIENCE_S, _answer(reader, writer))
        writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readexactly(NONCE_SIZE))
    await writer.drain()
