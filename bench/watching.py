"""Long downloads, watched byte by byte: what was sent, what came, when the last of it came, and when the client's end.

The origin speaks TLS 1.3, so that Vision passes its answers on without looking (spliced), which is the case in which a
core does not know what it carries. All clients are one real Xray behind one address.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from python_socks import ProxyType
from python_socks.async_.asyncio import Proxy
from tests.support import clients, xray
from tests.support.keystead import World

from keystead.keeper.ports import free_loopback_port

# A prime number of bytes, so that a piece that is missing shows at once.
_PATTERN = bytes(number * 7 % 251 for number in range(251)) * 1100
_PERIOD = 251
_PIECES_PER_S = 50


@dataclass
class Watched:
    """One download; times are those of ``time.perf_counter``."""

    sent: int = 0
    received: int = 0
    is_whole: bool = True
    last_s: float = 0.0
    longest_gap_s: float = 0.0
    ended_s: float | None = None

    def take(self, piece: bytes) -> None:
        """Take what came."""
        now_s, at = time.perf_counter(), self.received % _PERIOD
        self.longest_gap_s = max(self.longest_gap_s, now_s - self.last_s if self.last_s else 0.0)
        self.is_whole = self.is_whole and piece == _PATTERN[at : at + len(piece)]
        self.received += len(piece)
        self.last_s = now_s

    @property
    def lost(self) -> int:
        """Return how many bytes that were sent did not come, or came changed, all of them then."""
        return self.sent - self.received if self.is_whole else self.sent


class Origin:
    """Sends to whoever asks for ``/<download> <bytes a second>``, until told to stop."""

    def __init__(self) -> None:
        self.downloads: list[Watched] = []
        self.stopping = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send the pattern at an even rate; what was late is made up for."""
        words = (await reader.readuntil(b"\r\n\r\n")).split(b" ")
        download, per_s = self.downloads[int(words[1].lstrip(b"/"))], int(words[2])
        begun_s = time.perf_counter()
        while not self.stopping.is_set():
            due = int((time.perf_counter() - begun_s) * per_s) - download.sent
            while due > 0:
                at = download.sent % _PERIOD
                piece = _PATTERN[at : at + min(due, 131_072)]
                writer.write(piece)
                download.sent += len(piece)
                due -= len(piece)
            await writer.drain()
            await asyncio.sleep(1 / _PIECES_PER_S)
        writer.write_eof() if writer.can_write_eof() else writer.close()
        await reader.read()


class Viewers:
    """Clients of many keys behind one address."""

    def __init__(self, origin: Origin, to: tuple[str, int], socks_port: int) -> None:
        self._origin = origin
        self._to = to
        self._socks_port = socks_port

    @asynccontextmanager
    async def watching(self, number: int, *, per_s: int) -> AsyncIterator[Watched]:
        """Download as the key of this number; returns when the first bytes have come."""
        download = Watched()
        self._origin.downloads.append(download)
        request = f"GET /{len(self._origin.downloads) - 1} {per_s} HTTP/1.1\r\n\r\n".encode()
        proxy = Proxy(ProxyType.SOCKS5, "127.0.0.1", self._socks_port, username=f"u{number}", password="x")
        sock = await proxy.connect(*self._to)
        context = ssl._create_unverified_context()
        reader, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=xray.SERVER_NAME)
        writer.write(request)
        receiving = asyncio.create_task(_receive(reader, download))
        try:
            async with asyncio.timeout(20):
                while not download.received:
                    await asyncio.sleep(0.01)
            yield download
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            writer.transport.abort()


async def _receive(reader: asyncio.StreamReader, download: Watched) -> None:
    with suppress(OSError):
        while piece := await reader.read(131_072):
            download.take(piece)
    download.ended_s = time.perf_counter()


@asynccontextmanager
async def viewers(world: World, profiles: Sequence[xray.Profile]) -> AsyncIterator[tuple[Origin, Viewers]]:
    """Run an origin, and one client program for all of these keys."""
    origin, port = Origin(), free_loopback_port()
    context = xray.tls_1_3(world.certificate, world.certificate.with_name("target-key.pem"))
    argv = [xray.xray_path(), "run", "-config", "stdin:"]
    async with (
        xray.serving(origin.serve, context) as served,
        clients.running(argv, clients.many_config(profiles, port), port),
    ):
        yield origin, Viewers(origin, ("127.0.0.1", served), port)
