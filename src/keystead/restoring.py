"""Put a backup back into a fresh data directory and an empty database, whole or not at all.

Part of the composition root, called by the command line while no service runs: it joins settings, the archive and the
schema. Everything is built beside and checked; a rename puts it in place, and on PostgreSQL the commit comes last.
"""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine, create_engine, inspect
from sqlalchemy.exc import DBAPIError

from keystead import founding
from keystead.access import archive as backups
from keystead.access import datakeys
from keystead.access.archive import Manifest, Progress
from keystead.access.datakeys import ROOT_KEY_FILE, ROOT_KEY_SETTING, RootKey
from keystead.access.seal import HEAD_FILE
from keystead.access.store import datakeys as stored_keys
from keystead.db import dump, migrate
from keystead.db.failures import translated
from keystead.kit.age import Unlock
from keystead.kit.crypto import decode_key
from keystead.kit.errors import Conflict, Invalid, Misconfigured
from keystead.kit.files import private_directory, sync_directory, write_private
from keystead.settings import Settings

Fill = Callable[[Connection], None]

# Made by mkfs in the root of a file system, which a data directory may be.
_NOT_IN_THE_WAY = {"lost+found"}


def restore(settings: Settings, file: IO[bytes], unlock: Unlock, *, progress: Progress = lambda _: None) -> Manifest:
    """Restore a backup; return its manifest.

    Raises Conflict naming what is in the way, Invalid for a file that does not open or is damaged, and Misconfigured
    for a schema that is too new or a root key in the settings that is another one.
    """
    check_vacant(settings)
    progress("decrypting")
    with (
        _staging(settings.data_dir) as staging,
        tempfile.TemporaryFile(dir=staging) as scratch,
        backups.opened(file, unlock, scratch) as archive,
    ):
        manifest = backups.read_manifest(archive)
        root = _stage_files(settings, archive, manifest, staging)

        def fill(connection: Connection) -> None:
            _load(connection, archive, manifest, root, progress)

        final = founding.sqlite_file(settings)
        if final is None:
            _into_postgresql(settings, staging, fill)
        else:
            _into_sqlite(final, settings.data_dir, staging, fill)
    return manifest


def check_vacant(settings: Settings) -> None:
    """Raise Conflict, naming what is there, unless data directory and database are empty or not made yet."""
    if settings.data_dir.exists():
        found = sorted(set(os.listdir(settings.data_dir)) - _NOT_IN_THE_WAY)
        if found:
            shown = ", ".join(found[:6]) + (" …" if len(found) > 6 else "")
            raise Conflict(
                f"{settings.data_dir} is not empty: {shown}; a backup is restored into a fresh directory only, "
                "name one with KEYSTEAD_DATA_DIR"
            )
    final = founding.sqlite_file(settings)
    if final is not None and final.exists():
        raise Conflict(f"{final} exists; a backup is restored into a fresh database only")
    if final is None:
        with _loading(settings.sqlalchemy_url) as connection:
            tables = inspect(connection).get_table_names()
            if tables:
                shown = ", ".join(sorted(tables)[:6])
                raise Conflict(f"the database has tables: {shown} …; a backup is restored into an empty one only")


@contextmanager
def _staging(data_dir: Path) -> Iterator[Path]:
    """Make a private directory on the data directory's file system, removed at the end unless it was renamed."""
    parent = data_dir if data_dir.is_mount() else data_dir.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=parent, prefix=f".{data_dir.name}.restoring-"))
    except OSError as error:
        raise Misconfigured(f"cannot write to {parent} ({error.strerror}); choose another KEYSTEAD_DATA_DIR") from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _stage_files(settings: Settings, archive: zipfile.ZipFile, manifest: Manifest, staging: Path) -> RootKey:
    """Write what is not in the database; return the root key that holds from now on."""
    names = set(archive.namelist())
    if ROOT_KEY_FILE not in names:
        raise Invalid("the backup lacks the root key; it is damaged")
    write_private(staging / ROOT_KEY_FILE, archive.read(ROOT_KEY_FILE))
    root = datakeys.load_root_key(staging, None)
    if HEAD_FILE in names:
        write_private(staging / HEAD_FILE, archive.read(HEAD_FILE))
    if settings.root_key is None:
        return root
    named = RootKey(decode_key(settings.root_key.get_secret_value(), source=ROOT_KEY_SETTING), None, None)
    if named.name != manifest.root_key:
        raise Misconfigured(
            f"{ROOT_KEY_SETTING} holds key {named.name}, and the backup is locked with {manifest.root_key}; "
            f"unset {ROOT_KEY_SETTING} to use the key in the backup"
        )
    (staging / ROOT_KEY_FILE).unlink()
    return named


@contextmanager
def _loading(url: str) -> Iterator[Connection]:
    """Open a transaction on a database that nobody else uses."""
    engine: Engine = create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise translated(error) from error
    finally:
        engine.dispose()


def _into_postgresql(settings: Settings, staging: Path, fill: Fill) -> None:
    """Fill the database, place the files, commit; what was placed goes again when the commit fails."""
    with ExitStack() as failing:
        for name in (ROOT_KEY_FILE, HEAD_FILE):
            failing.callback((settings.data_dir / name).unlink, missing_ok=True)
        with _loading(settings.sqlalchemy_url) as connection:
            fill(connection)
            _place(staging, settings.data_dir)
        failing.pop_all()


def _into_sqlite(final: Path, data_dir: Path, staging: Path, fill: Fill) -> None:
    """Build the file in the staging directory, or beside its place when that is elsewhere; then place everything."""
    is_inside = final.parent == data_dir
    built = staging / final.name if is_inside else final.with_name(f".{final.name}.restoring")
    try:
        with _loading(f"sqlite:///{built}") as connection:
            built.chmod(0o600)
            fill(connection)
        if is_inside:
            _place(staging, data_dir)
        else:
            _place_with(built, final, staging, data_dir)
    finally:
        built.unlink(missing_ok=True)


def _load(
    connection: Connection, archive: zipfile.ZipFile, manifest: Manifest, root: RootKey, progress: Progress
) -> None:
    """Build the schema of the backup's revision, fill it, and check what arrived."""
    migrate.build(connection, manifest.revision)
    loaded = dump.tables(connection)
    for table in loaded:
        if table.name in manifest.tables:
            progress(f"restoring {table.name}")
            count = dump.load(connection, table, backups.table_lines(archive, table.name))
            if count != manifest.tables[table.name]:
                raise Invalid(f"the backup holds {count} rows of {table.name}, not {manifest.tables[table.name]}")
    missing = set(manifest.tables) - {table.name for table in loaded}
    if missing:
        raise Invalid(f"revision {manifest.revision} has no tables {', '.join(sorted(missing))}; the file is damaged")
    dump.continue_numbers(connection, loaded, manifest.last_numbers)
    dump.check_parents(connection)
    for key in stored_keys.all_keys(connection):
        datakeys.unwrap(root, key)


def _place_with(built: Path, final: Path, staging: Path, data_dir: Path) -> None:
    """Place a database outside the data directory, and the directory."""
    with ExitStack() as failing:
        os.replace(built, final)
        failing.callback(final.unlink)
        _place(staging, data_dir)
        failing.pop_all()


def _place(staging: Path, data_dir: Path) -> None:
    """Put the staged files in place; the database, without which nothing starts from them, comes last."""
    if staging.parent != data_dir:
        try:
            os.rename(staging, private_directory(data_dir))
        except OSError as error:
            raise Conflict(f"{data_dir} cannot be replaced ({error.strerror}); is something using it?") from error
        sync_directory(data_dir.parent)
        return
    with ExitStack() as failing:
        for file in sorted(staging.iterdir(), key=lambda path: path.suffix == ".db"):
            os.replace(file, data_dir / file.name)
            failing.callback((data_dir / file.name).unlink)
        failing.pop_all()
    sync_directory(data_dir)
