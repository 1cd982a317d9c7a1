"""Queries of what webhooks were last told of engines."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, update

from keystead.db.absent import InsertIfAbsent
from keystead.outbox.models import ANNOUNCED

_ADD = InsertIfAbsent(ANNOUNCED)
_SET = (
    update(ANNOUNCED)
    .where(ANNOUNCED.c.scope == bindparam("of_scope"), ANNOUNCED.c.is_up != bindparam("new_is_up"))
    .values(is_up=bindparam("new_is_up"), at=bindparam("new_at"))
)


def announce(connection: Connection, scope: str, at: datetime, *, is_up: bool) -> bool:
    """Note how an engine is; return whether that is news. An engine nothing was said of counts as up."""
    _ADD.run(connection, {"scope": scope, "is_up": True, "at": at})
    return connection.execute(_SET, {"of_scope": scope, "new_is_up": is_up, "new_at": at}).rowcount == 1
