"""Customers: dials with real clients, and long downloads; all of them come from an address that nobody else has."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psutil
from python_socks import ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy

from keystead.keeper.ports import free_loopback_port
from tests.chaos.stage import CUSTOMER, Stage
from tests.support import clients, xray
from tests.support.xray import Profile

_ANSWER_S = 10.0


async def dial(stage: Stage, profiles: Sequence[Profile], *, within_s: float) -> list[bool]:
    """Fetch once as every one of these keys; tell for each whether it was served."""
    return await clients.dial_many(profiles, stage.origin, 100, within_s=within_s, sent_from=CUSTOMER)


@dataclass
class Download:
    """A long download: what came, when the last of it did, and whether it has ended."""

    received: int = 0
    moved_s: float = field(default_factory=time.monotonic)
    is_over: bool = False
    client: int = 0

    def is_connected(self, port: int) -> bool:
        """Tell whether its client has a connection to a port, and is not dialling for one that nobody answers."""
        with suppress(psutil.Error):
            connections = psutil.Process(self.client).net_connections("tcp")
            return any(one.status == psutil.CONN_ESTABLISHED and one.raddr.port == port for one in connections)
        return False


@asynccontextmanager
async def downloading(stage: Stage, profile: Profile) -> AsyncIterator[Download]:
    """Download slowly and without end, for as long as the context lasts or the connection does."""
    port, download = free_loopback_port(), Download()
    argv = [xray.xray_path(), "run", "-config", "stdin:"]
    async with clients.running(argv, clients.many_config([profile], port, sent_from=CUSTOMER), port) as download.client:
        task = asyncio.create_task(_receive(download, port, stage.origin))
        try:
            yield download
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _receive(download: Download, socks: int, origin: tuple[str, int]) -> None:
    writer = None
    try:
        proxy = Proxy(ProxyType.SOCKS5, "127.0.0.1", socks, username="u0", password="x")
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(sock=await proxy.connect(*origin))
            writer.write(b"GET /drip HTTP/1.1\r\nHost: origin\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        while chunk := await reader.read(65_536):
            download.received += len(chunk)
            download.moved_s = time.monotonic()
    except (OSError, EOFError, TimeoutError, ProxyError):
        pass
    finally:
        download.is_over = True
        if writer is not None:
            writer.transport.abort()
