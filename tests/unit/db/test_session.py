"""Units on both engines: what commits, what does not, and which error tells it."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, create_engine, insert, select, text

from keystead.db.session import Database, SqliteDatabase, Weight, open_database
from keystead.kit.errors import Conflict, StorageBusy, StorageFailed
from tests.support import databases
from tests.support.postgres import PostgresServer

NOTES = Table(
    "notes", MetaData(), Column("id", Integer, primary_key=True), Column("body", String(4000), nullable=False)
)


def add(number: int, body: str = "x") -> Callable[[Connection], int]:
    def unit(connection: Connection) -> int:
        connection.execute(insert(NOTES), {"id": number, "body": body})
        return number

    return unit


def add_and_refuse(number: int) -> Callable[[Connection], int]:
    def unit(connection: Connection) -> int:
        add(number)(connection)
        raise Conflict("no")

    return unit


async def stored(database: Database, weight: Weight = Weight.LIST) -> list[int]:
    return await database.read(
        lambda connection: list(connection.execute(select(NOTES.c.id).order_by(NOTES.c.id)).scalars()), weight
    )


@pytest.fixture
async def notes(database: Database) -> Database:
    await database.write(lambda connection: connection.execute(text("DROP TABLE IF EXISTS notes")) and None)
    await database.write(lambda connection: NOTES.create(connection))
    return database


async def test_a_unit_commits_and_returns(notes: Database) -> None:
    assert await notes.write(add(1)) == 1

    assert await stored(notes) == await stored(notes, Weight.POINT) == [1]


async def test_what_a_unit_raises_undoes_it(notes: Database) -> None:
    with pytest.raises(Conflict):
        await notes.write(add_and_refuse(1))

    assert await stored(notes) == []


async def test_units_written_together_fail_alone(notes: Database) -> None:
    outcomes = await asyncio.gather(
        notes.write(add(1)),
        notes.write(add(2)),
        notes.write(add_and_refuse(3)),
        notes.write(add(2)),
        notes.write(add(4)),
        return_exceptions=True,
    )

    failed = [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)]
    assert sorted(failed, key=str) == sorted([Conflict, StorageFailed], key=str)
    assert await stored(notes) == [1, 2, 4]


async def test_a_violation_caught_in_the_unit_is_its_own_affair(notes: Database) -> None:
    await notes.write(add(1))

    def unit(connection: Connection) -> None:
        try:
            add(1)(connection)
        except Exception as error:
            raise Conflict("taken") from error

    outcomes = await asyncio.gather(notes.write(unit), notes.write(add(2)), return_exceptions=True)

    assert isinstance(outcomes[0], Conflict)
    assert await stored(notes) == [1, 2]


async def test_a_cancelled_write_that_waits_is_not_made(notes: Database) -> None:
    hundred = [asyncio.ensure_future(notes.write(add(number))) for number in range(100)]
    await asyncio.sleep(0)
    for task in hundred[90:]:
        task.cancel()

    outcomes = await asyncio.gather(*hundred, return_exceptions=True)

    done = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert set(range(90)) <= set(done)
    assert set(done) <= set(await stored(notes))


async def test_a_bad_statement_is_a_failure_of_storage(notes: Database) -> None:
    with pytest.raises(StorageFailed):
        await notes.read(lambda connection: connection.execute(text("SELECT * FROM nowhere")).all())

    assert await stored(notes) == []


# --- SQLite ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "notes.db"


@pytest.fixture
def sqlite_notes(sqlite_path: Path) -> Iterator[SqliteDatabase]:
    database = open_database(f"sqlite+pysqlite:///{sqlite_path}", synchronous="OFF")
    assert isinstance(database, SqliteDatabase)
    with database.engine.connect() as connection:
        NOTES.create(connection)
    yield database
    database.close()


async def hold_writer(database: SqliteDatabase) -> Callable[[], None]:
    """Keep the writer thread in a unit until the returned function is called, so that others gather behind it."""
    began, release = threading.Event(), threading.Event()

    def unit(connection: Connection) -> None:
        began.set()
        release.wait(10)

    task = asyncio.ensure_future(database.write(unit))
    await asyncio.to_thread(began.wait, 10)

    def let_go() -> None:
        release.set()

    task.add_done_callback(lambda done: done.result())
    return let_go


def note_commits(connection: Connection, commits: list[str]) -> None:
    """Have SQLite itself tell of every commit on the writer's connection."""
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)


async def test_gathered_units_share_one_commit(sqlite_notes: SqliteDatabase) -> None:
    commits: list[str] = []
    await sqlite_notes.write(lambda connection: note_commits(connection, commits))
    let_go = await hold_writer(sqlite_notes)
    writes = [asyncio.ensure_future(sqlite_notes.write(add(number))) for number in range(40)]
    await asyncio.sleep(0)
    let_go()
    await asyncio.gather(*writes)

    # That of the unit that asked for it, the one that was held, and the one of all forty.
    assert commits == ["COMMIT", "COMMIT", "COMMIT"]
    assert await stored(sqlite_notes) == list(range(40))


async def test_a_failing_unit_in_a_group_fails_alone(sqlite_notes: SqliteDatabase) -> None:
    let_go = await hold_writer(sqlite_notes)
    writes = [
        asyncio.ensure_future(sqlite_notes.write(unit))
        for unit in (add(1), add_and_refuse(2), add(1), add(3), add_and_refuse(4), add(5))
    ]
    await asyncio.sleep(0)
    let_go()

    outcomes = await asyncio.gather(*writes, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [int, Conflict, StorageFailed, int, Conflict, int]
    assert await stored(sqlite_notes) == [1, 3, 5]


async def test_a_locked_file_is_busy_for_all_that_wait_after_one_time_out(
    sqlite_notes: SqliteDatabase, sqlite_path: Path
) -> None:
    await sqlite_notes.write(
        lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=200").close()  # 5 s would be slow
    )
    other = sqlite3.connect(sqlite_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = asyncio.get_running_loop().time()

    outcomes = await asyncio.gather(*(sqlite_notes.write(add(number)) for number in range(20)), return_exceptions=True)
    took_s = asyncio.get_running_loop().time() - started
    other.execute("ROLLBACK")
    other.close()

    assert {type(outcome) for outcome in outcomes} == {StorageBusy}
    assert took_s < 2
    assert await sqlite_notes.write(add(1)) == 1


async def test_a_full_disk_fails_and_recovers(sqlite_notes: SqliteDatabase) -> None:
    def limit(pages: int) -> Callable[[Connection], None]:
        return lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={pages}").close()

    await sqlite_notes.write(limit(4))
    outcomes = await asyncio.gather(
        *(sqlite_notes.write(add(number, "x" * 3900)) for number in range(20)), return_exceptions=True
    )
    await sqlite_notes.write(limit(10_000))
    await sqlite_notes.write(add(100))

    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {type(error) for error in failed} == {StorageFailed}
    assert "full" in str(failed[0])
    made = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert await stored(sqlite_notes) == [*made, 100]


async def test_a_full_disk_swallowed_by_a_unit_commits_nothing(sqlite_notes: SqliteDatabase) -> None:
    def unit(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count=4").close()
        for number in range(20):
            try:
                add(number, "x" * 3900)(connection)
            except Exception:
                return

    with pytest.raises(StorageFailed):
        await sqlite_notes.write(unit)

    assert await stored(sqlite_notes) == []


@pytest.mark.parametrize("weight", list(Weight))
async def test_a_reader_cannot_write(sqlite_notes: SqliteDatabase, weight: Weight) -> None:
    with pytest.raises(StorageFailed, match="readonly"):
        await sqlite_notes.read(add(1), weight)


async def test_close_finishes_the_queue(sqlite_path: Path) -> None:
    database = open_database(f"sqlite+pysqlite:///{sqlite_path}", synchronous="OFF")
    with database.engine.connect() as connection:
        NOTES.create(connection)
    writes = [asyncio.ensure_future(database.write(add(number))) for number in range(200)]
    await asyncio.sleep(0)

    await asyncio.to_thread(database.close)

    assert await asyncio.gather(*writes) == list(range(200))
    with pytest.raises(StorageBusy, match="closing"):
        await database.write(add(1))


async def test_a_queue_has_an_end(sqlite_notes: SqliteDatabase) -> None:
    let_go = await hold_writer(sqlite_notes)
    writes = [asyncio.ensure_future(sqlite_notes.write(add(number))) for number in range(2010)]
    await asyncio.sleep(0)
    let_go()

    outcomes = await asyncio.gather(*writes, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [int] * 2000 + [StorageBusy] * 10


async def test_the_word_locked_in_a_message_of_sqlite_is_not_a_lock(sqlite_notes: SqliteDatabase) -> None:
    with pytest.raises(StorageFailed):
        await sqlite_notes.read(lambda connection: connection.execute(text("SELECT * FROM locked")).all())


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


@pytest.fixture
def postgres_notes(postgres_server: PostgresServer) -> Iterator[Database]:
    with databases.cloned_postgres(postgres_server, "session_notes") as url:
        engine = create_engine(url)
        NOTES.create(engine)
        engine.dispose()
        database = open_database(url)
        yield database
        database.close()


def kill_own_connection(connection: Connection) -> None:
    connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


@pytest.mark.parametrize("how", ["read", "write"])
async def test_a_killed_connection_is_busy_and_recovers(postgres_notes: Database, how: str) -> None:
    run = postgres_notes.read if how == "read" else postgres_notes.write

    with pytest.raises(StorageBusy):
        await run(kill_own_connection)

    assert await postgres_notes.write(add(1)) == 1
    assert await stored(postgres_notes) == [1]


async def test_idle_connections_that_were_killed_are_replaced(
    postgres_notes: Database, postgres_server: PostgresServer
) -> None:
    await asyncio.gather(*(postgres_notes.write(add(number)) for number in range(12)))
    postgres_server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'session_notes'")

    assert await stored(postgres_notes) == list(range(12))


async def test_a_server_that_is_away_is_busy(tmp_path: Path) -> None:
    database = open_database(f"postgresql+psycopg://postgres@/nowhere?host={tmp_path}")

    with pytest.raises(StorageBusy):
        await database.write(add(1))

    database.close()


async def test_a_lock_time_out_is_busy(postgres_notes: Database) -> None:
    await postgres_notes.write(add(1))
    holding, release = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(connection: Connection) -> None:
        connection.execute(text("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE"))
        loop.call_soon_threadsafe(holding.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

    def wait_for_lock(connection: Connection) -> None:
        connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
        connection.execute(text("SELECT * FROM notes FOR UPDATE"))

    holder = asyncio.ensure_future(postgres_notes.write(hold))
    await holding.wait()
    with pytest.raises(StorageBusy):
        await postgres_notes.write(wait_for_lock)
    release.set()
    await holder


async def test_the_word_locked_in_a_message_of_postgresql_is_not_a_lock(postgres_notes: Database) -> None:
    with pytest.raises(StorageFailed):
        await postgres_notes.read(lambda connection: connection.execute(text("SELECT 'locked'::integer")).all())


async def test_a_unit_that_nobody_waits_for_shares_the_commit_of_several(sqlite_notes: SqliteDatabase) -> None:
    commits: list[str] = []
    await sqlite_notes.write(lambda connection: note_commits(connection, commits))
    commits.clear()

    let_go = await hold_writer(sqlite_notes)
    units = [sqlite_notes.write_soon(add(1)), sqlite_notes.write(add(2)), sqlite_notes.write(add(3))]
    written = [asyncio.ensure_future(unit) for unit in units]
    await asyncio.sleep(0)
    let_go()
    await asyncio.gather(*written)

    assert commits == ["COMMIT", "COMMIT"]
    assert await stored(sqlite_notes) == [1, 2, 3]


async def test_a_single_unit_does_not_wait_for_one_that_nobody_waits_for(
    sqlite_notes: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keystead.db.writing._PATIENCE_S", 3600.0)
    patient = asyncio.ensure_future(sqlite_notes.write_soon(add(1)))
    await asyncio.sleep(0)

    await sqlite_notes.write(add(2))

    assert not patient.done()
    assert await stored(sqlite_notes) == [2]


async def test_a_write_that_is_not_called_off_tells_a_cancelled_caller_how_it_ended(notes: Database) -> None:
    begun, may_end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    told: list[int] = []

    def unit(connection: Connection) -> int:
        loop.call_soon_threadsafe(begun.set)
        assert may_end.wait(60)
        return add(7)(connection)

    async def ask() -> None:
        told.append(await notes.write_whole(unit))
        await asyncio.sleep(3600)

    asking = asyncio.create_task(ask())
    await begun.wait()
    asking.cancel()
    await asyncio.sleep(0)
    was_over = asking.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert not was_over
    assert told == await stored(notes) == [7]


async def test_a_unit_that_nobody_waits_for_is_committed_by_itself_in_a_moment(database: Database) -> None:
    assert await asyncio.wait_for(database.write_soon(lambda connection: 7), 10) == 7


async def test_a_failed_statement_does_not_tell_its_values(database: Database) -> None:
    statement = text("SELECT nonsense FROM accounts WHERE name = :value")

    with pytest.raises(StorageFailed) as failed:
        await database.read(lambda connection: connection.execute(statement, {"value": "s3cret"}))

    assert "SELECT nonsense" in str(failed.value.__cause__)
    assert "s3cret" not in str(failed.value.__cause__)
