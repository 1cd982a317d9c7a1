"""Another program's database is read as it is at this moment, and left as it was."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from keystead.importing import sqlitefile
from keystead.kit.errors import Invalid

EXPECTED = "a database of people"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "panel with ?odd# name.db"


def live(path: Path, mode: str) -> sqlite3.Connection:
    """Return the connection of a program that goes on writing."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE people (id INTEGER, name TEXT)")
    connection.execute("INSERT INTO people VALUES (1, 'anna')")
    return connection


def names(path: Path) -> list[object]:
    with sqlitefile.opened(path, expected=EXPECTED) as tables:
        return [row["name"] for row in tables.rows("people", ["name"])]


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_rows_that_a_running_program_has_just_written_are_read(path: Path, mode: str) -> None:
    with closing(live(path, mode)) as program:
        program.execute("INSERT INTO people VALUES (2, 'ben')")

        assert names(path) == ["anna", "ben"]


def test_a_running_program_can_write_while_its_file_is_read(path: Path) -> None:
    with closing(live(path, "wal")) as program, sqlitefile.opened(path, expected=EXPECTED) as tables:
        before = tables.rows("people", ["name"])
        program.execute("INSERT INTO people VALUES (2, 'ben')")

        assert tables.rows("people", ["name"]) == before


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_reading_leaves_no_file_behind(path: Path, mode: str) -> None:
    live(path, mode).close()
    before = {file: file.read_bytes() for file in path.parent.iterdir()}

    names(path)

    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_copy_with_its_log_is_read_whole_and_left_as_it_was(
    path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("copied")
    with closing(live(path, "wal")) as program:
        program.execute("INSERT INTO people VALUES (2, 'ben')")
        for suffix in ("", "-wal"):
            shutil.copy(path.with_name(path.name + suffix), place / f"copy.db{suffix}")

    assert names(place / "copy.db") == ["anna", "ben"]
    assert sorted(file.name for file in place.iterdir()) == ["copy.db", "copy.db-wal"]


def test_a_file_that_may_lack_its_log_carries_a_caution(path: Path) -> None:
    with closing(live(path, "wal")), sqlitefile.opened(path, expected=EXPECTED) as tables:
        assert tables.cautions == ()
    with sqlitefile.opened(path, expected=EXPECTED) as tables:
        assert "the newest customers are missing" in tables.cautions[0].sentence


def test_a_directory_that_nobody_may_write_to_is_enough(path: Path) -> None:
    live(path, "wal").close()
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        assert names(path) == ["anna"]
    finally:
        path.parent.chmod(0o700)


def test_a_missing_column_is_named_and_an_optional_one_is_left_out(path: Path) -> None:
    live(path, "delete").close()
    with sqlitefile.opened(path, expected=EXPECTED) as tables:
        assert tables.rows("people", ["id"], optional=["age", "name"]) == [{"id": 1, "name": "anna"}]
        with pytest.raises(Invalid, match="lacks columns age of the table people; it should be a database of people"):
            tables.rows("people", ["age"])


def test_a_view_is_not_taken_for_a_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        endless = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n"
        connection.execute(f"CREATE VIEW people AS {endless}")
        connection.commit()

    with sqlitefile.opened(path, expected=EXPECTED) as tables, pytest.raises(Invalid, match="people"):
        tables.rows("people", ["id"])


def test_too_many_rows_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlitefile, "ROWS_MAX", 0)  # 200,000 rows would take the test seconds
    live(path, "delete").close()

    with sqlitefile.opened(path, expected=EXPECTED) as tables, pytest.raises(Invalid, match="more than 0 rows"):
        tables.rows("people", ["id"])


@pytest.mark.parametrize("content", [b"", b"text", b"SQLite format 3\0", b"SQLite format 3\0" + b"\x01" * 4000])
def test_a_file_that_is_no_database_says_what_was_expected(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(Invalid, match=EXPECTED):
        names(path)


def test_a_missing_file_is_told(path: Path) -> None:
    with pytest.raises(Invalid, match="No such file"):
        names(path)


def test_text_that_is_no_utf8_costs_nobody_a_customer(path: Path) -> None:
    with closing(live(path, "delete")) as program:
        program.execute("INSERT INTO people VALUES (2, CAST(x'ff41' AS TEXT))")

    assert names(path) == ["anna", "�A"]
