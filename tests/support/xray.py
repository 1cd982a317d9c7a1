"""A laboratory for the real Xray on loopback: a REALITY target, an origin, client programs, and a core to drive.

The core verifies the target's certificate when it examines it. Left untrusted, the self-signed one fails the
examination at once and the first dial *seems* instant; trusted (``SSL_CERT_FILE``) it takes the five seconds that
users would see. Tests of readiness use a trusted target, the others do not.
"""

import asyncio
import datetime
import json
import os
import signal
import ssl
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from python_socks import ProxyConnectionError, ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy

from keystead.engines.xray import keys
from keystead.engines.xray.attendance import Patience
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.driver import ManagedXray
from keystead.engines.xray.options import XrayOptions
from keystead.engines.xray.state import (
    BEHIND_TAG_PREFIX,
    LIVE_TAG_PREFIX,
    VISION,
    Reading,
    XrayDesired,
    XrayInbound,
    XraySettings,
    XrayUser,
)
from keystead.keeper.core import State
from keystead.keeper.keepers import Keepers
from keystead.keeper.link import KeeperPlace
from keystead.keeper.ports import free_loopback_port
from keystead.kit.clock import SystemClock
from keystead.kit.errors import EngineUnavailable, StorageBusy
from keystead.kit.ids import RandomIds
from keystead.reconcile.engine import Condition
from keystead.reconcile.replacement import Kind, Replacement, Wish
from keystead.vpn.links import parse_link

__all__ = ["State", "XrayUser", "os", "replace", "signal"]

SERVER_NAME = "site.test"
SHORT_ID = "7bb45050"
LOOPBACK_OPEN = XraySettings(allow_private=("127.0.0.0/8",))


def cache_directory() -> Path:
    """Return where built engines are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("KEYSTEAD_CACHE_DIR") or Path(base) / "keystead")


def xray_path(version: str = "26.7.28") -> Path:
    """Return the pinned core; a missing engine is a failure, never a skip."""
    path = cache_directory() / "engines" / f"xray-{version}" / "xray"
    assert path.exists(), f"{path} is missing; run: keystead engine install xray"
    return path


def binary(version: str = "26.7.28") -> Binary:
    """Return a core as the driver wants it, the pinned one unless told otherwise."""
    return Binary(xray_path(version), version, "the tests' own")


# --- the outside world ---


def write_certificate(directory: Path, *names: str) -> tuple[Path, Path]:
    """Write a self-signed certificate for these names and its key; return both paths."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private_key, hashes.SHA256())
    )
    certificate_path, key_path = directory / "target-cert.pem", directory / "target-key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate_path, key_path


@asynccontextmanager
async def serving(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    context: ssl.SSLContext | None = None,
    *,
    port: int = 0,
) -> AsyncIterator[int]:
    """Serve a handler on a loopback port; nothing of it is left afterwards."""
    writers: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        with suppress(OSError, EOFError, ssl.SSLError):
            await handler(reader, writer)
        writers.discard(writer)
        writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", port, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in list(writers):
            writer.transport.abort()
        await asyncio.sleep(0.01)


async def silent_site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be a site that, after the handshake, waits for a request: what a REALITY target does."""
    while await reader.read(4096):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@asynccontextmanager
async def named_site(directory: Path, name: str) -> AsyncIterator[int]:
    """Serve a site of a name, whose certificate is kept in a directory; yield its port."""
    directory.mkdir()
    async with serving(silent_site, tls_1_3(*write_certificate(directory, name))) as port:
        yield port


async def name_seen(port: int, server_name: str | None) -> str:
    """Return the name in the certificate that a stranger is shown who asks for a name, or for none."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=server_name)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return x509.load_der_x509_certificate(shown).subject.rfc4514_string().removeprefix("CN=")


async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer ``GET /<n>`` with n bytes."""
    request = await reader.readuntil(b"\r\n\r\n")
    size = int(request.split(b" ")[1].lstrip(b"/") or b"0")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size)
    writer.write(b"x" * size)
    await writer.drain()
    await reader.read()


def tls_1_3(certificate_path: Path, key_path: Path) -> ssl.SSLContext:
    """Return a server context as REALITY needs its target to be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate_path, key_path)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


# --- a client ---


@dataclass(frozen=True)
class Profile:
    """What a client program needs to connect."""

    host: str
    port: int
    uuid: str
    public_key: str
    short_id: str = SHORT_ID
    server_name: str = SERVER_NAME
    flow: str = VISION
    fingerprint: str = "chrome"


def linked(link: str) -> Profile:
    """Return what a share link tells a client."""
    read = parse_link(link)
    return Profile(read.host, read.port, read.uuid, read.public_key, read.short_id, read.server_name, read.flow)


def client_config(
    profile: Profile, socks_port: int, *, has_mux: bool = False, source: str | None = None
) -> dict[str, object]:
    """Return the configuration of an Xray client with a SOCKS inbound; it dials from a source address."""
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
        **({"mux": {"enabled": True, "concurrency": 8}} if has_mux else {}),
        **({"sendThrough": source} if source else {}),
    }
    inbound = {"listen": "127.0.0.1", "port": socks_port, "protocol": "socks", "settings": {"udp": True}}
    return {"log": {"loglevel": "none", "access": "none"}, "inbounds": [inbound], "outbounds": [outbound]}


@asynccontextmanager
async def client(profile: Profile, *, has_mux: bool = False, source: str | None = None) -> AsyncIterator[int]:
    """Run a real Xray client; yield its SOCKS port."""
    port = free_loopback_port()
    async with running(client_config(profile, port, has_mux=has_mux, source=source), port):
        yield port


@asynccontextmanager
async def running(configuration: dict[str, object], port: int) -> AsyncIterator[None]:
    """Run a real Xray with a configuration that listens on a loopback port."""
    process = await asyncio.create_subprocess_exec(
        "setpriv",
        "--pdeathsig",
        "KILL",
        "--",
        str(xray_path()),
        "run",
        "-config",
        "stdin:",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(configuration).encode())
        process.stdin.close()
        await until_listening(port)
        yield
    finally:
        process.kill()
        await process.wait()


async def until_listening(port: int, *, within_s: float = 10.0) -> None:
    """Wait until something accepts on a loopback port."""
    end = time.monotonic() + within_s
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.01)
        else:
            writer.transport.abort()
            return


async def get(socks_port: int, to: tuple[str, int], size: int = 1000, *, within_s: float = 15.0) -> float | None:
    """Fetch ``size`` bytes from an origin through a SOCKS port; return the seconds it took, None when it failed."""
    begun = time.monotonic()
    try:
        async with asyncio.timeout(within_s):
            sock = await Proxy(ProxyType.SOCKS5, "127.0.0.1", socks_port).connect(*to)
            reader, writer = await asyncio.open_connection(sock=sock)
            try:
                writer.write(b"GET /%d HTTP/1.1\r\nHost: origin\r\n\r\n" % size)
                answer = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(size)
            finally:
                writer.transport.abort()
    except (OSError, EOFError, TimeoutError, ProxyError, ProxyConnectionError):
        return None
    return time.monotonic() - begun if answer.startswith(b"HTTP/1.1 200") and len(body) == size else None


async def dial(profile: Profile, to: tuple[str, int], size: int = 1000, *, within_s: float = 15.0) -> float | None:
    """Start a client, fetch once and end the client; return the seconds of the fetch, None when it failed."""
    async with client(profile) as port:
        return await get(port, to, size, within_s=within_s)


# --- a core to drive ---


class Lab:
    """A managed core with its desired state in memory, a target and an origin."""

    def __init__(self, directory: Path, target_port: int, origin_port: int, options: XrayOptions) -> None:
        pair = keys.generate()
        self.directory = directory
        self.origin = ("127.0.0.1", origin_port)
        self.inbound = XrayInbound(
            tag="shared",
            listen="127.0.0.1",
            port=free_loopback_port(),
            private_key=pair.private_key,
            public_key=pair.public_key,
            target=f"127.0.0.1:{target_port}",
            server_names=(SERVER_NAME,),
            short_ids=(SHORT_ID,),
            min_client_version="1.0.0",
        )
        self.behind: XrayInbound | None = None
        self.users: dict[str, XrayUser] = {}
        self.own: dict[str, XrayInbound] = {}
        self.limits: dict[str, int] = {}
        self.address_limits: dict[str, int] = {}
        self.loads = 0
        self.fail_loads = 0
        self.without_inbound = False
        self.close_target: Callable[[], Awaitable[None]]
        self.final_readings: list[Reading] = []
        self.options = options
        self.found = binary()
        self.driver = self._driver()

    def renew(self) -> None:
        """Drive the core anew, as the next API does."""
        self.options = replace(self.options, keeper=Keepers(self.options.keeper.place, clock=SystemClock()))
        self.driver = self._driver()

    def _driver(self) -> ManagedXray:
        return ManagedXray(
            binary(),
            self.options,
            load=self.load,
            clock=SystemClock(),
            ids=RandomIds(),
            find=lambda: self.found,
            on_final_reading=self._keep_reading,
        )

    @property
    def desired(self) -> XrayDesired:
        if self.without_inbound:
            return XrayDesired((), {})
        shared = {label: user for label, user in self.users.items() if label not in self.own}
        live = {one.tag: {label: self.users[label]} for label, one in self.own.items() if label in self.users}
        inbounds = (self.inbound, *(one for one in self.own.values() if one.tag in live))
        if self.behind is not None:
            live[self.behind.tag] = dict(self.users)
            inbounds = (*inbounds, self.behind)
        return XrayDesired(
            inbounds,
            {"shared": shared, **live},
            limits=dict(self.limits),
            address_limits=dict(self.address_limits),
        )

    async def load(self) -> XrayDesired:
        self.loads += 1
        if self.loads <= self.fail_loads:
            raise StorageBusy("the database is locked")
        return self.desired

    async def _keep_reading(self, reading: Reading) -> None:
        self.final_readings.append(reading)

    def want(self, label: str, uuid_text: str | None = None, flow: str = VISION) -> XrayUser:
        """Desire a user; the core learns of it only by a step or a start."""
        self.users[label] = XrayUser(label, uuid_text or str(uuid.uuid4()), flow)
        return self.users[label]

    async def add(self, label: str) -> XrayUser:
        """Desire a user and tell the core, as the loop does for a marked change."""
        user = self.want(label)
        outcomes = await self.driver.apply_marked(self.part(label), [label])
        assert outcomes == {label: None}
        return user

    async def open(self, label: str, *, port: int | None = None, server_name: str = SERVER_NAME) -> XrayUser:
        """Desire a user with a port and a short id of its own and tell the core."""
        chosen = port or free_loopback_port()
        tag = f"{LIVE_TAG_PREFIX}{chosen}"
        short_id = RandomIds().hex(8)
        self.own[label] = replace(
            self.inbound, tag=tag, port=chosen, server_names=(server_name,), short_ids=(short_id,)
        )
        return await self.add(label)

    async def remove(self, label: str) -> None:
        """Desire a user no more and tell the core."""
        del self.users[label]
        outcomes = await self.driver.apply_marked(self.part(label), [label])
        assert outcomes == {label: None}

    async def replace(self, kind: Kind = Kind.RESTART, *, has_new_keeper: bool = False) -> Replacement:
        """Put another process in the place of the one that serves, as the loop does for a person."""
        planned = await self.driver.replacing.plan("xray/main", Wish(kind, has_new_keeper))
        await self.driver.replacing.prepare(planned, self.desired)
        await self.driver.replacing.carry_out(planned, self.desired)
        return planned

    def part(self, *labels: str) -> XrayDesired:
        """Return the desired state of some labels, as the loop reads it."""
        present = {label: self.users[label] for label in labels if label in self.users}
        own = {label: self.own[label] for label in labels if label in self.own}
        shared = {label: user for label, user in present.items() if label not in own}
        live = {own[label].tag: {label: user} for label, user in present.items() if label in own}
        if self.behind is not None:
            live[self.behind.tag] = present
        inbounds = tuple(one for one in own.values() if one.tag in live)
        absent = frozenset(labels) - set(present)
        leaving = {label: [own[label].tag] for label in absent if label in own}
        addresses = {label: limit for label, limit in self.address_limits.items() if label in present}
        return XrayDesired(inbounds, {"shared": shared, **live}, absent, address_limits=addresses, leaving=leaving)

    def rotate(self) -> None:
        """Desire a new pair in front of the present one, on the shared port and on every own one."""
        pair, tag = keys.generate(), f"{BEHIND_TAG_PREFIX}1"
        short_ids = {short_id for one in (self.inbound, *self.own.values()) for short_id in one.short_ids}
        self.behind = replace(self.inbound, tag=tag, port=0, short_ids=tuple(sorted(short_ids)))
        renewed = {"private_key": pair.private_key, "public_key": pair.public_key, "behind": tag}
        self.inbound = replace(self.inbound, **renewed)  # type: ignore[arg-type]  # three fields of their types
        self.own = {label: replace(one, **renewed) for label, one in self.own.items()}  # type: ignore[arg-type]

    def retire(self) -> None:
        """Desire the pair that stands behind no more."""
        self.behind = None
        self.inbound = replace(self.inbound, behind="")
        self.own = {label: replace(one, behind="") for label, one in self.own.items()}

    def profile(self, user: XrayUser) -> Profile:
        """Return what a client of this user needs."""
        inbound = self.own.get(user.label, self.inbound)
        return Profile(
            "127.0.0.1",
            inbound.port,
            user.uuid,
            inbound.public_key,
            inbound.short_ids[0],
            inbound.server_names[0],
            flow=user.flow,
        )

    async def ready(self, within_s: float = 20.0) -> None:
        """Wait until the driver says ready."""
        async with asyncio.timeout(within_s):
            while self.driver.status().health.condition is not Condition.READY:
                await self.driver.when_warmth_changes()

    async def dial(self, user: XrayUser, *, within_s: float = 15.0) -> float | None:
        """Connect as this user with a real client and fetch from the origin; None when refused."""
        return await dial(self.profile(user), self.origin, within_s=within_s)


def keeper_place(directory: Path, *, is_attached: bool = True, without: tuple[str, ...] = ()) -> KeeperPlace:
    """Return where a laboratory's keeper lives; it ends with the laboratory unless told otherwise."""
    run = directory / "run"
    return KeeperPlace(run / "k.sock", directory / "xray.log", directory / "keeper.log", is_attached, without)


def options(
    directory: Path,
    place: KeeperPlace,
    *,
    settings: XraySettings = LOOPBACK_OPEN,
    environment: Mapping[str, str] | None = None,
    **patience: float,
) -> XrayOptions:
    """Return how a laboratory's core is driven."""
    return XrayOptions(
        socket=directory / "run" / "x.sock",
        keeper=Keepers(place, clock=SystemClock()),
        settings=settings,
        environment=environment or {},
        patience=Patience(**{"probe_every_s": 0.2, **patience}),
    )


@asynccontextmanager
async def lab(
    directory: Path,
    *,
    is_trusted: bool = False,
    is_started: bool = True,
    is_attached: bool = True,
    settings: XraySettings = LOOPBACK_OPEN,
    without: tuple[str, ...] = (),
    **patience: float,
) -> AsyncIterator[Lab]:
    """Run a laboratory; the core is started (and ready) unless told otherwise."""
    directory.mkdir(exist_ok=True)
    certificate_path, key_path = write_certificate(directory, SERVER_NAME, "other.test")
    socket_directory = directory / "run"
    socket_directory.mkdir(mode=0o700, exist_ok=True)
    environment = {"SSL_CERT_FILE": str(certificate_path)} if is_trusted else {}
    chosen = options(
        directory,
        keeper_place(directory, is_attached=is_attached, without=without),
        settings=settings,
        environment=environment,
        **patience,
    )
    context = tls_1_3(certificate_path, key_path)
    async with AsyncExitStack() as target, serving(origin) as origin_port:
        target_port = await target.enter_async_context(serving(silent_site, context))
        made = Lab(directory, target_port, origin_port, chosen)
        made.close_target = target.aclose
        if is_started:
            await made.driver.start()
            await made.ready()
        try:
            yield made
        finally:
            if not is_attached:
                with suppress(EngineUnavailable):
                    await made.options.keeper.end()
            await made.driver.stop()


def command_lines() -> str:
    """Return every process's command line: what anybody on the machine can read."""
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
