"""The composition root: builds one instance of Keystead from its settings and runs it. Everything is wired here.

The only place that knows engines' drivers, and the only one that opens the database for serving.

A start has two halves. This file is the first: whatever the core's configuration is made of, and nothing else, since
customers wait for the core. The second is ``wiring.py``, imported while the core reads its configuration. What must not
be imported before that is held by ``tests/architecture/test_start.py``.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from keystead import founding
from keystead.access import datakeys, idempotency
from keystead.access.datakeys import OpenKeys, RootKey
from keystead.db import migrate
from keystead.db.session import Database, open_database
from keystead.engines.xray import binary, install
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.driver import ManagedXray
from keystead.engines.xray.options import XrayOptions
from keystead.engines.xray.state import Reading, XrayDesired, XraySettings
from keystead.founding import Ground
from keystead.http.listening import listen_local
from keystead.keeper import protocol
from keystead.keeper.keepers import Keepers
from keystead.keeper.link import KeeperPlace
from keystead.kit.clock import Clock, SystemClock
from keystead.kit.errors import Misconfigured
from keystead.kit.files import exclusive_lock, private_directory, socket_directory
from keystead.kit.ids import RandomIds
from keystead.settings import Settings
from keystead.vpn.desired import XraySource

if TYPE_CHECKING:
    from keystead.http import server
    from keystead.wiring import Instance, Xray

SCOPE = "xray/main"
LOCAL_SOCKET = "control.sock"
ENGINE_SOCKET = "xray.sock"
_MIN_CLIENT_VERSION = {"compatible": "1.0.0", "strict": "26.3.27"}


@asynccontextmanager
async def open_instance(settings: Settings, *, is_foreground: bool = False) -> "AsyncIterator[Instance]":
    """Build an instance, run its background work, and take everything down in order at the end.

    The engine's process belongs to its keeper and goes on without us, unless this is a run in the foreground.

    Raises Misconfigured, telling what to change, before anything is served.
    """
    clock, ids = SystemClock(), RandomIds()
    async with AsyncExitStack() as stack:
        data_dir = _data_directory(settings)
        stack.enter_context(exclusive_lock(data_dir / "keystead.lock", held_by="Keystead"))
        run_dir = socket_directory(data_dir / "run", longest_name=len(LOCAL_SOCKET))
        # A keeper to start and a program to ask for its version each take as long as all that is asked of the database.
        keeper = _keeper(settings, run_dir, clock, is_attached=is_foreground)
        stack.push_async_callback(keeper.abandon)
        finding = asyncio.get_running_loop().run_in_executor(None, find_binary, settings)
        stack.push_async_callback(_ended, finding)
        migrate.upgrade(settings.sqlalchemy_url)
        database = open_database(settings.sqlalchemy_url, synchronous=settings.database_synchronous)
        stack.callback(database.close)
        root = founding.load_root(settings)
        keys = await database.write(lambda connection: datakeys.open_keys(connection, root, clock.now()))
        if keys.is_rotation_unfinished:
            root = await _finish_rotation(database, root, keys, clock)
        await database.write(idempotency.abandon_running)
        foundation = await founding.found(settings, database, keys=keys.ring, clock=clock, ids=ids, scope=SCOPE)
        ground = Ground(settings, foundation, database, keys, root, clock, ids, SCOPE)
        builder = _Builder(ground)
        driver = builder.driver(await finding, run_dir, keeper)
        stack.push_async_callback(driver.stop)
        await driver.start()
        # The core reads its configuration while the other half of us is imported and wired.
        instance = await asyncio.to_thread(builder.build, driver, run_dir)
        stack.push_async_callback(instance.upkeep.finish)
        stack.push_async_callback(instance.operations.undoing.finish)
        background = asyncio.create_task(instance.run_background())
        stack.push_async_callback(_cancelled, background)
        yield instance


def check_exposure(settings: Settings) -> None:
    """Refuse plain HTTP where others can listen, unless it is meant."""
    is_meant = settings.allow_plain_http or settings.trusted_proxies
    if settings.tls == "off" and settings.is_reachable_by_others and not is_meant:
        raise Misconfigured(
            f"KEYSTEAD_HOST: {settings.host} can be reached by others, and tokens would travel in the clear; set "
            "KEYSTEAD_TLS=self-signed (or files), name your reverse proxy in KEYSTEAD_TRUSTED_PROXIES, "
            "or say KEYSTEAD_ALLOW_PLAIN_HTTP=true"
        )


def check_tls_files(settings: Settings) -> None:
    """Refuse a certificate and key that cannot be served, before anything is started."""
    if settings.tls != "files" or settings.tls_certificate is None:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as error:  # ssl.SSLError among them
        raise Misconfigured(
            f"KEYSTEAD_TLS_CERTIFICATE={settings.tls_certificate} with KEYSTEAD_TLS_KEY={settings.tls_key} cannot be "
            f"served: {error.strerror or error}; name a certificate chain and its key in PEM, or set "
            "KEYSTEAD_TLS=self-signed"
        ) from error


async def serve(instance: "Instance", listener: socket.socket, stopping: asyncio.Event) -> None:
    """Answer on the public port and on the local socket until told to stop."""
    from keystead.http import server

    local = listen_local(instance.run_dir / LOCAL_SOCKET)
    try:
        await server.serve(
            [
                (server.make_server(instance.door, _tls_files(instance.settings)), listener),
                (server.make_server(instance.local_door, None), local),
            ],
            stopping,
        )
    finally:
        (instance.run_dir / LOCAL_SOCKET).unlink(missing_ok=True)


def find_binary(settings: Settings) -> Binary:
    """Return the Xray to run and why it is this one; raise Misconfigured when there is none."""
    cached = install.binary_path(install.XRAY, settings.engines_cache_dir)
    return binary.find(named=settings.xray_path, cached=cached)


class _Builder:
    """Make what an instance is wired of, from what its start has opened."""

    def __init__(self, ground: Ground) -> None:
        settings = ground.settings
        self._ground = ground
        self._settings = settings
        self._database = ground.database
        self._clock = ground.clock
        self._xray_settings = XraySettings(settings.vpn_allow_private, is_mail_open=settings.vpn_allow_smtp)
        self._source = XraySource(
            SCOPE,
            keys=ground.keys.ring,
            clock=ground.clock,
            ids=ground.ids,
            min_client_version=_MIN_CLIENT_VERSION[settings.vpn_client_versions],
        )

    def build(self, driver: "Xray", run_dir: Path) -> "Instance":
        from keystead import wiring

        return wiring.wire(
            self._ground, driver, source=self._source, xray_settings=self._xray_settings, run_dir=run_dir
        )

    def driver(self, program: Binary, run_dir: Path, keeper: Keepers) -> "Xray":
        settings = self._settings
        if settings.xray_api is not None and settings.xray_config is not None:
            from keystead.engines.xray.external import ExternalOptions, ExternalXray

            external = ExternalOptions(settings.xray_api, settings.xray_config, settings=self._xray_settings)
            return ExternalXray(program, external, load=self._load, clock=self._clock, known=self._known_processes)
        options = XrayOptions(
            socket=run_dir / ENGINE_SOCKET,
            keeper=keeper,
            settings=self._xray_settings,
            environment=_engine_environment(settings),
        )
        return ManagedXray(
            program,
            options,
            load=self._load,
            clock=self._clock,
            ids=self._ground.ids,
            find=partial(find_binary, settings),
            on_final_reading=self._book_final,
        )

    async def _load(self) -> XrayDesired:
        return await self._database.read(self._source.desired)

    async def _known_processes(self) -> set[str]:
        from keystead.vpn import traffic

        return await self._database.read(traffic.processes)

    async def _book_final(self, reading: Reading) -> None:
        from keystead.vpn import booking

        def unit(connection: Connection) -> int:
            return booking.book_all(connection, SCOPE, reading, self._clock.now())

        await self._database.write(unit)


def _data_directory(settings: Settings) -> Path:
    try:
        return private_directory(settings.data_dir)
    except Misconfigured as error:
        raise Misconfigured(
            f"KEYSTEAD_DATA_DIR: {error.message}; name a directory of your own, "
            "for example KEYSTEAD_DATA_DIR=/var/lib/keystead"
        ) from error


async def _finish_rotation(database: Database, root: RootKey, keys: OpenKeys, clock: Clock) -> RootKey:
    from keystead.access import rotation
    from keystead.sealing import SEALED_COLUMNS

    return (await rotation.rotate(database, root, keys.ring, SEALED_COLUMNS, clock=clock)).root


def _keeper(settings: Settings, run_dir: Path, clock: Clock, *, is_attached: bool) -> Keepers:
    place = KeeperPlace(
        run_dir / protocol.SOCKET_NAME,
        core_log=settings.data_dir / "xray.log",
        log=settings.data_dir / "keeper.log",
        is_attached=is_attached,
        without=settings.keeper_without,
    )
    keepers = Keepers(place, clock=clock)
    if settings.xray_api is None:
        keepers.start_early()
    return keepers


def _tls_files(settings: Settings) -> "server.TlsFiles | None":
    from keystead.http import server, tls

    if settings.tls == "files" and settings.tls_certificate and settings.tls_key:
        return server.TlsFiles(settings.tls_certificate, settings.tls_key)
    if settings.tls == "self-signed":
        return server.TlsFiles(*tls.self_signed(settings.data_dir / "tls", settings.public_host or settings.host))
    return None


def _engine_environment(settings: Settings) -> dict[str, str]:
    trusted = settings.xray_trusted_certificates
    return {} if trusted is None else {"SSL_CERT_FILE": str(trusted)}


async def _ended(finding: asyncio.Future[Binary]) -> None:
    """Wait for what may have failed beside an earlier failure, which is the one to tell."""
    await asyncio.gather(finding, return_exceptions=True)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
