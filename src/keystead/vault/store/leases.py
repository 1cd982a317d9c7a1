"""Queries of leases."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, update

from keystead.db.absent import InsertIfAbsent
from keystead.vault.models import LEASES

L = LEASES.c
_ONE = L.place == bindparam("of_place")
_IS_HELD = L.holder == bindparam("by")
_ADD = InsertIfAbsent(LEASES)
_TAKE = (
    update(LEASES)
    .where(_ONE, L.until <= bindparam("now", type_=L.until.type))
    .values(holder=bindparam("by"), until=bindparam("new_until", type_=L.until.type))
)
_RENEW = update(LEASES).where(_ONE, _IS_HELD).values(until=bindparam("new_until", type_=L.until.type))
_DROP = delete(LEASES).where(_ONE, _IS_HELD)


@dataclass(frozen=True)
class Lease:
    """A place at a provider that nobody else changes; ``holder`` is whoever took it, once."""

    place: str
    holder: str


def take(connection: Connection, lease: Lease, *, now: datetime, until: datetime) -> bool:
    """Take a place unless somebody has it; tell whether it was taken."""
    if _ADD.run(connection, {"place": lease.place, "holder": lease.holder, "until": until}):
        return True
    values = {"of_place": lease.place, "by": lease.holder, "now": now, "new_until": until}
    return connection.execute(_TAKE, values).rowcount == 1


def renew(connection: Connection, lease: Lease, until: datetime) -> bool:
    """Keep a place for longer; tell whether it was still ours."""
    values = {"of_place": lease.place, "by": lease.holder, "new_until": until}
    return connection.execute(_RENEW, values).rowcount == 1


def drop(connection: Connection, lease: Lease) -> None:
    """Leave a place to others."""
    connection.execute(_DROP, {"of_place": lease.place, "by": lease.holder})
