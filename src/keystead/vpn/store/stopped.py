"""Queries of keys that a bulk has stopped, for whoever compares the engine with the database."""

from sqlalchemy import Connection, bindparam, select

from keystead.db.prepared import Prepared
from keystead.jobs.models import JOBS
from keystead.vpn.models import BULK_ITEMS, INBOUNDS, KEYS

_BY_BULKS = Prepared(
    select(KEYS.c.label)
    .join_from(JOBS, BULK_ITEMS, BULK_ITEMS.c.job == JOBS.c.number)
    .join(KEYS, BULK_ITEMS.c.key_number == KEYS.c.number)
    .join(INBOUNDS, KEYS.c.inbound_id == INBOUNDS.c.id)
    .where(
        JOBS.c.ended_at.is_(None),
        BULK_ITEMS.c.outcome == "done",
        KEYS.c.is_active.is_(False),
        INBOUNDS.c.scope == bindparam("scope"),
    )
)


def by_bulks(connection: Connection, scope: str) -> list[str]:
    """Return the labels of keys that bulks which are not over have stopped."""
    return [str(label) for (label,) in _BY_BULKS.rows(connection, {"scope": scope})]
