"""Bring the schema up to date: Alembic in process, foreign keys off meanwhile, checked after.

With foreign keys on, a batch ALTER of a parent table on SQLite deletes its children: the table is dropped and made
anew (measured with Alembic 1.20).

Whether anything is missing is told from the names of files (``0001_…``) and one row, without Alembic (``alembic_run``).
"""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError

from keystead.kit.errors import Broken, Misconfigured

_VERSIONS = Path(__file__).parent / "migrations" / "versions"
# PostgreSQL's code for it (appendix A of its manual); from 15 on a new database lets its owner alone make tables.
_INSUFFICIENT_PRIVILEGE = "42501"
_REVISION_TABLE = "alembic_version"


def upgrade(url: str) -> list[str]:
    """Apply what is missing; return the revisions applied. A SQLite file is copied beside before it is changed.

    Raises Misconfigured when the database is out of reach or from a newer Keystead.
    """
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            pending = _pending(connection)
            if pending and make_url(url).get_backend_name() == "sqlite":
                _copy_beside(connection, url, pending[0])
                _without_foreign_keys(connection, pending)
            elif pending:
                _run(connection)
        return pending
    except DatabaseError as error:
        if not _is_out_of_reach(error):
            raise
        shown = make_url(url).render_as_string(hide_password=True)
        raise Misconfigured(
            f"the database {shown} cannot be opened: {error.orig}; check KEYSTEAD_DATABASE_URL"
        ) from error
    finally:
        engine.dispose()


def _is_out_of_reach(error: DatabaseError) -> bool:
    """Tell whether the database is at fault: it does not answer, is none, or does not let us make tables."""
    is_no_database = type(error.orig) is sqlite3.DatabaseError  # its subclasses say what a statement did wrong
    is_forbidden = getattr(error.orig, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE
    return isinstance(error, OperationalError) or is_no_database or is_forbidden


def current_revision(connection: Connection) -> str | None:
    """Return the revision of a database's schema, None for one without."""
    if not inspect(connection).has_table(_REVISION_TABLE):
        return None
    revision: str | None = connection.exec_driver_sql(f"SELECT version_num FROM {_REVISION_TABLE}").scalar()  # noqa: S608
    return revision


def known_revisions() -> list[str]:
    """Return the revisions this Keystead knows, oldest first."""
    return sorted(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*_*.py"))


def build(connection: Connection, revision: str) -> None:
    """Build the schema of a revision in an empty database, on the caller's connection and without a commit.

    Raises Misconfigured for a revision that only a newer Keystead knows.
    """
    if revision not in known_revisions():
        raise Misconfigured(f"schema revision {revision} is unknown to this Keystead; use the version that made it")
    _migrate(connection, revision)


def _pending(connection: Connection) -> list[str]:
    current, revisions = current_revision(connection), known_revisions()
    connection.rollback()
    if current is None:
        return revisions
    if current not in revisions:
        raise Misconfigured(f"the database has revision {current}, which this Keystead does not know; use a newer one")
    return revisions[revisions.index(current) + 1 :]


def _run(connection: Connection) -> None:
    _migrate(connection, "head")
    connection.commit()


def _migrate(connection: Connection, revision: str) -> None:
    from keystead.db import alembic_run

    alembic_run.upgrade(connection, revision)


def _without_foreign_keys(connection: Connection, pending: list[str]) -> None:
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.commit()
    _run(connection)
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    connection.rollback()
    if broken:
        raise Broken(
            f"migrations {pending} left {len(broken)} rows without their parents; restore the copy beside the file"
        )


def _copy_beside(connection: Connection, url: str, first: str) -> None:
    """Keep the database as it was; a new, empty one needs no copy."""
    path = make_url(url).database
    is_empty = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar() == 0
    connection.rollback()
    if path and not is_empty:
        copy = Path(f"{path}.before-{first}")
        copy.unlink(missing_ok=True)
        connection.exec_driver_sql("VACUUM INTO ?", (str(copy),))
        connection.rollback()


def is_current(connection: Connection) -> bool:
    """Tell whether a database has every migration."""
    return not _pending(connection)


def engine_is_current(engine: Engine) -> bool:
    """Tell whether a database has every migration."""
    with engine.connect() as connection:
        return is_current(connection)
