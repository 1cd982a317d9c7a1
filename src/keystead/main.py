"""The composition root: builds one instance of Keystead from its settings and runs it. Everything is wired here.

The only place that knows engines' drivers, and the only one that opens the database for serving.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from keystead import founding
from keystead.access import datakeys, idempotency, rotation
from keystead.access.datakeys import OpenKeys, RootKey
from keystead.access.gate import TokenDoor
from keystead.access.upkeep import Upkeep
from keystead.db import migrate
from keystead.db.session import Database, open_database
from keystead.engines.xray import binary, install
from keystead.engines.xray.driver import ManagedXray, XrayOptions
from keystead.engines.xray.external import ExternalOptions, ExternalXray
from keystead.engines.xray.plan import plan as plan_xray
from keystead.engines.xray.state import Reading, XrayDesired, XraySettings
from keystead.founding import Foundation
from keystead.http import server, tls
from keystead.http.connection_operations import ConnectionOperations
from keystead.http.doors import Door
from keystead.http.metrics import Metrics
from keystead.http.operations import VpnOperations
from keystead.http.transaction import Transactions
from keystead.keeper import protocol
from keystead.keeper.link import KeeperPlace
from keystead.kit import names
from keystead.kit.clock import Clock, SystemClock
from keystead.kit.errors import Misconfigured
from keystead.kit.files import exclusive_lock, private_directory, socket_directory
from keystead.kit.ids import Ids, RandomIds
from keystead.kit.loops import keep_running
from keystead.reconcile.confirming import ScopeWiring
from keystead.reconcile.loop import Reconciler
from keystead.settings import Settings
from keystead.vpn import traffic
from keystead.vpn.desired import XraySource
from keystead.vpn.meter import Meter
from keystead.vpn.sealed import SEALED_COLUMNS
from keystead.vpn.sightings import Sightings
from keystead.vpn.targets import TargetWatch

SCOPE = "xray/main"
LOCAL_SOCKET = "control.sock"
ENGINE_SOCKET = "xray.sock"
_MIN_CLIENT_VERSION = {"compatible": "1.0.0", "strict": "26.3.27"}


# The core is ours to run, or somebody else runs it.
Xray = ManagedXray | ExternalXray


@dataclass
class Instance:
    """One running Keystead."""

    settings: Settings
    foundation: Foundation
    database: Database
    driver: Xray
    reconciler: Reconciler
    targets: TargetWatch
    operations: VpnOperations
    door: Door
    local_door: Door
    run_dir: Path


@asynccontextmanager
async def open_instance(settings: Settings, *, is_foreground: bool = False) -> AsyncIterator[Instance]:
    """Build an instance, run its background work, and take everything down in order at the end.

    The engine's process belongs to its keeper and goes on without us, unless this is a run in the foreground.

    Raises Misconfigured, telling what to change, before anything is served.
    """
    clock, ids = SystemClock(), RandomIds()
    async with AsyncExitStack() as stack:
        data_dir = _data_directory(settings)
        stack.enter_context(exclusive_lock(data_dir / "keystead.lock", held_by="Keystead"))
        migrate.upgrade(settings.sqlalchemy_url)
        database = open_database(settings.sqlalchemy_url, synchronous=settings.database_synchronous)
        stack.callback(database.close)
        root = founding.load_root(settings)
        keys = await database.write(lambda connection: datakeys.open_keys(connection, root, clock.now()))
        if keys.is_rotation_unfinished:
            root = (await rotation.rotate(database, root, keys.ring, SEALED_COLUMNS, clock=clock)).root
        await database.write(idempotency.abandon_running)
        foundation = await founding.found(settings, database, keys=keys.ring, clock=clock, ids=ids, scope=SCOPE)
        builder = _Builder(settings, database, keys, root, foundation, clock, ids)
        run_dir = socket_directory(data_dir / "run", longest_name=len(LOCAL_SOCKET))
        driver = builder.driver(run_dir, is_attached=is_foreground)
        await driver.start()
        stack.push_async_callback(driver.stop)
        # The core reads its configuration while the other half of us is imported and wired.
        instance = await asyncio.to_thread(builder.build, driver, run_dir)
        stack.push_async_callback(builder.upkeep.finish)
        stack.push_async_callback(instance.operations.undoing.finish)
        background = asyncio.create_task(builder.run_background(instance))
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


async def serve(instance: Instance, listener: socket.socket, stopping: asyncio.Event) -> None:
    """Answer on the public port and on the local socket until told to stop."""
    local = server.listen_local(instance.run_dir / LOCAL_SOCKET)
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


def find_binary(settings: Settings) -> binary.Binary:
    """Return the Xray to run and why it is this one; raise Misconfigured when there is none."""
    cached = install.binary_path(install.XRAY, settings.engines_cache_dir)
    return binary.find(named=settings.xray_path, cached=cached)


class _Builder:
    """Wire an instance together."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        keys: OpenKeys,
        root: RootKey,
        foundation: Foundation,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._settings = settings
        self._database = database
        self._keys = keys
        self._root = root
        self._foundation = foundation
        self._clock = clock
        self._ids = ids
        self._gate = TokenDoor(clock)
        self._xray_settings = XraySettings(settings.vpn_allow_private, is_mail_open=settings.vpn_allow_smtp)
        self._source = XraySource(
            SCOPE, keys=keys.ring, min_client_version=_MIN_CLIENT_VERSION[settings.vpn_client_versions]
        )
        self.upkeep = Upkeep(database, self._gate, clock, audit_key=keys.audit_key, data_dir=settings.data_dir)

    def build(self, driver: Xray, run_dir: Path) -> Instance:
        settings, database = self._settings, self._database
        wiring = ScopeWiring(SCOPE, driver, self._source, partial(plan_xray, settings=self._xray_settings))
        reconciler = Reconciler([wiring], database=database, clock=self._clock)
        self._meter = Meter(SCOPE, driver, database=database, clock=self._clock)
        targets = TargetWatch(
            founding.examiner(
                settings,
                database,
                self._foundation,
                keys=self._keys.ring,
                clock=self._clock,
                ids=self._ids,
                scope=SCOPE,
                on_founded=lambda: reconciler.wake_fully(SCOPE),
            ),
            self._clock,
        )
        transactions = Transactions(
            database=database, clock=self._clock, ids=self._ids, keys=self._keys.ring, reconciler=reconciler
        )
        self._sightings = Sightings(
            driver.watching, database=database, clock=self._clock, addresses_kept_s=settings.vpn_addresses_kept_s
        )
        operations = VpnOperations(transactions, self._meter, targets, public_host=self._foundation.public_host)
        door, local_door = self._doors(driver, reconciler, transactions, operations, targets)
        return Instance(
            settings,
            self._foundation,
            database,
            driver,
            reconciler,
            targets,
            operations,
            door,
            local_door,
            run_dir,
        )

    async def run_background(self, instance: Instance) -> None:
        """Run every loop until cancelled; one that crashes is logged and begun again."""
        loops: dict[str, Callable[[], Awaitable[object]]] = {
            "reconciler": instance.reconciler.run,
            "meter": partial(self._meter.run, self._settings.traffic_sync_s),
            "target watch": instance.targets.run,
            "sightings": self._sightings.run,
            "upkeep": self.upkeep.run,
            "undoing": instance.operations.undoing.run,
        }
        async with asyncio.TaskGroup() as group:
            for name, run in loops.items():
                group.create_task(keep_running(name, run, self._clock), name=name)

    def driver(self, run_dir: Path, *, is_attached: bool) -> Xray:
        settings = self._settings
        if settings.xray_api is not None and settings.xray_config is not None:
            external = ExternalOptions(settings.xray_api, settings.xray_config, settings=self._xray_settings)
            return ExternalXray(
                find_binary(settings), external, load=self._load, clock=self._clock, known=self._known_processes
            )
        options = XrayOptions(
            socket=run_dir / ENGINE_SOCKET,
            keeper=KeeperPlace(
                run_dir / protocol.SOCKET_NAME,
                core_log=settings.data_dir / "xray.log",
                log=settings.data_dir / "keeper.log",
                is_attached=is_attached,
                without=settings.keeper_without,
            ),
            settings=self._xray_settings,
            environment=_engine_environment(settings),
        )
        return ManagedXray(
            find_binary(settings),
            options,
            load=self._load,
            clock=self._clock,
            ids=self._ids,
            on_final_reading=self._book_final,
        )

    async def _load(self) -> XrayDesired:
        return await self._database.read(self._source.desired)

    async def _known_processes(self) -> set[str]:
        return await self._database.read(traffic.processes)

    async def _book_final(self, reading: Reading) -> None:
        def unit(connection: Connection) -> int:
            return traffic.book_all(connection, SCOPE, reading, self._clock.now())

        await self._database.write(unit)

    def _doors(
        self,
        driver: Xray,
        reconciler: Reconciler,
        transactions: Transactions,
        operations: VpnOperations,
        targets: TargetWatch,
    ) -> tuple[Door, Door]:
        from keystead.mounts import Mounts, Parts

        settings = self._settings
        metrics = Metrics()
        parts = Parts(
            settings=settings,
            foundation=self._foundation,
            database=self._database,
            keys=self._keys,
            root=self._root,
            gate=self._gate,
            driver=driver,
            reconciler=reconciler,
            transactions=transactions,
            vpn=operations,
            connections=ConnectionOperations(transactions, driver.watching, self._sightings),
            targets=targets,
            metrics=metrics,
            clock=self._clock,
            scope=SCOPE,
        )
        mounts = Mounts(parts).all()
        trusted = [names.network(text) for text in settings.trusted_proxies]
        return (
            Door(mounts, ids=self._ids, metrics=metrics, trusted=trusted),
            Door(mounts, ids=self._ids, metrics=metrics, trusted=(), is_local=True),
        )


def _data_directory(settings: Settings) -> Path:
    try:
        return private_directory(settings.data_dir)
    except Misconfigured as error:
        raise Misconfigured(
            f"KEYSTEAD_DATA_DIR: {error.message}; name a directory of your own, "
            "for example KEYSTEAD_DATA_DIR=/var/lib/keystead"
        ) from error


def _tls_files(settings: Settings) -> server.TlsFiles | None:
    if settings.tls == "files" and settings.tls_certificate and settings.tls_key:
        return server.TlsFiles(settings.tls_certificate, settings.tls_key)
    if settings.tls == "self-signed":
        return server.TlsFiles(*tls.self_signed(settings.data_dir / "tls", settings.public_host or settings.host))
    return None


def _engine_environment(settings: Settings) -> dict[str, str]:
    trusted = settings.xray_trusted_certificates
    return {} if trusted is None else {"SSL_CERT_FILE": str(trusted)}


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
