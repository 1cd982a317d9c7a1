"""A real core whose output and sockets the test watches as the keeper does: access lines and dumps into a table."""

import asyncio
import json
import re
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from python_socks import ProxyType
from python_socks.async_.asyncio import Proxy

from keystead.engines.xray import config
from keystead.engines.xray.client import XrayClient
from keystead.engines.xray.state import Counters
from keystead.keeper import diag
from keystead.keeper.carrying import LabelCarried
from keystead.keeper.condemned import Condemned
from keystead.keeper.connections import Table
from tests.support import xray

ACCESS = re.compile(rb"from (?:tcp:)?(\S+):(\d+) accepted \S+ \[(\S+) .*email: (\S+)")
CHUNK = 20_000


@dataclass
class Core:
    """One running core and what is known about its connections."""

    pid: int
    port: int
    api: XrayClient
    condemned: Condemned = field(default_factory=Condemned)
    table: Table = field(init=False)

    def __post_init__(self) -> None:
        self.table = Table(condemned=self.condemned)

    def look(self) -> None:
        """Take a dump into the table."""
        self.table.take_dump(diag.dump([self.port]), time.monotonic())

    def carried(self, label: str) -> LabelCarried:
        """Return what the kernel says a label carried, as of now."""
        self.look()
        return self.table.carried().get(label, LabelCarried())

    async def counted(self, label: str) -> Counters:
        """Return what the core itself has counted."""
        return (await self.api.counters(label)).get(label, Counters(0, 0))


@asynccontextmanager
async def core(lab: xray.Lab) -> AsyncIterator[Core]:
    """Run the lab's desired state in a core of its own, as a child whose standard output is read."""
    path = lab.options.socket
    rendered = config.render(
        lab.desired, api_listen=config.api_on_socket(path), probe=None, settings=lab.options.settings
    )
    rendered["log"] = {"loglevel": "warning"}
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "KILL", "--", str(xray.xray_path()), "run", "-config", "stdin:"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(rendered).encode())
    process.stdin.close()
    watched = Core(process.pid, lab.inbound.port, XrayClient.on_socket(path))
    reading = asyncio.create_task(_read(process.stdout, watched.table))
    try:
        await xray.until_listening(lab.inbound.port)
        yield watched
    finally:
        await watched.api.close()
        process.kill()
        await process.wait()
        await reading


async def _read(output: asyncio.StreamReader, table: Table) -> None:
    while line := await output.readline():
        if match := ACCESS.search(line):
            host, port, tag, label = (part.decode() for part in match.groups())
            table.note_access(host, int(port), tag, label, time.monotonic())


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer any request with bytes, ``/<bytes a second>`` of them, until the client goes."""
    request = await reader.readuntil(b"\r\n\r\n")
    rate = int(request.split(b" ")[1].lstrip(b"/"))
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(bytes(CHUNK))
        await writer.drain()
        await asyncio.sleep(CHUNK / rate if rate else 0)


@dataclass
class Download:
    """A client's running download: what it holds, and when it ended."""

    held: int = 0
    ended_at_s: float | None = None


@asynccontextmanager
async def downloading(socks: int, to: tuple[str, int], path: str, *, is_tls: bool = True) -> AsyncIterator[Download]:
    """Download through a client's SOCKS port for as long as the context lasts; with TLS 1.3 inside unless told not."""
    download = Download()
    task = asyncio.create_task(_download(download, socks, to, path, is_tls))
    try:
        yield download
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _download(download: Download, socks: int, to: tuple[str, int], path: str, is_tls: bool) -> None:
    writer = None
    try:
        sock = await Proxy(ProxyType.SOCKS5, "127.0.0.1", socks).connect(*to)
        context = ssl._create_unverified_context() if is_tls else None
        name = xray.SERVER_NAME if is_tls else None
        reader, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=name)
        writer.write(f"GET /{path} HTTP/1.1\r\nHost: origin\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        while chunk := await reader.read(1 << 18):
            download.held += len(chunk)
    except (OSError, EOFError):
        pass
    finally:
        download.ended_at_s = time.monotonic()
        if writer is not None:
            writer.transport.abort()


@asynccontextmanager
async def tls_origin(lab: xray.Lab, handler: object = drip) -> AsyncIterator[tuple[str, int]]:
    """Serve an origin with TLS 1.3, so that Vision passes its answers on untouched."""
    directory: Path = lab.directory
    context = xray.tls_1_3(directory / "target-cert.pem", directory / "target-key.pem")
    async with xray.serving(handler, context) as port:  # type: ignore[arg-type]
        yield "127.0.0.1", port
