"""A backup: everything an instance needs, in one file that opens with a passphrase or with an age identity.

The file is plain age (https://age-encryption.org/v1), so that it opens without Keystead too: ``age -d FILE > b.zip``.
Inside is a zip of ``tables/<name>.jsonl`` (db/dump.py), ``root.key``, ``audit.head`` when there is one, and
``manifest.json``. Called by the edge of a running service and by the command line while none runs; putting a backup
back is ``restoring``. docs/adr/ tells why this form.

For a recipient memory stays bounded: a pipe leads from the tables to the file. Age's passphrase form takes its input
whole (pyrage 1.4, ``passphrase.encrypt``), which is the compressed zip.
"""

import io
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, TypeVar

import orjson
from sqlalchemy import Connection, Engine

from keystead.access.datakeys import ROOT_KEY_FILE, RootKey
from keystead.access.permissions import Permission, requires
from keystead.access.seal import HEAD_FILE
from keystead.access.store import datakeys as store
from keystead.access.work import Work
from keystead.db import dump, migrate
from keystead.kit import age
from keystead.kit.age import Lock, Unlock
from keystead.kit.crypto import key_name
from keystead.kit.errors import Invalid, StorageBusy, StorageFailed

T = TypeVar("T")
Progress = Callable[[str], None]

FORMAT = 1
MANIFEST = "manifest.json"
_WHAT = "the backup"
_COPY_SIZE_BYTES = 1 << 20


@dataclass(frozen=True)
class Source:
    """What is backed up."""

    engine: Engine
    data_dir: Path
    load_root: Callable[[], RootKey]


@dataclass(frozen=True)
class Manifest:
    """What a backup says about itself; ``tables`` counts rows, ``root_key`` is the public name of the key."""

    format: int
    version: str
    created_at: str
    revision: str
    database: str
    root_key: str
    tables: Mapping[str, int]
    last_numbers: Mapping[str, int]


@requires(Permission.BACKUP_MAKE)
def record(work: Work, lock: Lock) -> None:
    """Put on record that a backup is made; it is in the backup too."""
    work.audit("system.backup.make", "backup", encrypted_for=lock.described)


def make(
    source: Source, lock: Lock, target: IO[bytes], *, version: str, now: datetime, progress: Progress = lambda _: None
) -> Manifest:
    """Write a backup of one moment; the service goes on meanwhile. Raises StorageBusy while keys are being rotated."""
    import pyrage

    def pack(into: IO[bytes]) -> Manifest:
        return _pack(source, into, version=version, now=now, progress=progress)

    if lock.recipient is not None:
        recipient = age.recipient_of(lock.recipient)
        return _piped(pack, lambda packed: pyrage.encrypt_io(packed, target, [recipient]))
    whole = io.BytesIO()
    manifest = pack(whole)
    progress("encrypting")
    passphrase = lock.passphrase.reveal() if lock.passphrase else ""
    target.write(pyrage.passphrase.encrypt(whole.getvalue(), passphrase))
    return manifest


@contextmanager
def opened(file: IO[bytes], unlock: Unlock, scratch: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """Open a backup, decrypting into ``scratch``; raise Invalid when it is none, or is not opened by this."""
    import pyrage

    try:
        if needs_passphrase(file):
            scratch.write(_opened_by_passphrase(file, unlock))
        else:
            _decrypt(file, scratch, age.identities_of(unlock, _WHAT))
        with zipfile.ZipFile(scratch) as archive:
            yield archive
    except pyrage.DecryptError as error:
        raise Invalid(f"the backup does not open: {error}; wrong passphrase or identity, or a damaged file") from error
    except zipfile.BadZipFile as error:
        raise Invalid("the file opens but is no backup of Keystead") from error


def needs_passphrase(file: IO[bytes]) -> bool:
    """Tell whether a backup is locked with a passphrase; raise Invalid for a file that is not age."""
    beginning = file.read(age.BEGINNING_SIZE_BYTES)
    file.seek(0)
    if not age.is_age(beginning):
        raise Invalid("the file is no backup: it is not encrypted in age's form")
    return age.is_for_passphrase(beginning)


def read_manifest(archive: zipfile.ZipFile) -> Manifest:
    """Return a backup's manifest; raise Invalid for one that this version does not read."""
    try:
        stored: dict[str, Any] = orjson.loads(archive.read(MANIFEST))
        if stored.get("format") != FORMAT:
            raise Invalid(f"the backup has form {stored.get('format')}, and this Keystead reads form {FORMAT}")
        return Manifest(**stored)
    except (KeyError, TypeError, orjson.JSONDecodeError) as error:
        raise Invalid("the file opens but is no backup of Keystead") from error


def table_lines(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """Yield the lines of a table's copy."""
    with archive.open(_member(name)) as member:
        yield from member


def _pack(source: Source, into: IO[bytes], *, version: str, now: datetime, progress: Progress) -> Manifest:
    head = _head(source.data_dir)  # before the snapshot: the head may lag behind the trail, never be ahead of it
    with (
        dump.snapshot(source.engine) as connection,
        zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        root = _root_of(connection, source)
        copied = dump.tables(connection)
        manifest = Manifest(
            format=FORMAT,
            version=version,
            created_at=now.isoformat(),
            revision=migrate.current_revision(connection) or "",
            database=connection.dialect.name,
            root_key=root.name,
            tables={str(table.name): _copy(connection, table, archive, progress) for table in copied},
            last_numbers=dump.last_numbers(connection, copied),
        )
        archive.writestr(ROOT_KEY_FILE, root.lines)
        if head is not None:
            archive.writestr(HEAD_FILE, head)
        archive.writestr(MANIFEST, orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))
    return manifest


def _copy(connection: Connection, table: Any, archive: zipfile.ZipFile, progress: Progress) -> int:
    progress(f"copying {table.name}")
    count = -1  # the first line names the columns
    with archive.open(_member(table.name), "w", force_zip64=True) as member:
        for line in dump.lines(connection, table):
            member.write(line)
            count += 1
    return count


def _root_of(connection: Connection, source: Source) -> RootKey:
    """Return the root key that opens the very snapshot: a rotation may have replaced it in between."""
    wrapped_by = {key.wrapped_by for key in store.all_keys(connection)}
    root = source.load_root()
    at_hand = {root.name} | (set() if root.previous is None else {key_name(root.previous)})
    if not wrapped_by <= at_hand:
        raise StorageBusy("the keys were rotated at this moment; make the backup again")
    return root


def _head(data_dir: Path) -> bytes | None:
    try:
        return (data_dir / HEAD_FILE).read_bytes()
    except FileNotFoundError:
        return None


def _piped(pack: Callable[[IO[bytes]], T], encrypt: Callable[[IO[bytes]], None]) -> T:
    """Pack in a thread of its own while encrypting here; a failure of either ends both."""
    reader, writer = os.pipe()

    def write() -> T:
        with os.fdopen(writer, "wb", buffering=_COPY_SIZE_BYTES) as into:
            return pack(into)

    with ThreadPoolExecutor(1, thread_name_prefix="backup") as pool:
        packing = pool.submit(write)
        with os.fdopen(reader, "rb") as packed:
            encrypt(packed)
        return packing.result()


def _opened_by_passphrase(file: IO[bytes], unlock: Unlock) -> bytes:
    import pyrage

    plain: bytes = pyrage.passphrase.decrypt(file.read(), age.passphrase_of(unlock, _WHAT))
    return plain


def _decrypt(file: IO[bytes], scratch: IO[bytes], identities: list[Any]) -> None:
    """Decrypt as a stream; pyrage tells of a damaged part as an OSError without a number."""
    import pyrage

    try:
        pyrage.decrypt_io(file, scratch, identities)
    except OSError as error:
        if error.errno is not None:
            raise StorageFailed(f"the backup cannot be decrypted to disk: {error.strerror}") from error
        raise Invalid("the backup is damaged: a part of it does not decrypt") from error


def _member(table: str) -> str:
    return f"tables/{table}.jsonl"
