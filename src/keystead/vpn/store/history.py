"""Queries of what keys carried by hours and days of UTC.

The hour that runs is not a row of its own: a label's row says what its total was when that hour began. The first
booking in another hour writes the finished one, as one row for the hour and one for the day, so that a key that
carries all day costs 24 rows, and one that carries nothing costs none.
"""

from collections.abc import Sequence
from enum import Enum
from functools import cache
from typing import NamedTuple

from sqlalchemy import Connection, Table, bindparam, delete, func, literal_column, or_, select, update

from keystead.db.prepared import Prepared
from keystead.db.upserts import insert_into
from keystead.vpn.accounting import Bytes
from keystead.vpn.models import DAYS, HOURS, KEYS, TRAFFIC

T = TRAFFIC.c
HOURS_A_DAY = 24


class Step(Enum):
    """How long a bucket of history is."""

    HOUR = "hour"
    DAY = "day"


class Bucket(NamedTuple):
    """What a key carried in an hour or a day, whose number counts from 1970."""

    number: int
    carried: Bytes


def _unit(step: Step) -> tuple[Table, str]:
    return (HOURS, "hour") if step is Step.HOUR else (DAYS, "day")


def _close(step: Step, dialect: str) -> Prepared:
    """Return the statement that adds a label's finished hour to its key's bucket."""
    table, unit = _unit(step)
    number = T.hour if step is Step.HOUR else T.hour // literal_column(str(HOURS_A_DAY))
    finished = select(T.key_number, number, T.uplink - T.before_uplink, T.downlink - T.before_downlink).where(
        T.label == bindparam("at_label"), or_(T.uplink != T.before_uplink, T.downlink != T.before_downlink)
    )
    made = insert_into(table, dialect)
    ways = ("uplink", "downlink")
    return Prepared(
        made.from_select(["key_number", unit, *ways], finished).on_conflict_do_update(
            index_elements=["key_number", unit], set_={way: table.c[way] + made.excluded[way] for way in ways}
        )
    )


@cache
def _closing(dialect: str) -> list[Prepared]:
    """Return the statement of each step; the dialect of a database that is not used is not imported."""
    return [_close(step, dialect) for step in Step]


_TURN = Prepared(
    update(TRAFFIC)
    .where(T.label == bindparam("at_label"))
    .values(hour=bindparam("to_hour"), before_uplink=T.uplink, before_downlink=T.downlink)
)
_RUNNING = Prepared(
    select(T.hour, T.uplink - T.before_uplink, T.downlink - T.before_downlink).where(
        T.key_number == bindparam("number")
    )
)
_BUCKETS = {
    step: Prepared(
        select(table.c[unit], table.c.uplink, table.c.downlink).where(
            table.c.key_number == bindparam("number"),
            table.c[unit] >= bindparam("first"),
            table.c[unit] < bindparam("until"),
        )
    )
    for step in Step
    for table, unit in [_unit(step)]
}
_PRUNE = {
    step: delete(table).where(
        table.c.key_number > bindparam("after"),
        table.c.key_number <= bindparam("upto"),
        table.c[unit] < bindparam("before"),
    )
    for step in Step
    for table, unit in [_unit(step)]
}
_NEXT_KEYS = (
    select(KEYS.c.number).where(KEYS.c.number > bindparam("after")).order_by(KEYS.c.number).limit(bindparam("limit"))
)
_LAST = select(func.max(_NEXT_KEYS.subquery().c.number))


def turn(connection: Connection, labels: Sequence[str], hour: int) -> None:
    """Write the finished hours of labels, and let their bytes be counted in another hour from now on."""
    for close in _closing(connection.dialect.name):
        close.run_many(connection, ["at_label"], [(label,) for label in labels])
    _TURN.run_many(connection, ["at_label", "to_hour"], [(label, hour) for label in labels])


def buckets(connection: Connection, number: int, step: Step, *, first: int, until: int) -> list[Bucket]:
    """Return what a key carried in each bucket from ``first`` to before ``until``; empty ones are left out."""
    values = {"number": number, "first": first, "until": until}
    found = {unit: Bytes(*carried) for unit, *carried in _BUCKETS[step].rows(connection, values)}
    for hour, *carried in _RUNNING.rows(connection, {"number": number}):
        unit = hour if step is Step.HOUR else hour // HOURS_A_DAY
        if first <= unit < until:
            found[unit] = found.get(unit, Bytes()) + Bytes(*carried)
    return [Bucket(unit, carried) for unit, carried in sorted(found.items()) if carried.total]


def prune(connection: Connection, after: int, limit: int, *, before_hour: int, before_day: int) -> int | None:
    """Delete old buckets of the next keys by number; return the last of them, None when there are no more keys."""
    upto: int | None = connection.execute(_LAST, {"after": after, "limit": limit}).scalar()
    if upto is not None:
        for step, before in ((Step.HOUR, before_hour), (Step.DAY, before_day)):
            connection.execute(_PRUNE[step], {"after": after, "upto": upto, "before": before})
    return upto
