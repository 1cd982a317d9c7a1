"""Bring the schema up to date: Alembic in process, foreign keys off meanwhile, checked after.

With foreign keys on, a batch ALTER of a parent table on SQLite deletes its children: the table is dropped and made
anew (measured with Alembic 1.20).
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from keystead.kit.errors import Broken, Misconfigured

_MIGRATIONS = Path(__file__).parent / "migrations"


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
    except OperationalError as error:
        shown = make_url(url).render_as_string(hide_password=True)
        raise Misconfigured(
            f"the database {shown} cannot be opened: {error.orig}; check KEYSTEAD_DATABASE_URL"
        ) from error
    finally:
        engine.dispose()


def current_revision(connection: Connection) -> str | None:
    """Return the revision of a database's schema, None for one without."""
    return MigrationContext.configure(connection).get_current_revision()


def build(connection: Connection, revision: str) -> None:
    """Build the schema of a revision in an empty database, on the caller's connection and without a commit.

    Raises Misconfigured for a revision that only a newer Keystead knows.
    """
    if revision not in {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}:
        raise Misconfigured(f"schema revision {revision} is unknown to this Keystead; use the version that made it")
    command.upgrade(config(connection), revision)


def config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration, bound to a connection when one is given."""
    made = Config()
    made.set_main_option("script_location", str(_MIGRATIONS))
    made.attributes["connection"] = connection
    return made


def _pending(connection: Connection) -> list[str]:
    scripts = ScriptDirectory.from_config(config())
    current = current_revision(connection)
    connection.rollback()
    revisions = [script.revision for script in scripts.walk_revisions()][::-1]
    if current is None:
        return revisions
    if current not in revisions:
        raise Misconfigured(f"the database has revision {current}, which this Keystead does not know; use a newer one")
    return revisions[revisions.index(current) + 1 :]


def _run(connection: Connection) -> None:
    command.upgrade(config(connection), "head")
    connection.commit()


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
