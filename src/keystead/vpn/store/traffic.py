"""Queries of traffic: what labels carried and were last read at, summed per key, and when a scope was last read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, cast, func, insert, select, update

from keystead.db.prepared import Prepared
from keystead.vpn.accounting import NEVER_READ, Bytes, LabelReading
from keystead.vpn.models import INBOUNDS, KEYS, METERS, TERMS, TRAFFIC
from keystead.vpn.store.keys import CONFINED

T = TRAFFIC.c

_START = Prepared(insert(TRAFFIC))
# PostgreSQL sums whole numbers to decimal ones.
_TOTALS = Prepared(
    select(
        cast(func.sum(T.uplink), BigInteger),
        cast(func.sum(T.downlink), BigInteger),
        cast(func.sum(T.forgiven_uplink), BigInteger),
        cast(func.sum(T.forgiven_downlink), BigInteger),
        func.max(T.changed_at),
    )
    .where(T.key_number == bindparam("number"))
    .group_by(T.key_number)
)
_LIFETIMES = Prepared(
    select(T.key_number, cast(func.sum(T.uplink), BigInteger), cast(func.sum(T.downlink), BigInteger))
    .join_from(TERMS, TRAFFIC, TERMS.c.key_number == T.key_number)
    .where(TERMS.c.key_number.between(bindparam("first"), bindparam("last")))
    .group_by(T.key_number)
)
_COUNT_LABELS = Prepared(select(func.count()).select_from(TRAFFIC).where(T.key_number == bindparam("number")))
_FORGIVE = Prepared(
    update(TRAFFIC)
    .where(T.key_number == bindparam("at_number"))
    .values(forgiven_uplink=T.uplink, forgiven_downlink=T.downlink, changed_at=bindparam("at"))
)
_BOOK = Prepared(
    update(TRAFFIC)
    .where(T.label == bindparam("at_label"))
    .values(
        process=bindparam("to_process"),
        read_uplink=bindparam("to_up"),
        read_downlink=bindparam("to_down"),
        uplink=T.uplink + bindparam("more_up"),
        downlink=T.downlink + bindparam("more_down"),
        changed_at=bindparam("at"),
    )
)
_ALL_READINGS = select(T.label, T.process, T.read_uplink, T.read_downlink)
_READINGS = Prepared(_ALL_READINGS)
_READING = Prepared(_ALL_READINGS.where(T.label == bindparam("label")))
_METER = Prepared(select(METERS.c.read_at).where(METERS.c.scope == bindparam("scope")))
_ADD_METER = insert(METERS)
_SET_METER = (
    update(METERS)
    .where(METERS.c.scope == bindparam("at_scope"))
    .values(process=bindparam("to_process"), read_at=bindparam("at"))
)
_COUNT_ACTIVE = Prepared(
    select(func.count())
    .select_from(KEYS)
    .join(INBOUNDS, KEYS.c.inbound_id == INBOUNDS.c.id)
    .where(KEYS.c.account_id == bindparam("account_id"), KEYS.c.is_active.is_(True), KEYS.c.state == "live")
    .where(INBOUNDS.c.placement == bindparam("placement"), CONFINED)
)
# Any number that nothing else locks; the lock ends with the transaction.
_TAKE_TURN = select(func.pg_advisory_xact_lock(bindparam("lock")))
_BOOKING_LOCK = 0x6B65_7973


@dataclass(frozen=True)
class Totals:
    """A key's bytes over its whole life, the part that resets took out of sight, and when they last changed."""

    lifetime: Bytes
    forgiven: Bytes
    changed_at: datetime

    @property
    def visible(self) -> Bytes:
        """Return the bytes since the last reset."""
        return self.lifetime - self.forgiven


class Booking(NamedTuple):
    """A new reading of a label, and the bytes it adds."""

    label: str
    reading: LabelReading
    more: Bytes


def start(connection: Connection, number: int, label: str, at: datetime) -> None:
    """Start a new label of a key at zero."""
    counts = ("uplink", "downlink", "forgiven_uplink", "forgiven_downlink", "read_uplink", "read_downlink")
    zero = dict.fromkeys(counts, 0)
    _START.run(
        connection, {"label": label, "key_number": number, "process": NEVER_READ.process, **zero, "changed_at": at}
    )


def count_labels(connection: Connection, number: int) -> int:
    """Return how many labels a key has had."""
    return int(_COUNT_LABELS.scalar(connection, {"number": number}))


def totals(connection: Connection, number: int) -> Totals | None:
    """Return what a key has carried, under all its labels."""
    row = _TOTALS.first(connection, {"number": number})
    return None if row is None else Totals(Bytes(row[0], row[1]), Bytes(row[2], row[3]), row[4])


def lifetimes(connection: Connection, first: int, last: int) -> dict[int, Bytes]:
    """Return what the keys with terms whose numbers lie in a range have carried over their lives."""
    rows = _LIFETIMES.rows(connection, {"first": first, "last": last})
    return {number: Bytes(uplink, downlink) for number, uplink, downlink in rows}


def forgive(connection: Connection, number: int, at: datetime) -> None:
    """Take everything carried so far out of sight."""
    _FORGIVE.run(connection, {"at_number": number, "at": at})


def take_turn(connection: Connection) -> None:
    """Wait for whoever is booking and keep others waiting until the transaction ends: they add to what they have read.

    SQLite has one writer, which is the caller.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE_TURN, {"lock": _BOOKING_LOCK})


def last_reading(connection: Connection, label: str) -> LabelReading | None:
    """Return the last reading of one label; NEVER_READ before the first, None for a label that is not ours."""
    row = _READING.first(connection, {"label": label})
    return None if row is None else LabelReading(*row[1:])


def last_readings(connection: Connection) -> dict[str, LabelReading]:
    """Return the last reading of every label there has been."""
    return {
        label: LabelReading(process, uplink, downlink)
        for label, process, uplink, downlink in _READINGS.rows(connection, {})
    }


def book(connection: Connection, bookings: Sequence[Booking], at: datetime) -> None:
    """Store new readings and add their bytes."""
    names = ("at_label", "to_process", "to_up", "to_down", "more_up", "more_down", "at")
    _BOOK.run_many(connection, names, [(b.label, *b.reading, *b.more, at) for b in bookings])


def read_at(connection: Connection, scope: str) -> datetime | None:
    """Return when the counters of a scope were last read as a whole."""
    moment: datetime | None = _METER.scalar(connection, {"scope": scope})
    return moment


def set_read_at(connection: Connection, scope: str, process: str, at: datetime) -> None:
    """Record that the counters of a scope were read as a whole."""
    if read_at(connection, scope) is None:
        connection.execute(_ADD_METER, {"scope": scope, "process": process, "read_at": at})
    else:
        connection.execute(_SET_METER, {"at_scope": scope, "to_process": process, "at": at})


def count_active(connection: Connection, account_id: int, *, issued_by: int | None, placement: str) -> int:
    """Count the active keys of an account; with ``issued_by`` those of one token."""
    values = {"account_id": account_id, "issued_by": issued_by, "placement": placement}
    return int(_COUNT_ACTIVE.scalar(connection, values))
