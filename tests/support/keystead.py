"""A real Keystead in a process of its own, started as a user would: settings in the environment, HTTP from outside.

With it come a REALITY target and an origin on loopback, so that a key's link can be dialled by a real client.
"""

import asyncio
import atexit
import json
import os
import random
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import create_engine, text

from keystead.engines.xray.client import XrayClient
from keystead.engines.xray.state import OWN_LABEL_PREFIX, is_live
from keystead.keeper import protocol
from keystead.keeper.ports import free_loopback_port
from keystead.kit.errors import EngineUnavailable, NotFound
from keystead.kit.files import noted_directory
from tests.support import databases, shares, xray
from tests.support.postgres import PostgresServer, running_postgres

START_S = 30.0


@dataclass
class World:
    """What is outside Keystead: a target for REALITY, an origin to fetch from, and the certificate of the target."""

    target_port: int
    origin: tuple[str, int]
    certificate: Path


@dataclass
class Keystead:
    """A running instance, its settings and its HTTP client (with the first token as Bearer)."""

    world: World
    data_dir: Path
    port: int
    vpn_port: int
    environment: dict[str, str]
    database_url: str
    process: asyncio.subprocess.Process | None = None
    http: httpx2.AsyncClient = field(default_factory=httpx2.AsyncClient)
    is_detached: bool = False

    @property
    def url(self) -> str:
        scheme = "http" if self.environment.get("KEYSTEAD_TLS", "off") == "off" else "https"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.data_dir / "first-token").read_text().strip()

    async def start(self, *, within_s: float = START_S) -> None:
        """Start the process and wait until the API answers; the engine may still be warming up."""
        log = (self.data_dir.parent / "keystead.log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "keystead",
            "serve",
            *(() if self.is_detached else ("--foreground",)),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=self.data_dir.parent,
        )
        log.close()
        async with asyncio.timeout(within_s):
            await self._until_answering()
        await self.http.aclose()
        self.http = httpx2.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=30.0, verify=False
        )

    async def _until_answering(self) -> None:
        async with httpx2.AsyncClient(verify=False) as anonymous:
            while True:
                assert self.process is not None
                assert self.process.returncode is None, self.log()
                try:
                    await anonymous.get(f"{self.url}/")
                except httpx2.HTTPError:
                    await asyncio.sleep(0.05)
                else:
                    return

    async def ready(self, *, within_s: float = START_S) -> None:
        """Wait until /health says ok."""
        async with asyncio.timeout(within_s):
            while (await self.http.get("/health")).json()["status"] != "ok":
                await asyncio.sleep(0.1)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to the Keystead process alone and wait for its end."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)
            await self.process.wait()
        self.process = None

    async def create(self, name: str | None = None) -> dict[str, Any]:
        """Create a key over the wire; it must succeed."""
        answer = await self.http.post("/api/keys", json={"name": name})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def profile(self, key_id: object) -> xray.Profile:
        """Return what a client program reads out of a key's link."""
        answer = await self.http.get(f"/api/keys/{key_id}/link")
        assert answer.status_code == 200, answer.text
        return xray.linked(answer.json()["vless_link"])

    async def dial(self, key_id: object, size: int = 1000, *, within_s: float = 15.0) -> float | None:
        """Fetch through the tunnel with a real client built from the key's link; None when it is refused."""
        return await xray.dial(await self.profile(key_id), self.world.origin, size, within_s=within_s)

    async def listed(self) -> dict[int, dict[str, Any]]:
        """Return the keys that the wire shows, by number."""
        answer = await self.http.get("/api/keys")
        assert answer.status_code == 200, answer.text
        return {key["key_id"]: key for key in answer.json()["keys"]}

    async def engine_users(self, socket: Path | None = None) -> set[str]:
        """Return the labels the core itself says it has (GetInboundUsers), Keystead's own left out."""
        client = XrayClient.on_socket(socket or self.data_dir / "run" / "xray.sock", timeout_s=5.0)
        try:
            tags = ["shared", *(tag for tag in await client.inbound_tags() if is_live(tag))]
            held = [label for tag in tags for label in await client.users(tag)]
            return {label for label in held if not label.startswith(OWN_LABEL_PREFIX)}
        finally:
            await client.close()

    def database_labels(self) -> dict[str, str]:
        """Return label and state of every key the database holds."""
        engine = create_engine(self.database_url)
        try:
            with engine.connect() as connection:
                return {row[0]: row[1] for row in connection.execute(text("SELECT label, state FROM vpn_keys"))}
        finally:
            engine.dispose()

    async def until_agreed(self, *, within_s: float = 10.0, socket: Path | None = None) -> None:
        """Wait until database and core hold the same keys, all of them live."""
        labels: dict[str, str] = {}
        users: set[str] = set()
        try:
            async with asyncio.timeout(within_s):
                while True:
                    labels = self.database_labels()
                    with suppress(EngineUnavailable, NotFound):
                        users = await self.engine_users(socket)
                        if set(labels.values()) <= {"live"} and set(labels) == users:
                            return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"database {labels}, engine {users}\n{self.log()[-3000:]}") from None

    def core_pid(self) -> int:
        """Return the process id of this instance's Xray."""
        [core] = self.keeper_says()["cores"]
        assert core["pid"] is not None, self.log()
        return int(core["pid"])

    def keeper_says(self) -> dict[str, Any]:
        """Return the keeper's own account of itself and its cores."""
        return self._ask_keeper("hello")

    def end_engine(self) -> None:
        """End a detached keeper and its cores."""
        with suppress(OSError):
            self._ask_keeper("end")

    def _ask_keeper(self, verb: str) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(str(noted_directory(self.data_dir / "run") / protocol.SOCKET_NAME))
            wire.sendall(protocol.frame({"id": 1, "verb": verb}))
            with wire.makefile("rb") as answers:
                while "answer" not in (said := json.loads(answers.read(int.from_bytes(answers.read(4), "big")))):
                    continue
        answer: dict[str, Any] = said["answer"]
        return answer

    def log(self) -> str:
        """Return everything the process has printed."""
        return (self.data_dir.parent / "keystead.log").read_text()


@asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    """Run a target and an origin."""
    certificate, key = xray.write_certificate(directory, xray.SERVER_NAME)
    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(xray.serving(xray.silent_site, xray.tls_1_3(certificate, key)))
        origin = await stack.enter_async_context(xray.serving(xray.origin))
        yield World(target, ("127.0.0.1", origin), certificate)


@asynccontextmanager
async def keystead(
    directory: Path, *, is_started: bool = True, is_trusted: bool = False, is_detached: bool = False, **settings: str
) -> AsyncIterator[Keystead]:
    """Run a world and an instance in it; ``settings`` are environment variables by full name.

    With ``is_detached`` the engine outlives the instance, until the end of this context.

    With ``is_trusted`` the core believes the target's certificate, and its first dial takes the real five seconds.
    """
    async with AsyncExitStack() as stack:
        outside = await stack.enter_async_context(world(directory))
        url = settings.get("KEYSTEAD_DATABASE_URL") or stack.enter_context(fresh_database(directory))
        settings = {"KEYSTEAD_DATABASE_URL": url, **settings}
        made = _instance(directory, outside, is_trusted=is_trusted, settings=settings)
        made.is_detached = is_detached
        try:
            if is_started:
                await made.start()
                await made.ready()
            yield made
        finally:
            await made.stop()
            if is_detached:
                made.end_engine()
            await made.http.aclose()


def _instance(directory: Path, outside: World, *, is_trusted: bool, settings: Mapping[str, str]) -> Keystead:
    port, vpn_port = free_loopback_port(), free_loopback_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("KEYSTEAD_") or "CACHE" in name},
        "KEYSTEAD_DATA_DIR": str(directory / "data"),
        "KEYSTEAD_PORT": str(port),
        "KEYSTEAD_PUBLIC_HOST": "127.0.0.1",
        "KEYSTEAD_VPN_HOST": "127.0.0.1",
        "KEYSTEAD_VPN_PORT": str(vpn_port),
        "KEYSTEAD_VPN_PORTS": port_range(),
        "KEYSTEAD_VPN_ALLOW_PRIVATE": "127.0.0.0/8",
        "KEYSTEAD_REALITY_TARGET": f"127.0.0.1:{outside.target_port}",
        "KEYSTEAD_REALITY_SERVER_NAMES": xray.SERVER_NAME,
        **({"KEYSTEAD_XRAY_TRUSTED_CERTIFICATES": str(outside.certificate)} if is_trusted else {}),
        **settings,
    }
    return Keystead(
        outside,
        Path(environment["KEYSTEAD_DATA_DIR"]),
        int(environment["KEYSTEAD_PORT"]),
        int(environment["KEYSTEAD_VPN_PORT"]),
        environment,
        environment["KEYSTEAD_DATABASE_URL"],
    )


def port_range(size: int = 100, *, without: int = 0) -> str:
    """Return ports for keys of this instance alone, below those that the kernel deals out; ``without`` is not of them.

    Tests begin with the same seed throughout a run, so that runs beside each other choose from ranges of their own.
    """
    own = 2 * databases.BACKENDS.index(databases.chosen_backend()) + (shares.chosen_share() is shares.Share.REST)
    lowest = 11_000 + 5_000 * own
    first = random.choice([port for port in range(lowest, lowest + 5_000 - size) if not port <= without < port + size])
    return f"{first}-{first + size - 1}"


@contextmanager
def fresh_database(directory: Path) -> Iterator[str]:
    """Return the URL of an empty database on the engine that ``KEYSTEAD_TEST_DATABASE`` names."""
    if databases.chosen_backend() == "sqlite":
        yield f"sqlite:///{directory / 'data' / 'keystead.db'}"
        return
    server, name = _postgres(), f"e2e_{uuid.uuid4().hex}"
    server.execute(f'CREATE DATABASE "{name}"')
    try:
        yield server.url(name)
    finally:
        server.drop(name)


@cache
def _postgres() -> PostgresServer:
    """Start one server for the whole run, ended with the interpreter."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running_postgres())
