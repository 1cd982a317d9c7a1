"""Another program's SQLite file, read in one short transaction and never written to.

The program may be running. A file in WAL mode is opened read-only with its ``-wal``, which holds the newest rows, and
hinders nobody. In the older journal mode a reader holds a shared lock for the milliseconds this takes. Opening must not
leave files beside the panel's (https://sqlite.org/wal.html, "Read-Only Databases"), so two cases are opened otherwise:

- a file in WAL mode with neither ``-wal`` nor ``-shm`` is a copy, or its program has ended: as immutable. If it is a
  copy without the ``-wal`` it lacks rows, and nothing in it says so: ``Tables.cautions`` tells people.
- one with a ``-wal`` and no ``-shm`` is nobody's at the moment: it is copied, and the copy is read.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from keystead.importing.fields import Record
from keystead.importing.found import NotCarried, What
from keystead.kit.errors import Invalid

ROWS_MAX = 200_000
CELL_SIZE_BYTES_MAX = 64 << 20
_MAGIC = b"SQLite format 3\0"
_HEADER_SIZE_BYTES = 20
_WAL_FORM = 2
_BUSY_TIMEOUT_S = 5.0
_ALONE = (
    "was read without a log beside it: if it was copied from a running panel without its -wal file, "
    "the newest customers are missing; copy it with: sqlite3 FILE \".backup 'COPY'\""
)


class Tables:
    """The tables of an open file, read by name; ``expected`` says in messages what the file should be."""

    def __init__(self, connection: sqlite3.Connection, expected: str, cautions: tuple[NotCarried, ...]) -> None:
        self._connection = connection
        self._expected = expected
        self.cautions = cautions

    def has(self, table: str) -> bool:
        """Tell whether the file has a table of that name; a view is none."""
        found = self._connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,))
        return found.fetchone() is not None

    def rows(self, table: str, columns: Sequence[str], *, optional: Sequence[str] = ()) -> list[Record]:
        """Return all rows of a table; columns that this version of the program lacks are left out of the rows.

        Raises Invalid when the table or one of the needed columns is missing, or when there are too many rows.
        """
        there = set(self.columns(table))
        missing = [column for column in columns if column not in there]
        if missing or not self.has(table):
            lacking = f"columns {', '.join(missing)} of " if there else ""
            raise Invalid(f"the file lacks {lacking}the table {table}; it should be {self._expected}")
        wanted = [*columns, *(column for column in optional if column in there)]
        # The names are constants of a reader, and checked against the file's own list.
        listed = ", ".join(f'"{column}"' for column in wanted)
        statement = f'SELECT {listed} FROM "{table}" LIMIT {ROWS_MAX + 1}'  # noqa: S608 - see above
        found = self._connection.execute(statement).fetchall()
        if len(found) > ROWS_MAX:
            raise Invalid(f"the table {table} has more than {ROWS_MAX} rows")
        return [dict(zip(wanted, row, strict=True)) for row in found]

    def columns(self, table: str) -> list[str]:
        """Return the names of a table's columns; none for a table that is not there."""
        return [name for (name,) in self._connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]


@contextmanager
def opened(path: Path, *, expected: str) -> Iterator[Tables]:
    """Open a file for reading; raise Invalid when it is no SQLite file, damaged, or cannot be read."""
    is_wal = _is_wal(path, expected)
    has_log, has_index = (path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-shm"))
    is_alone = is_wal and not has_log and not has_index
    cautions = (NotCarried(What.RECORD, f"{path.name} {_ALONE}"),) if is_alone else ()
    try:
        with _at_rest(path, is_copied=has_log and not has_index) as place:
            uri = f"file:{quote(str(place.absolute()))}?mode=ro{'&immutable=1' if is_alone else ''}"
            with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)) as connection:
                _prepare(connection)
                yield Tables(connection, expected, cautions)
    except sqlite3.Error as error:
        raise Invalid(
            f"{path.name} cannot be read ({error}); it should be {expected}. "
            "Make a copy with: sqlite3 FILE \".backup 'COPY'\""
        ) from error


def _prepare(connection: sqlite3.Connection) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, CELL_SIZE_BYTES_MAX)
    connection.text_factory = _text
    for setting in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute("BEGIN")


@contextmanager
def _at_rest(path: Path, *, is_copied: bool) -> Iterator[Path]:
    """Give the file itself, or a private copy with its log that is removed at the end."""
    if not is_copied:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="keystead-import-") as directory:
        copy = Path(directory) / "copy.db"
        try:
            shutil.copyfile(path, copy)
            shutil.copyfile(path.with_name(f"{path.name}-wal"), copy.with_name(f"{copy.name}-wal"))
        except OSError as error:
            raise Invalid(f"{path} cannot be read: {error.strerror}") from error
        yield copy


def _is_wal(path: Path, expected: str) -> bool:
    """Tell whether a file is in WAL mode; raise Invalid when it is no SQLite file."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_SIZE_BYTES)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error
    if not header.startswith(_MAGIC) or len(header) < _HEADER_SIZE_BYTES:
        raise Invalid(f"{path.name} is no SQLite file; it should be {expected}")
    return _WAL_FORM in header[18:20]


def _text(raw: bytes) -> str:
    """Return stored text; bytes that are no UTF-8 are replaced, since a name is no reason to lose a customer."""
    return raw.decode(errors="replace")
