"""The composition root: builds one instance of Keystead from its settings and runs it. Everything is wired here.

The only place that knows engines' drivers, and the only one that opens the database for serving.

Customers wait for the core, so a start is three files, each imported when its turn has come. This one imports next to
nothing and starts the keeper. ``opening.py`` is imported meanwhile: the database, and whatever the core's configuration
is made of. ``wiring.py`` is all the rest, imported while the core reads its configuration. What must not be imported
when is held by ``tests/architecture/test_start.py``.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from keystead.engines.xray import binary, install
from keystead.engines.xray.binary import Binary
from keystead.http.listening import listen_local
from keystead.keeper import protocol
from keystead.keeper.keepers import Keepers
from keystead.keeper.link import KeeperPlace
from keystead.kit import names
from keystead.kit.clock import SystemClock
from keystead.kit.errors import Misconfigured
from keystead.kit.files import exclusive_lock, private_directory, socket_directory
from keystead.kit.waiting import ended
from keystead.settings import Settings
from keystead.settings.places import Address

if TYPE_CHECKING:
    from keystead.http import server
    from keystead.wiring import Instance

SCOPE = "xray/main"
LOCAL_SOCKET = "control.sock"


@asynccontextmanager
async def open_instance(settings: Settings, *, is_foreground: bool = False) -> "AsyncIterator[Instance]":
    """Build an instance, run its background work, and take everything down in order at the end.

    The engine's process belongs to its keeper and goes on without us, unless this is a run in the foreground.

    Raises Misconfigured, telling what to change, before anything is served.
    """
    async with AsyncExitStack() as stack:
        data_dir = _data_directory(settings)
        stack.enter_context(exclusive_lock(data_dir / "keystead.lock", held_by="Keystead"))
        run_dir = socket_directory(data_dir / "run", longest_name=len(LOCAL_SOCKET))
        keeper = _keeper(settings, run_dir, is_attached=is_foreground)
        stack.push_async_callback(keeper.abandon)
        finding = asyncio.get_running_loop().run_in_executor(None, find_binary, settings)
        stack.push_async_callback(_ended, finding)
        from keystead import opening
        from keystead.kit import memory

        memory.keep_little()
        database = opening.database_of(settings)
        stack.callback(database.close)
        ground = await opening.ground(settings, database, SCOPE)
        builder = opening.Builder(ground, partial(find_binary, settings))
        driver = builder.driver(await finding, run_dir, keeper)
        stack.push_async_callback(driver.stop)
        await driver.start()
        instance = await asyncio.to_thread(builder.build, driver, run_dir)
        stack.push_async_callback(instance.upkeep.finish)
        stack.push_async_callback(instance.operations.undoing.finish)
        background = asyncio.create_task(instance.run_background())
        stack.push_async_callback(ended, background)
        yield instance


def check_exposure(settings: Settings) -> None:
    """Refuse plain HTTP where others can listen, unless it is meant."""
    is_meant = settings.allow_plain_http or settings.trusted_proxies
    if settings.tls == "off" and settings.is_reachable_by_others and not is_meant:
        exposed = next(address for address in settings.layout if not names.is_loopback(address.host))
        setting = settings.setting_of(exposed).partition("/")[0]
        raise Misconfigured(
            f"{setting}: {exposed.host} can be reached by others, and tokens would travel in the clear; set "
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


async def serve(instance: "Instance", listeners: Mapping[Address, socket.socket], stopping: asyncio.Event) -> None:
    """Answer at every door and on the local socket until told to stop."""
    from keystead.http import server

    local = listen_local(instance.run_dir / LOCAL_SOCKET)
    try:
        tls = _tls_files(instance.settings)
        served = [(server.make_server(door, tls), listeners[address]) for address, door in instance.doors.items()]
        await server.serve([*served, (server.make_server(instance.local_door, None), local)], stopping)
    finally:
        (instance.run_dir / LOCAL_SOCKET).unlink(missing_ok=True)


def find_binary(settings: Settings) -> Binary:
    """Return the Xray to run and why it is this one; raise Misconfigured when there is none."""
    cached = install.binary_path(install.XRAY, settings.engines_cache_dir)
    return binary.find(named=settings.xray_path, cached=cached)


def _data_directory(settings: Settings) -> Path:
    try:
        return private_directory(settings.data_dir)
    except Misconfigured as error:
        raise Misconfigured(
            f"KEYSTEAD_DATA_DIR: {error.message}; name a directory of your own, "
            "for example KEYSTEAD_DATA_DIR=/var/lib/keystead"
        ) from error


def _keeper(settings: Settings, run_dir: Path, *, is_attached: bool) -> Keepers:
    place = KeeperPlace(
        run_dir / protocol.SOCKET_NAME,
        core_log=settings.data_dir / "xray.log",
        log=settings.data_dir / "keeper.log",
        is_attached=is_attached,
        without=settings.keeper_without,
    )
    keepers = Keepers(place, clock=SystemClock())
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


async def _ended(finding: asyncio.Future[Binary]) -> None:
    """Wait for what may have failed beside an earlier failure, which is the one to tell."""
    await asyncio.gather(finding, return_exceptions=True)
