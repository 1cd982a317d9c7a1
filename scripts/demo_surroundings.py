"""What the demo runs around its story: a site and an origin, Keystead itself, and a client built from a link.

Called by both demos. Every program started here ends with its block, or with this process if that is killed.
"""

import asyncio
import datetime
import json
import os
import shutil
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from python_socks import ProxyConnectionError, ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy

from keystead import main as product
from keystead import settings
from keystead.keeper.ports import free_loopback_port
from keystead.vpn.links import parse_link
from keystead.vpn.values import ClientProfile

LOOPBACK = "127.0.0.1"
SERVER_NAME = "site.test"
READY_WITHIN_S = 45.0
END_WITHIN_S = 15.0

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class NotReady(Exception):
    """A program did not come up."""


# --- the world outside -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """A TLS 1.3 site for REALITY to hide behind, its certificate, and an origin with something to download."""

    site_port: int
    certificate: Path
    origin_port: int
    body: bytes

    @property
    def url(self) -> str:
        """Return where the download is."""
        return f"http://{LOOPBACK}:{self.origin_port}/"


@asynccontextmanager
async def world(directory: Path, body: bytes) -> AsyncIterator[World]:
    """Run the site and the origin."""
    certificate, key = write_certificate(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2", "http/1.1"])

    async def site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await writer.drain()

    async with serving(site, context) as site_port, serving(origin) as origin_port:
        yield World(site_port, certificate, origin_port, body)


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a free loopback port; yield the port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, ssl.SSLError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, LOOPBACK, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def write_certificate(directory: Path) -> tuple[Path, Path]:
    """Write the site's own certificate and key; the core is told to trust the former."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SERVER_NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, private_key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private_key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths = directory / "site.pem", directory / "site.key"
    paths[0].write_bytes(certificate.public_bytes(pem))
    paths[1].write_bytes(private_key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return paths


@asynccontextmanager
async def process(*argv: str, stdin: bytes = b"", **options: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program that ends when this block or this process does."""
    running = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "TERM", "--", *argv),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        **options,
    )
    try:
        assert running.stdin is not None
        running.stdin.write(stdin)
        running.stdin.close()
        yield running
    finally:
        with suppress(ProcessLookupError):
            running.terminate()
        try:
            await asyncio.wait_for(running.wait(), 15)
        except TimeoutError:
            running.kill()


# --- Keystead and a client -------------------------------------------------------------------------------------------


@asynccontextmanager
async def keystead(directory: Path, outside: World, **more: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Run `keystead serve`; yield a client of its API that presents the first token, once the VPN is ready.

    ``more`` are further settings.
    """
    port, log, data = free_loopback_port(), directory / "keystead.log", directory / "data"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "KEYSTEAD_XRAY_PATH") if name in os.environ}
    environment = kept | {
        "KEYSTEAD_CACHE_DIR": str(settings.load().engines_cache_dir),
        "KEYSTEAD_DATA_DIR": str(data),
        "KEYSTEAD_PORT": str(port),
        "KEYSTEAD_PUBLIC_HOST": LOOPBACK,
        "KEYSTEAD_VPN_HOST": LOOPBACK,
        "KEYSTEAD_VPN_PORT": str(free_loopback_port()),
        # The download is on this machine, and VPN users may not reach the machine itself unless they are let.
        "KEYSTEAD_VPN_ALLOW_PRIVATE": f"{LOOPBACK}/32",
        "KEYSTEAD_REALITY_TARGET": f"{LOOPBACK}:{outside.site_port}",
        "KEYSTEAD_REALITY_SERVER_NAMES": SERVER_NAME,
        "KEYSTEAD_XRAY_TRUSTED_CERTIFICATES": str(outside.certificate),
        **more,
    }
    serve = (sys.executable, "-m", "keystead", "serve", "--foreground")
    with log.open("wb") as output:
        started = process(*serve, env=environment, cwd=directory, stdout=output)
        async with (
            started as running,
            httpx2.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", timeout=30.0, trust_env=False) as http,
        ):
            await until_ready(http, running, log)
            http.headers["Authorization"] = f"Bearer {(data / 'first-token').read_text().strip()}"
            yield http


async def until_ready(http: httpx2.AsyncClient, running: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until /health says that a client would be served; raise NotReady with the log's end when it will not."""
    give_up_s = time.monotonic() + READY_WITHIN_S
    while running.returncode is None and time.monotonic() < give_up_s:
        if await is_ready(http):
            return
        await asyncio.sleep(0.1)
    raise NotReady(f"Keystead did not become ready; its last words:\n{log.read_text()[-2000:]}")


async def is_ready(http: httpx2.AsyncClient) -> bool:
    """Ask /health once."""
    try:
        health: dict[str, Any] = (await http.get("/health")).json()
    except httpx2.HTTPError:
        return False
    return bool(health["status"] == "ok")


@asynccontextmanager
async def vpn_client(link: str) -> AsyncIterator[int]:
    """Run a real Xray client built from a link; yield its SOCKS port."""
    socks_port = free_loopback_port()
    config = client_config(parse_link(link), socks_port)
    xray = str(product.find_binary(settings.load()).path)
    quiet = {"stdout": asyncio.subprocess.DEVNULL, "env": {"PATH": os.environ["PATH"]}}
    async with process(xray, "run", "-config", "stdin:", stdin=json.dumps(config).encode(), **quiet):
        async with asyncio.timeout(15):
            while not await is_listening(socks_port):
                await asyncio.sleep(0.02)
        yield socks_port


def client_config(profile: ClientProfile, socks_port: int) -> dict[str, Any]:
    """Return what an Xray client reads: a SOCKS port on this machine, and the way the link describes."""
    user = {"id": profile.uuid, "encryption": "none", "flow": profile.flow}
    reality = {
        "serverName": profile.server_name,
        "fingerprint": profile.fingerprint,
        "publicKey": profile.public_key,
        "shortId": profile.short_id,
    }
    outbound = {
        "protocol": "vless",
        "settings": {"vnext": [{"address": profile.host, "port": profile.port, "users": [user]}]},
        "streamSettings": {"network": "tcp", "security": "reality", "realitySettings": reality},
    }
    inbound = {"listen": LOOPBACK, "port": socks_port, "protocol": "socks"}
    return {"log": {"loglevel": "none"}, "inbounds": [inbound], "outbounds": [outbound]}


async def is_listening(port: int) -> bool:
    """Tell whether something accepts on a loopback port."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True


async def download(socks_port: int, outside: World, file: Path, *, within_s: float = 60.0) -> bool:
    """Download through the tunnel into a file, with curl if it is there; tell whether all of it came."""
    file.unlink(missing_ok=True)
    fetch = curl if shutil.which("curl") else python_fetch
    try:
        async with asyncio.timeout(within_s):
            await fetch(socks_port, outside, file)
    except (OSError, EOFError, ProxyError, ProxyConnectionError):
        return False
    return file.exists() and file.stat().st_size == len(outside.body)


async def curl(socks_port: int, outside: World, file: Path) -> None:
    """Run curl without the settings of whoever runs the demo: no proxy exceptions, no curlrc."""
    options = ("--silent", "--fail", "--noproxy", "", "--socks5-hostname", f"{LOOPBACK}:{socks_port}")
    argv = ("curl", "--disable", *options, "--output", str(file), outside.url)
    async with process(*argv, env={"PATH": os.environ["PATH"]}) as running:
        await running.wait()


async def python_fetch(socks_port: int, outside: World, file: Path) -> None:
    """Do what curl would do."""
    sock = await Proxy(ProxyType.SOCKS5, LOOPBACK, socks_port).connect(LOOPBACK, outside.origin_port)
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: origin\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        with file.open("wb") as body:
            while part := await reader.read(65536):
                body.write(part)
    finally:
        writer.close()
