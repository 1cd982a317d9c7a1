"""What the command line can do in this process while no service runs: the checks of doctor, and a backup."""

import asyncio
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import SQLAlchemyError

from keystead import __version__
from keystead.access import accounts, archive, datakeys
from keystead.access.archive import Lock, Progress, Source
from keystead.access.datakeys import RootKey
from keystead.access.principal import operator
from keystead.access.work import Work
from keystead.db import migrate
from keystead.db.session import Database, open_database
from keystead.engines.xray import binary, install, target
from keystead.keeper.ports import Listen, require_free
from keystead.kit import names
from keystead.kit.clock import SystemClock
from keystead.kit.errors import KeysteadError, Misconfigured
from keystead.kit.files import exclusive_lock
from keystead.kit.ids import RandomIds
from keystead.kit.secret import Secret
from keystead.settings import Settings

_FREE_SPACE_MIN_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True)
class Finding:
    """One check: ``status`` is ok, warn or fail; the message says what to do unless it is ok."""

    name: str
    status: str
    message: str


def examine(settings: Settings) -> list[Finding]:
    """Check everything that a start needs, without starting or changing anything."""
    checks: list[tuple[str, Callable[[Settings], Finding]]] = [
        ("data directory", _data_directory),
        ("root key", _root_key),
        ("database", _database),
        ("engine", _engine),
        ("reality target", _target),
        ("API port", lambda known: _port("API port", known.host, known.port)),
        ("VPN port", _vpn_port),
    ]
    return [Finding("settings", "ok", "valid"), *(_checked(name, check, settings) for name, check in checks)]


def backup(settings: Settings, lock: Lock, target_file: IO[bytes], progress: Progress) -> None:
    """Make a backup in this process; raise Misconfigured when a service turns out to run, or nothing is there."""
    if not settings.data_dir.is_dir() or not _has_schema(settings):
        raise Misconfigured(f"{settings.data_dir} holds no instance; name it with KEYSTEAD_DATA_DIR")
    with exclusive_lock(settings.data_dir / "keystead.lock", held_by="Keystead"):
        database = open_database(settings.sqlalchemy_url)
        try:
            _record(settings, database, lock)
            source = Source(database.engine, settings.data_dir, lambda: _root(settings))
            now = SystemClock().now()
            archive.make(source, lock, target_file, version=__version__, now=now, progress=progress)
        finally:
            database.close()


def _record(settings: Settings, database: Database, lock: Lock) -> None:
    root, clock = _root(settings), SystemClock()

    def unit(connection: Connection) -> None:
        who = operator(accounts.ensure_default(connection, clock.now()))
        keys = datakeys.open_keys(connection, root, clock.now()).ring
        archive.record(Work(connection, who, clock, RandomIds(), keys, "backup"), lock)

    asyncio.run(database.write(unit))


def _has_schema(settings: Settings) -> bool:
    if settings.database_url is None and not (settings.data_dir / "keystead.db").exists():
        return False
    engine = create_engine(settings.sqlalchemy_url)
    try:
        with engine.connect() as connection:
            return migrate.current_revision(connection) is not None
    finally:
        engine.dispose()


def _root(settings: Settings) -> RootKey:
    current, previous = settings.root_key, settings.root_key_previous
    return datakeys.load_root_key(
        settings.data_dir,
        None if current is None else Secret(current.get_secret_value()),
        previous=None if previous is None else Secret(previous.get_secret_value()),
    )


def _checked(name: str, check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return check(settings)
    except KeysteadError as error:
        return Finding(name, "fail", error.message)
    except (OSError, SQLAlchemyError) as error:
        return Finding(name, "fail", str(error).splitlines()[0])


def _data_directory(settings: Settings) -> Finding:
    name, path = "data directory", settings.data_dir
    if not path.exists():
        return Finding(name, "ok", f"{path} will be made at the first start")
    found = path.stat()
    if found.st_uid != os.geteuid():
        return Finding(name, "fail", f"{path} belongs to another user; run as its owner, or chown it")
    if stat.S_IMODE(found.st_mode) & 0o077:
        return Finding(name, "warn", f"{path} may be read by others; run: chmod 700 {path}")
    free = shutil.disk_usage(path).free
    if free < _FREE_SPACE_MIN_BYTES:
        return Finding(name, "warn", f"{path} has {free // 1024 // 1024} MB left; free some space")
    return Finding(name, "ok", str(path))


def _root_key(settings: Settings) -> Finding:
    if settings.root_key is None and not (settings.data_dir / datakeys.ROOT_KEY_FILE).exists():
        if (settings.data_dir / "keystead.db").exists():
            return Finding("root key", "fail", f"{settings.data_dir}/root.key is gone; restore it from a backup")
        return Finding("root key", "ok", "will be made at the first start")
    return Finding("root key", "ok", _root(settings).source)


def _database(settings: Settings) -> Finding:
    if settings.database_url is None and not (settings.data_dir / "keystead.db").exists():
        return Finding("database", "ok", "SQLite, will be made at the first start")
    engine = create_engine(settings.sqlalchemy_url)
    try:
        is_current = migrate.engine_is_current(engine)
        return Finding("database", "ok", engine.name if is_current else f"{engine.name}, is migrated at the next start")
    finally:
        engine.dispose()


def _engine(settings: Settings) -> Finding:
    cached = install.binary_path(install.XRAY, settings.engines_cache_dir)
    found = binary.find(named=settings.xray_path, cached=cached)
    return Finding("engine", "ok", f"Xray {found.version} at {found.path}, {found.reason}")


def _target(settings: Settings) -> Finding:
    name = "reality target"
    if settings.reality_target is None:
        return Finding(name, "ok", "chosen from the built-in pool at the first start")
    host, _ = names.host_port(settings.reality_target)
    wanted = settings.reality_server_names or (host,)
    found = asyncio.run(target.examine(settings.reality_target, wanted, allow_loopback=True))
    if found.problems:
        return Finding(name, "fail", " ".join(problem.sentence for problem in found.problems))
    if found.warnings:
        return Finding(name, "warn", " ".join(warning.sentence for warning in found.warnings))
    return Finding(name, "ok", settings.reality_target)


def _vpn_port(settings: Settings) -> Finding:
    if settings.vpn_port is None:
        return Finding("VPN port", "ok", "443 where permitted, else 8443")
    return _port("VPN port", settings.vpn_host, settings.vpn_port)


def _port(name: str, host: str, port: int) -> Finding:
    require_free([Listen(host, port)])
    return Finding(name, "ok", f"{names.authority(host, port)} is free")
