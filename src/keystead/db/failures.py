"""What a database driver's failures are to Keystead: busy, which passes, or failed."""

import sqlite3

from sqlalchemy.exc import DBAPIError

from keystead.kit.errors import KeysteadError, StorageBusy, StorageFailed

_SQLITE_BUSY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# serialization_failure, deadlock_detected, lock_not_available, admin_shutdown, crash_shutdown, cannot_connect_now,
# too_many_connections.
_BUSY_STATES = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300"}


def translated(error: DBAPIError) -> KeysteadError:
    """Return the Keystead error for a driver's failure: busy (temporary) or failed.

    SQLite tells by its result code, whose low byte is the primary one (sqlite.org/rescode.html; Python has it since
    3.11). PostgreSQL tells by SQLSTATE (documentation, appendix A), and without one it was out of reach.
    """
    text = str(error.orig)
    state = getattr(error.orig, "sqlstate", None)
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if error.connection_invalidated or code in _SQLITE_BUSY_CODES or state in _BUSY_STATES:
        return StorageBusy("the database is busy; try again")
    if state is None and type(error.orig).__module__.startswith("psycopg"):
        return StorageBusy("the database is out of reach; try again")
    return StorageFailed(f"the database refused: {text.splitlines()[0] if text else type(error.orig).__name__}")
