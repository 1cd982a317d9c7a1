"""What the doctor asks the database: which one it is, and whether it is whole and up to date."""

from dataclasses import dataclass

from sqlalchemy import Connection

from keystead.db import migrate

_PROBLEMS_SHOWN = 5


@dataclass(frozen=True)
class Checkup:
    """The database as it was found; ``problems`` are what its own quick check says."""

    product: str
    is_current: bool
    problems: tuple[str, ...]


def examine(connection: Connection) -> Checkup:
    """Examine the database; SQLite reads its whole file for it."""
    is_current = migrate.is_current(connection)
    if connection.dialect.name != "sqlite":
        version = str(connection.exec_driver_sql("SHOW server_version").scalar())
        return Checkup(f"PostgreSQL {version}", is_current, ())
    version = str(connection.exec_driver_sql("SELECT sqlite_version()").scalar())
    mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
    found = [str(row[0]) for row in connection.exec_driver_sql(f"PRAGMA quick_check({_PROBLEMS_SHOWN})")]
    return Checkup(f"SQLite {version}, {mode}", is_current, tuple(line for line in found if line != "ok"))
