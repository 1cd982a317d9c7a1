"""A long download through a tunnel, watched as its user would: does it go on, without a gap, and how fast."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from python_socks import ProxyType
from python_socks.async_.asyncio import Proxy

from tests.support import xray

MB = 1_000_000
# What nobody would call a gap or a slow dial on a machine that runs a test suite beside it. Whoever was cut off dials
# anew, and whoever meets a core that is not warm waits for five seconds; without other work both are far below half of
# one.
GAP_MAX_S = 2.0
DIAL_MAX_S = 2.0


@dataclass
class Download:
    """A long download through a tunnel: when bytes came, and whether it still goes on."""

    longest_gap_s: float = 0.0
    received: int = 0
    is_over: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    async def over_after_s(self, *, within_s: float = 5.0) -> float | None:
        """Return how long it still went on, None when it does not end within so many seconds."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        while loop.time() - begun_s < within_s:
            if self.is_over:
                return loop.time() - begun_s
            await asyncio.sleep(0.01)
        return None


@asynccontextmanager
async def downloading(profile: xray.Profile, *, source: str | None = None) -> AsyncIterator[Download]:
    """Download slowly and endlessly with a real client."""
    download = Download()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 20_000)
            await writer.drain()
            await asyncio.sleep(0.05)

    async def receive(reader: asyncio.StreamReader) -> None:
        loop = asyncio.get_running_loop()
        await reader.read(65536)  # the client waits half a second for us to speak first
        last_s = loop.time()
        while chunk := await reader.read(65536):
            download.received += len(chunk)
            download.longest_gap_s = max(download.longest_gap_s, loop.time() - last_s)
            last_s = loop.time()
        download.is_over = True

    async with xray.serving(drip) as port, xray.client(profile, source=source) as socks:
        sock = await Proxy(ProxyType.SOCKS5, "127.0.0.1", socks).connect("127.0.0.1", port)
        reader, writer = await asyncio.open_connection(sock=sock)
        download.task = asyncio.create_task(receive(reader))
        await asyncio.sleep(0.8)
        try:
            yield download
        finally:
            download.task.cancel()
            await asyncio.gather(download.task, return_exceptions=True)
            writer.transport.abort()


@dataclass
class Trickles:
    """Many slow downloads through one client program; they end when the origin is told to stop."""

    port: int
    socks: int
    stopping: asyncio.Event
    downloads: list[Download] = field(default_factory=list)

    async def begin(self, count: int) -> None:
        """Begin more downloads."""
        for _ in range(count):
            sock = await Proxy(ProxyType.SOCKS5, "127.0.0.1", self.socks).connect("127.0.0.1", self.port)
            reader, writer = await asyncio.open_connection(sock=sock)
            download = Download()
            download.task = asyncio.create_task(_receive(download, reader, writer))
            self.downloads.append(download)

    async def end(self) -> None:
        """Have the origin stop, and wait until every client has all that it sent."""
        self.stopping.set()
        await asyncio.gather(*(download.task for download in self.downloads if download.task))


@asynccontextmanager
async def trickling(profile: xray.Profile, *, every_s: float = 0.1) -> AsyncIterator[Trickles]:
    """Offer many slow downloads through one client program."""
    stopping = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not stopping.is_set():
            writer.write(b"x" * 2_000)
            await writer.drain()
            await asyncio.sleep(every_s)
        writer.close()
        await writer.wait_closed()

    async with xray.serving(drip) as port, xray.client(profile) as socks:
        made = Trickles(port, socks, stopping)
        try:
            yield made
        finally:
            for download in made.downloads:
                if download.task:
                    download.task.cancel()


async def _receive(download: Download, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    first = await reader.read(65536)  # the client waits half a second for us to speak first
    download.received += len(first)
    last_s = loop.time()
    while chunk := await reader.read(65536):
        download.received += len(chunk)
        download.longest_gap_s = max(download.longest_gap_s, loop.time() - last_s)
        last_s = loop.time()
    download.is_over = True
    writer.close()


class Stream:
    """What a client has received over several connections at once."""

    def __init__(self) -> None:
        self.received = 0
        self.ended_at: float | None = None

    async def receive(self, reader: asyncio.StreamReader) -> None:
        try:
            while chunk := await reader.read(1 << 18):
                self.received += len(chunk)
        except OSError:
            pass
        self.ended_at = time.monotonic()

    async def per_s(self, seconds: float) -> float:
        """Return bytes a second over the next so many seconds."""
        before, begun = self.received, time.monotonic()
        await asyncio.sleep(seconds)
        return (self.received - before) / (time.monotonic() - begun)


@asynccontextmanager
async def streaming(
    profile: xray.Profile, *, connections: int = 1, bytes_per_s: int = 40 * MB
) -> AsyncIterator[Stream]:
    """Download without an end with a real client."""
    stream = Stream()

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chunk = b"x" * (bytes_per_s // connections // 100)
        while True:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0.01)

    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(xray.serving(flood))
        socks = await stack.enter_async_context(xray.client(profile))
        tasks, writers = [], []
        for _ in range(connections):
            sock = await Proxy(ProxyType.SOCKS5, "127.0.0.1", socks).connect("127.0.0.1", port)
            reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 20)
            tasks.append(asyncio.create_task(stream.receive(reader)))
            writers.append(writer)
        try:
            yield stream
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for writer in writers:
                writer.transport.abort()
