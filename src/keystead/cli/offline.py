"""What the command line can do in this process while no service runs: the checks of doctor, backup and export."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TypeVar

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import SQLAlchemyError

from keystead import __version__, founding
from keystead.access import accounts, archive, datakeys
from keystead.access.archive import Progress, Source
from keystead.access.principal import operator
from keystead.access.work import Work
from keystead.db import migrate
from keystead.db.session import Database, open_database
from keystead.engines.xray import binary, install, target
from keystead.keeper.ports import Listen, require_free
from keystead.kit import names
from keystead.kit.age import Lock
from keystead.kit.clock import SystemClock
from keystead.kit.errors import KeysteadError, Misconfigured
from keystead.kit.files import exclusive_lock
from keystead.kit.ids import RandomIds
from keystead.operations.instance import checks
from keystead.operations.instance.doctor import Check, Status
from keystead.operations.instance.export import write as write_export
from keystead.settings import Settings
from keystead.vpn import exporting

Answer = TypeVar("Answer")


def examine(settings: Settings) -> list[Check]:
    """Check everything that a start needs, without starting or changing anything."""
    examinations: list[tuple[str, Callable[[Settings], Check | list[Check]]]] = [
        ("settings", _settings),
        ("machine", lambda _: checks.machine()),
        ("data directory", _data_directory),
        ("root key", _root_key),
        ("database", _database),
        ("engine", _engine),
        ("REALITY target", _target),
        ("API port", lambda known: [_port("API port", *address) for address in known.layout]),
        ("VPN port", _vpn_port),
    ]
    found: list[Check] = []
    for name, examination in examinations:
        made = _made(name, examination, settings)
        found += made if isinstance(made, list) else [made]
    return found


def backup(settings: Settings, lock: Lock, target_file: IO[bytes], progress: Progress) -> None:
    """Make a backup in this process; raise Misconfigured when a service turns out to run, or nothing is there."""
    with _alone(settings) as database:
        _done(settings, database, lambda work: archive.record(work, lock), "backup")
        source = Source(database.engine, settings.data_dir, lambda: founding.load_root(settings))
        now = SystemClock().now()
        archive.make(source, lock, target_file, version=__version__, now=now, progress=progress)


def export(settings: Settings, lock: Lock | None, target_file: IO[bytes], progress: Progress) -> None:
    """Write an export in this process; raise Misconfigured when a service turns out to run, or nothing is there."""
    with _alone(settings) as database:
        if not migrate.engine_is_current(database.engine):
            raise Misconfigured("the database is of another version of Keystead; start this one once, then export")
        if lock is None:
            extent = _done(settings, database, exporting.record, "export")
        else:
            extent = _done(settings, database, lambda work: exporting.record_with_secrets(work, lock), "export")
        write_export(database, extent, target_file, lock=lock, now=SystemClock().now(), progress=progress)


@contextmanager
def _alone(settings: Settings) -> Iterator[Database]:
    """Open the database of an instance that does not serve."""
    if not settings.data_dir.is_dir() or not founding.has_schema(settings):
        raise Misconfigured(f"{settings.data_dir} holds no instance; name it with KEYSTEAD_DATA_DIR")
    with exclusive_lock(settings.data_dir / "keystead.lock", held_by="Keystead"):
        database = open_database(settings.sqlalchemy_url)
        try:
            yield database
        finally:
            database.close()


def _done(settings: Settings, database: Database, verb: Callable[[Work], Answer], request_id: str) -> Answer:
    """Run a verb as the operator in a transaction of its own."""
    root, clock = founding.load_root(settings), SystemClock()

    def unit(connection: Connection) -> Answer:
        who = operator(accounts.ensure_default(connection, clock.now()))
        keys = datakeys.open_keys(connection, root, clock.now()).ring
        return verb(Work(connection, who, clock, RandomIds(), keys, request_id))

    return asyncio.run(database.write(unit))


def _asked(settings: Settings, question: Callable[[Connection], Answer]) -> Answer | None:
    """Return the answer of a database of this version; None where there is none, and the check of it tells why."""
    try:
        if not founding.has_schema(settings):
            return None
        engine = create_engine(settings.sqlalchemy_url)
        try:
            if not migrate.engine_is_current(engine):
                return None
            with engine.connect() as connection:
                return question(connection)
        finally:
            engine.dispose()
    except SQLAlchemyError:
        return None


def _made(name: str, examination: Callable[[Settings], Check | list[Check]], settings: Settings) -> Check | list[Check]:
    try:
        return examination(settings)
    except KeysteadError as error:
        return Check(name, Status.FAIL, error.message)
    except (OSError, SQLAlchemyError) as error:
        return Check(name, Status.FAIL, str(error).splitlines()[0])


def _settings(settings: Settings) -> Check:
    _asked(settings, lambda connection: founding.require_no_contradiction(settings, connection))
    return Check("settings", Status.OK, "valid")


def _data_directory(settings: Settings) -> Check:
    if not settings.data_dir.exists():
        return Check("data directory", Status.OK, f"{settings.data_dir} will be made at the first start")
    return checks.data_directory(settings.data_dir)


def _root_key(settings: Settings) -> Check:
    if settings.root_key is None and not founding.has_schema(settings):
        return Check("root key", Status.OK, "will be made at the first start")
    return checks.root_key(settings)


def _database(settings: Settings) -> Check:
    if not founding.has_schema(settings):
        return Check("database", Status.OK, "will be made at the first start")
    engine = create_engine(settings.sqlalchemy_url)
    try:
        is_current = migrate.engine_is_current(engine)
        told = engine.name if is_current else f"{engine.name}, is migrated at the next start"
        return Check("database", Status.OK, told)
    finally:
        engine.dispose()


def _engine(settings: Settings) -> Check:
    cached = install.binary_path(install.XRAY, settings.engines_cache_dir)
    found = binary.find(named=settings.xray_path, cached=cached)
    return Check("engine", Status.OK, f"Xray {found.version} at {found.path}, {found.reason}")


def _target(settings: Settings) -> Check | list[Check]:
    chosen = _asked(settings, founding.shared_inbound)
    shown = settings.reality_target or (chosen.target if chosen else None)
    if shown is None:
        return Check("REALITY target", Status.OK, "chosen from the built-in pool at the first start")
    host, _ = names.host_port(shown)
    wanted = chosen.server_names if chosen else settings.reality_server_names or (host,)
    allow_loopback = settings.reality_target is not None
    found = asyncio.run(target.examine(shown, wanted, allow_loopback=allow_loopback))
    problems, warnings = ([finding.sentence for finding in kind] for kind in (found.problems, found.warnings))
    return checks.target(problems, warnings, shown)


def _vpn_port(settings: Settings) -> Check:
    chosen = _asked(settings, founding.shared_inbound)
    port = chosen.port if chosen else settings.vpn_port
    if port is None:
        return Check("VPN port", Status.OK, "443 where permitted, else 8443")
    return _port("VPN port", settings.vpn_host, port)


def _port(name: str, host: str, port: int) -> Check:
    require_free([Listen(host, port)])
    return Check(name, Status.OK, f"{names.authority(host, port)} is free")
