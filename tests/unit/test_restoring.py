"""Backups restore on either database, whole or not at all, and say what is in the way."""

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyrage
import pytest
from sqlalchemy import Column, MetaData, Table, create_engine

from keystead import restoring, settings
from keystead.access import accounts, archive, datakeys, seal, tokens
from keystead.access.archive import Source
from keystead.access.permissions import VPN_PERMISSIONS
from keystead.access.principal import operator
from keystead.access.work import Work
from keystead.db import dump, migrate
from keystead.db.session import Database, open_database
from keystead.kit.age import Lock, Unlock
from keystead.kit.errors import Conflict, Invalid, KeysteadError, Misconfigured
from keystead.kit.ids import RandomIds
from keystead.kit.secret import Secret
from keystead.settings import Settings
from tests.support.clock import START, ManualClock
from tests.support.databases import chosen_backend

PASSPHRASE = Secret("correct horse battery staple")
# A passphrase costs a second by design; a recipient costs nothing.
IDENTITY = pyrage.x25519.Identity.generate()
LOCK, UNLOCK = Lock(recipient=str(IDENTITY.to_public())), Unlock(identity=Secret(f"# mine\n{IDENTITY}\n"))
BACKENDS = ["sqlite"] if chosen_backend() == "sqlite" else ["postgresql", "sqlite"]
PAIRS = [(source, target) for source in BACKENDS for target in BACKENDS if chosen_backend() in (source, target)]

Place = Callable[[str, str], Settings]


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Return a maker of settings: a data directory that is not there yet, and an empty database of a kind."""
    made: list[str] = []

    def make(name: str, backend: str = BACKENDS[0]) -> Settings:
        if backend == "sqlite":
            return settings.load(data_dir=tmp_path / name)
        server = request.getfixturevalue("postgres_server")
        made.append(f"restoring_{name}")
        return settings.load(data_dir=tmp_path / name, database_url=server.create(made[-1], template="template0"))

    yield make
    for name in made:
        request.getfixturevalue("postgres_server").drop(name)


@dataclass
class Origin:
    """An instance that is backed up."""

    settings: Settings
    database: Database

    async def backup(self, lock: Lock = LOCK) -> io.BytesIO:
        target = io.BytesIO()
        source = Source(
            self.database.engine, self.settings.data_dir, partial(datakeys.load_root_key, self.settings.data_dir, None)
        )
        archive.make(source, lock, target, version="1.2.3", now=START)
        target.seek(0)
        return target

    async def issue_token(self, name: str) -> int:
        def unit(connection: Any) -> int:
            root = datakeys.load_root_key(self.settings.data_dir, None)
            ring = datakeys.open_keys(connection, root, START).ring
            account_id = accounts.ensure_default(connection, START)
            work = Work(connection, operator(account_id), ManualClock(), RandomIds(), ring, "request")
            return tokens.create(work, name=name, permissions=VPN_PERMISSIONS).token.id

        return await self.database.write(unit)


@contextmanager
def origin(place: Settings) -> Iterator[Origin]:
    place.data_dir.mkdir(mode=0o700)
    migrate.upgrade(place.sqlalchemy_url)
    database = open_database(place.sqlalchemy_url, synchronous="OFF")
    yield Origin(place, database)
    database.close()


def rows(place: Settings) -> dict[str, list[tuple[object, ...]]]:
    engine = create_engine(place.sqlalchemy_url)
    with engine.connect() as connection:
        found = {
            str(table.name): sorted(map(tuple, connection.execute(table.select())), key=repr)
            for table in dump.tables(connection)
        }
    engine.dispose()
    return found


def packed(backup: io.BytesIO, change: Callable[[dict[str, bytes]], None]) -> io.BytesIO:
    """Return a backup whose members were changed by somebody who can open it."""
    plain = io.BytesIO(pyrage.decrypt(backup.getvalue(), [IDENTITY]))
    with zipfile.ZipFile(plain) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    change(members)
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w") as closed:
        for name, content in members.items():
            closed.writestr(name, content)
    return io.BytesIO(pyrage.encrypt(again.getvalue(), [IDENTITY.to_public()]))


def left(place: Settings) -> list[str]:
    """Return what a failed restore left beside and in the data directory."""
    return sorted(path.name for path in place.data_dir.parent.iterdir() if place.data_dir.name in path.name)


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_every_row_arrives_on_either_database(place: Place, source: str, target: str) -> None:
    fresh = place("fresh", target)
    with origin(place("origin", source)) as old:
        for number in range(3):
            await old.issue_token(f"bot {number}")
        key = datakeys.load_root_key(old.settings.data_dir, None)
        audit_key = (await old.database.read(partial(datakeys.open_keys, root=key, now=START))).audit_key
        head = await old.database.write(partial(seal.seal_batch, key=audit_key))
        assert head is not None
        seal.write_head(old.settings.data_dir, head)

        manifest = restoring.restore(fresh, await old.backup(), UNLOCK)

        assert rows(fresh) == rows(old.settings)
    assert (manifest.tables["tokens"], manifest.database) == (3, source)
    assert (fresh.data_dir / "root.key").stat().st_mode & 0o777 == 0o600
    assert seal.read_head(fresh.data_dir) == head
    with_new = open_database(fresh.sqlalchemy_url)
    verification, report = seal.Verification(audit_key, head), None
    while report is None:
        report = await with_new.read(verification.check_page)
    assert report.is_intact
    with_new.close()


@pytest.mark.parametrize("source", BACKENDS)
async def test_a_value_of_every_type_that_a_table_has_is_written_and_read(place: Place, source: str) -> None:
    samples = {int: 2**53 + 1, str: "я", bool: True, bytes: b"\x00\xff", date: date(2027, 1, 31)}
    with origin(place("origin", source)) as old:
        engine = old.database.engine
        with engine.begin() as connection:
            columns = [column for table in dump.tables(connection) for column in table.columns]
            types = {column.type.python_type: column.type for column in columns}
            assert set(types) <= set(samples)
            table = Table("of_every_type", MetaData(), *(Column(kind.__name__, found) for kind, found in types.items()))
            table.create(connection)
            connection.execute(table.insert(), [{kind.__name__: samples[kind] for kind in types}])
        with engine.connect() as connection:
            written = list(dump.lines(connection, table))

        with engine.begin() as connection:
            connection.execute(table.delete())
            dump.load(connection, table, written)
            [read] = connection.execute(table.select())
    assert tuple(read) == tuple(samples[kind] for kind in types)


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_a_number_that_was_given_out_is_never_given_again(place: Place, source: str, target: str) -> None:
    fresh = place("fresh", target)
    with origin(place("origin", source)) as old:
        await old.issue_token("kept")
        last = await old.issue_token("deleted")
        await old.database.write(lambda connection: connection.exec_driver_sql(f"DELETE FROM tokens WHERE id = {last}"))
        restoring.restore(fresh, await old.backup(), UNLOCK)

    new = Origin(fresh, open_database(fresh.sqlalchemy_url))
    following = await new.issue_token("next")
    new.database.close()

    assert following == last + 1


async def test_a_backup_shows_one_moment_and_stops_nobody(place: Place) -> None:
    with origin(place("origin")) as old:
        await old.issue_token("before")
        with dump.snapshot(old.database.engine) as connection:
            (table,) = [table for table in dump.tables(connection) if table.name == "tokens"]

            await old.issue_token("meanwhile")

            assert len(list(dump.lines(connection, table))) - 1 == 1
        await old.issue_token("after")


async def test_what_is_in_the_way_is_named_and_untouched(place: Place) -> None:
    fresh = place("fresh", "sqlite")
    fresh.data_dir.mkdir()
    (fresh.data_dir / "notes.txt").write_text("mine")
    with origin(place("origin")) as old, pytest.raises(Conflict, match=r"notes\.txt"):
        restoring.restore(fresh, await old.backup(), UNLOCK)

    assert [path.name for path in fresh.data_dir.iterdir()] == ["notes.txt"]


async def test_a_database_that_is_in_use_is_in_the_way(place: Place) -> None:
    with origin(place("origin")) as old:
        elsewhere = old.settings.data_dir.parent / "fresh"
        occupied = settings.load(data_dir=elsewhere, database_url=old.settings.sqlalchemy_url)

        with pytest.raises(Conflict, match=r"exists|has tables"):
            restoring.restore(occupied, await old.backup(), UNLOCK)

    assert not elsewhere.exists()


async def test_an_empty_directory_is_filled(place: Place) -> None:
    fresh = place("fresh")
    fresh.data_dir.mkdir()
    with origin(place("origin")) as old:
        restoring.restore(fresh, await old.backup(), UNLOCK)

    assert (fresh.data_dir / "root.key").exists()
    assert fresh.data_dir.stat().st_mode & 0o777 == 0o700


async def test_a_file_elsewhere_is_made_beside_its_place(place: Place, tmp_path: Path) -> None:
    fresh = settings.load(data_dir=tmp_path / "fresh", database_url=f"sqlite:///{tmp_path}/elsewhere.db")
    with origin(place("origin")) as old:
        restoring.restore(fresh, await old.backup(), UNLOCK)

        assert rows(fresh) == rows(old.settings)
    assert sorted(path.name for path in fresh.data_dir.iterdir()) == ["root.key"]


def forget_rows(members: dict[str, bytes]) -> None:
    members["tables/tokens.jsonl"] = members["tables/tokens.jsonl"].splitlines(keepends=True)[0]


def break_a_row(members: dict[str, bytes]) -> None:
    members["tables/tokens.jsonl"] += b"[1, 2\n"


def orphan(members: dict[str, bytes]) -> None:
    lines = members["tables/tokens.jsonl"].splitlines(keepends=True)
    row = orjson.loads(lines[1])
    row[orjson.loads(lines[0]).index("account_id")] = 77
    members["tables/tokens.jsonl"] = lines[0] + orjson.dumps(row) + b"\n"


def from_the_future(members: dict[str, bytes]) -> None:
    manifest = orjson.loads(members["manifest.json"])
    members["manifest.json"] = orjson.dumps({**manifest, "revision": "9999"})


def in_another_form(members: dict[str, bytes]) -> None:
    members["manifest.json"] = orjson.dumps({"format": 2})


def with_another_root_key(members: dict[str, bytes]) -> None:
    members["root.key"] = b"A" * 43 + b"=\n"


def without_root_key(members: dict[str, bytes]) -> None:
    del members["root.key"]


@pytest.mark.parametrize(
    "change",
    [forget_rows, break_a_row, orphan, from_the_future, in_another_form, with_another_root_key, without_root_key],
)
async def test_a_backup_that_is_not_right_leaves_nothing(place: Place, change: Callable[..., None]) -> None:
    fresh = place("fresh")
    with origin(place("origin")) as old:
        await old.issue_token("bot")
        wrong = packed(await old.backup(), change)

    with pytest.raises(KeysteadError):
        restoring.restore(fresh, wrong, UNLOCK)

    assert left(fresh) == []
    restoring.check_vacant(fresh)


async def test_what_does_not_open_it_leaves_nothing(place: Place) -> None:
    fresh = place("fresh", "sqlite")
    with origin(place("origin")) as old:
        backup = await old.backup()
    damaged = io.BytesIO(backup.getvalue()[:-1] + b"?")
    stranger = Unlock(identity=Secret(str(pyrage.x25519.Identity.generate())))

    for file, unlock in ((backup, stranger), (damaged, UNLOCK), (io.BytesIO(b"something else"), UNLOCK)):
        file.seek(0)
        with pytest.raises(Invalid):
            restoring.restore(fresh, file, unlock)

    assert left(fresh) == []


async def test_a_passphrase_opens_it_and_another_does_not(place: Place) -> None:
    fresh = place("fresh")
    with origin(place("origin")) as old:
        await old.issue_token("bot")
        backup = await old.backup(Lock(PASSPHRASE))

        with pytest.raises(Invalid, match="does not open"):
            restoring.restore(fresh, backup, Unlock(Secret("another one")))
        backup.seek(0)
        restoring.restore(fresh, backup, Unlock(PASSPHRASE))

        assert rows(fresh) == rows(old.settings)


async def test_a_root_key_in_the_settings_has_to_be_the_right_one(place: Place) -> None:
    with origin(place("origin", "sqlite")) as old:
        await old.issue_token("bot")
        backup = await old.backup()
        key = (old.settings.data_dir / "root.key").read_text().strip()
    right, wrong = (
        settings.load(data_dir=old.settings.data_dir.parent / "fresh", root_key=text) for text in (key, "A" * 43 + "=")
    )

    with pytest.raises(Misconfigured, match="KEYSTEAD_ROOT_KEY"):
        restoring.restore(wrong, backup, UNLOCK)
    backup.seek(0)
    restoring.restore(right, backup, UNLOCK)

    assert not (right.data_dir / "root.key").exists()


def test_a_lock_is_a_good_passphrase_or_a_recipient() -> None:
    for wrong in (
        {},
        {"passphrase": Secret("short")},
        {"recipient": "age1x"},
        {"passphrase": PASSPHRASE, "recipient": "x"},
    ):
        with pytest.raises(Invalid):
            Lock(**wrong)
