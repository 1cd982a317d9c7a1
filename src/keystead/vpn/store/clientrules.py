"""Queries of how old clients may be in a scope."""

from datetime import datetime
from functools import cache

from sqlalchemy import Connection, bindparam, select

from keystead.db.prepared import Prepared
from keystead.db.upserts import insert_into
from keystead.vpn.models import CLIENT_RULES, INBOUNDS, KEYS

R = CLIENT_RULES.c

_FIND = Prepared(select(R.versions).where(R.scope == bindparam("scope")))
_ANY_KEY = Prepared(
    select(KEYS.c.number)
    .join_from(KEYS, INBOUNDS, KEYS.c.inbound_id == INBOUNDS.c.id)
    .where(INBOUNDS.c.scope == bindparam("scope"))
    .limit(1)
)


@cache
def _put(dialect: str) -> Prepared:
    made = insert_into(CLIENT_RULES, dialect)
    values = {"versions": made.excluded.versions, "since": made.excluded.since}
    return Prepared(made.on_conflict_do_update(index_elements=["scope"], set_=values))


def find(connection: Connection, scope: str) -> str | None:
    """Return how old clients may be in a scope; None when nothing was ever in force there."""
    found: str | None = _FIND.scalar(connection, {"scope": scope})
    return found


def put(connection: Connection, scope: str, versions: str, at: datetime) -> None:
    """Store how old clients may be in a scope."""
    _put(connection.dialect.name).run(connection, {"scope": scope, "versions": versions, "since": at})


def has_keys(connection: Connection, scope: str) -> bool:
    """Tell whether there is a key in a scope."""
    return _ANY_KEY.first(connection, {"scope": scope}) is not None
