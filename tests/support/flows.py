"""Paced streams through a tunnel, measured at the end that keeps the bytes: what the client holds, what the origin got.

The origin and the programs that talk to it live in this process; between them are a real client and a real core.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_socks import ProxyType
from python_socks.async_.asyncio import Proxy

from keystead.keeper.ports import free_loopback_port
from keystead.vpn.profiles import singbox
from keystead.vpn.values import ClientProfile
from tests.support import cores, xray
from tests.support.clients import running

MB = 1_000_000
_CHUNK = 1 << 16
_PIECE = 3000


@dataclass(eq=False)
class Flow:
    """One stream: payload sent by one end and held by the other, without headers; ``is_whole`` when all of it came."""

    sent: int = 0
    held: int = 0
    is_whole: bool = False
    is_over: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    async def when_held(self, size: int, *, within_s: float = 20.0) -> None:
        """Wait until this much has arrived."""
        async with asyncio.timeout(within_s):
            while self.held < size:
                await asyncio.sleep(0.02)

    async def when_over(self, *, within_s: float = 60.0) -> None:
        """Wait until the stream has ended, whole or not."""
        assert self.task is not None
        await asyncio.wait([self.task], timeout=within_s)
        assert self.is_over


class Together:
    """Several streams of one key, as one."""

    def __init__(self, *flows: Flow) -> None:
        self.flows = list(flows)

    @property
    def sent(self) -> int:
        return sum(flow.sent for flow in self.flows)

    @property
    def held(self) -> int:
        return sum(flow.held for flow in self.flows)


@dataclass(frozen=True)
class Origin:
    """Where streams come from and go to: plain HTTP and TLS 1.3."""

    plain: tuple[str, int]
    tls: tuple[str, int]

    def of(self, *, is_tls: bool) -> tuple[str, int]:
        return self.tls if is_tls else self.plain


@asynccontextmanager
async def origin(directory: Path) -> AsyncIterator[Origin]:
    """Serve ``GET /<rate>/<size>`` and take ``POST /<size>``, with and without TLS 1.3 (the target's certificate)."""
    context = xray.tls_1_3(directory / "target-cert.pem", directory / "target-key.pem")
    async with xray.serving(_answer) as plain, xray.serving(_answer, context) as tls:
        yield Origin(("127.0.0.1", plain), ("127.0.0.1", tls))


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while request := await reader.readuntil(b"\r\n\r\n"):
        verb, path = request.split(b" ")[:2]
        numbers = [int(number) for number in path.strip(b"/").split(b"/")]
        if verb == b"GET":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % numbers[1])
            await _pour(writer, Flow(), *numbers)
        else:
            taken = 0
            while taken < numbers[0] and (chunk := await reader.read(_CHUNK)):
                taken += len(chunk)
                writer.write(b"%d\n" % taken)
            await writer.drain()


async def _pour(writer: asyncio.StreamWriter, flow: Flow, rate: int, size: int) -> None:
    """Write ``size`` bytes, ``rate`` of them a second from now on."""
    begun_s = time.monotonic()
    while flow.sent < size:
        count = min(_CHUNK, size - flow.sent)
        writer.write(bytes(count))
        await writer.drain()
        flow.sent += count
        await asyncio.sleep(max(0.0, begun_s + flow.sent / rate - time.monotonic()) if rate else 0)


@asynccontextmanager
async def chopped(to: tuple[str, int]) -> AsyncIterator[tuple[str, int]]:
    """Pass streams on in pieces that end in the middle of TLS records, from the first after the handshake on."""

    async def down(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(_CHUNK))
        held = await reader.readexactly(7 * _PIECE)
        for begin in range(0, len(held), _PIECE):
            writer.write(held[begin : begin + _PIECE])
            await asyncio.sleep(0.01)
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.0005)

    async def up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_CHUNK):
            writer.write(piece)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection(*to)
        going_up = asyncio.create_task(up(reader, their_writer))
        try:
            await down(their_reader, writer)
        finally:
            going_up.cancel()
            await asyncio.gather(going_up, return_exceptions=True)
            their_writer.transport.abort()

    async with xray.serving(relay) as port:
        yield "127.0.0.1", port


@asynccontextmanager
async def client_of(program: str, profile: xray.Profile, *, address: str = "127.0.0.1") -> AsyncIterator[int]:
    """Run a real client, ``xray`` or ``sing-box``, that dials from this address; yield its SOCKS port."""
    port = free_loopback_port()
    if program == "xray":
        config: dict[str, Any] = dict(xray.client_config(profile, port))
        config["outbounds"][0]["sendThrough"] = address
        async with xray.running(config, port):
            yield port
        return
    p = profile
    outbound = singbox.outbound(
        "tunnel", ClientProfile(p.host, p.port, p.uuid, p.flow, p.public_key, p.short_id, p.server_name)
    )
    config = {
        "log": {"disabled": True},
        "inbounds": [{"type": "socks", "listen": "127.0.0.1", "listen_port": port}],
        "outbounds": [{**outbound, "inet4_bind_address": address}],
    }
    async with running([cores.path_of(cores.SING_BOX), "run", "-c", "stdin"], config, port):
        yield port


@asynccontextmanager
async def download(socks: int, to: tuple[str, int], *, rate: int, size: int, is_tls: bool) -> AsyncIterator[Flow]:
    """Download ``size`` bytes at ``rate`` through a client; what is left of it ends with the context."""
    flow = Flow()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /%d/%d HTTP/1.1\r\nHost: origin\r\n\r\n" % (rate, size))
        await reader.readuntil(b"\r\n\r\n")
        while flow.held < size and (chunk := await reader.read(1 << 18)):
            flow.held += len(chunk)

    async with _carried(flow, socks, to, receive, is_tls=is_tls, size=size):
        yield flow


@asynccontextmanager
async def upload(socks: int, to: tuple[str, int], *, rate: int, size: int, is_tls: bool) -> AsyncIterator[Flow]:
    """Upload ``size`` bytes at ``rate`` through a client; held is what the origin says it has."""
    flow = Flow()

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST /%d HTTP/1.1\r\nHost: origin\r\n\r\n" % size)
        pouring = asyncio.create_task(_pour(writer, flow, rate, size))
        try:
            while flow.held < size and (line := await reader.readline()):
                flow.held = int(line)
        finally:
            pouring.cancel()
            await asyncio.gather(pouring, return_exceptions=True)

    async with _carried(flow, socks, to, send, is_tls=is_tls, size=size):
        yield flow


@asynccontextmanager
async def _carried(
    flow: Flow, socks: int, to: tuple[str, int], talk: Any, *, is_tls: bool, size: int
) -> AsyncIterator[Flow]:
    async def run() -> None:
        writer = None
        try:
            reader, writer = await _connected(socks, to, is_tls=is_tls)
            await talk(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            flow.is_whole, flow.is_over = flow.held >= size, True
            if writer is not None:
                writer.transport.abort()

    flow.task = asyncio.create_task(run())
    try:
        yield flow
    finally:
        flow.task.cancel()
        with suppress(asyncio.CancelledError):
            await flow.task


async def _connected(
    socks: int, to: tuple[str, int], *, is_tls: bool
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    sock = await Proxy(ProxyType.SOCKS5, "127.0.0.1", socks).connect(*to)
    context = ssl._create_unverified_context() if is_tls else None
    return await asyncio.open_connection(
        sock=sock, ssl=context, server_hostname=xray.SERVER_NAME if is_tls else None, limit=1 << 20
    )


async def fetch_small(socks: int, to: tuple[str, int], size: int) -> bool:
    """Fetch once over a connection of its own; tell whether all of it came."""
    async with AsyncExitStack() as stack:
        flow = await stack.enter_async_context(download(socks, to, rate=0, size=size, is_tls=False))
        await flow.when_over()
        return flow.is_whole
