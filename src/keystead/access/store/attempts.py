"""Queries of how often something was tried within a window."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, update

from keystead.access.models import SIGN_IN_ATTEMPTS
from keystead.db.absent import InsertIfAbsent

_C = SIGN_IN_ATTEMPTS.c
_BEGIN = InsertIfAbsent(SIGN_IN_ATTEMPTS)
_FORGET_OVER = delete(SIGN_IN_ATTEMPTS).where(_C.name == bindparam("wanted"), _C.ends_at <= bindparam("now"))
_COUNT = (
    update(SIGN_IN_ATTEMPTS)
    .where(_C.name == bindparam("wanted"), _C.count < bindparam("most"))
    .values(count=_C.count + 1)
)
_ENDS_AT = select(_C.ends_at).where(_C.name == bindparam("wanted"))
_GIVE_BACK = update(SIGN_IN_ATTEMPTS).where(_C.name == bindparam("wanted"), _C.count > 0).values(count=_C.count - 1)
_FORGET = delete(SIGN_IN_ATTEMPTS).where(_C.name == bindparam("wanted"))
_PURGE = delete(SIGN_IN_ATTEMPTS).where(_C.ends_at <= bindparam("now"))


def take(connection: Connection, name: str, most: int, now: datetime, until: datetime) -> datetime | None:
    """Count one more; return None, or when the window ends that holds as many as it may."""
    connection.execute(_FORGET_OVER, {"wanted": name, "now": now})
    _BEGIN.run(connection, {"name": name, "count": 0, "ends_at": until})
    if connection.execute(_COUNT, {"wanted": name, "most": most}).rowcount == 1:
        return None
    ends_at: datetime | None = connection.execute(_ENDS_AT, {"wanted": name}).scalar()
    return ends_at or until


def give_back(connection: Connection, name: str) -> None:
    """Count one less."""
    connection.execute(_GIVE_BACK, {"wanted": name})


def forget(connection: Connection, name: str) -> None:
    """Begin anew."""
    connection.execute(_FORGET, {"wanted": name})


def purge(connection: Connection, now: datetime) -> int:
    """Delete windows that are over; return how many."""
    return connection.execute(_PURGE, {"now": now}).rowcount
