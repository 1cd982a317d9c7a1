"""Queries of traffic: what labels have carried and were last read at, one by one and per key.

Most bookings are of the process a label's row already tells of and go through ``book``, for thousands at a time; all
others load the label's whole standing, have it changed by ``accounting.py``, and go through ``save``.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    bindparam,
    case,
    cast,
    func,
    insert,
    or_,
    select,
    update,
)

from keystead.db.prepared import Prepared
from keystead.vpn.accounting import NEVER_READ, Bytes, LabelReading, ProcessState, Standing
from keystead.vpn.models import INBOUNDS, KEYS, METERS, PROCESSES, TERMS, TRAFFIC, TRAFFIC_OTHERS, WAYS
from keystead.vpn.store.keys import CONFINED
from keystead.vpn.store.processes import Stage

T, A, P, K = TRAFFIC.c, TRAFFIC_OTHERS.c, PROCESSES.c, KEYS.c

_AT_ONCE = 500


def _figure(way: str) -> ColumnElement[int]:
    """Return the sum of labels' figures as they stand: what is booked, or more where more was shown already."""
    booked, shown = T[way] + T[f"estimated_{way}"], T[f"shown_{way}"]
    # PostgreSQL sums whole numbers to decimal ones.
    return cast(func.coalesce(func.sum(case((shown > booked, shown), else_=booked)), 0), BigInteger)


FIGURES = tuple(_figure(way) for way in WAYS)

_START = Prepared(insert(TRAFFIC))
_LIFETIMES = Prepared(
    select(
        T.key_number,
        cast(func.sum(T.uplink + T.estimated_uplink), BigInteger),
        cast(func.sum(T.downlink + T.estimated_downlink), BigInteger),
    )
    .join_from(TERMS, TRAFFIC, TERMS.c.key_number == T.key_number)
    .where(TERMS.c.key_number.between(bindparam("first"), bindparam("last")))
    .group_by(T.key_number)
)
_COUNT_LABELS = Prepared(select(func.count()).select_from(TRAFFIC).where(T.key_number == bindparam("number")))
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
_ALL_READINGS = select(T.label, T.process, T.read_uplink, T.read_downlink, T.hour)
_READINGS = Prepared(_ALL_READINGS)
_READING = Prepared(_ALL_READINGS.where(T.label == bindparam("label")))

_ROWS = select(
    *(T.label, T.key_number, T.hour, T.changed_at),
    *(T.uplink, T.downlink, T.estimated_uplink, T.estimated_downlink),
    *(T.shown_uplink, T.shown_downlink, T.forgiven_uplink, T.forgiven_downlink),
    *(P.stage, T.process, T.read_uplink, T.read_downlink),
    *(T.carried_uplink, T.carried_downlink, T.offset_uplink, T.offset_downlink),
).join_from(TRAFFIC, PROCESSES, T.process == P.name, isouter=True)
_OTHER_ROWS = select(
    *(A.label, P.stage, A.process, A.read_uplink, A.read_downlink),
    *(A.carried_uplink, A.carried_downlink, A.offset_uplink, A.offset_downlink),
).join_from(TRAFFIC_OTHERS, PROCESSES, A.process == P.name, isouter=True)
_OF_KEY = Prepared(_ROWS.where(T.key_number == bindparam("number")))
_OTHERS_OF_KEY = Prepared(_OTHER_ROWS.join(TRAFFIC, A.label == T.label).where(T.key_number == bindparam("number")))
_THESE: BindParameter[list[str]] = bindparam("labels", expanding=True)
_OF_LABELS = _ROWS.where(T.label.in_(_THESE))
_OTHERS_OF_LABELS = _OTHER_ROWS.where(A.label.in_(_THESE))
_NUMBERS = select(T.key_number).where(T.label.in_(_THESE))
_MOVED = TRAFFIC.alias("moved")
_FIGURES_OF_KEYS = (
    select(_MOVED.c.label, K.number, *FIGURES)
    .join_from(_MOVED, KEYS, _MOVED.c.key_number == K.number)
    .join(TRAFFIC, T.key_number == K.number)
    .where(_MOVED.c.label.in_(_THESE), K.account_id == bindparam("account_id"), CONFINED, K.state != "removing")
    .group_by(_MOVED.c.label, K.number)
)
_LABELS_OF_THEIR_KEYS = select(T.label).where(T.key_number.in_(_NUMBERS))
_ON_OTHERS = select(A.label).where(A.process == bindparam("process"))
_KEPT = (
    T.label == bindparam("at_label"),
    T.process != "",
    T.process.not_in(select(P.name).where(P.stage == "forgotten")),
)
_MOVE_ASIDE = Prepared(
    insert(TRAFFIC_OTHERS).from_select(
        ["label", "process", *(f"{what}_{way}" for what in ("read", "carried", "offset") for way in WAYS)],
        select(
            *(T.label, T.process, T.read_uplink, T.read_downlink),
            *(T.carried_uplink, T.carried_downlink, T.offset_uplink, T.offset_downlink),
        ).where(*_KEPT),
    )
)
_MAKE_ROOM = Prepared(
    update(TRAFFIC)
    .where(T.label == bindparam("at_label"))
    .values(process="", read_uplink=0, read_downlink=0)
    .values(carried_uplink=0, carried_downlink=0, offset_uplink=0, offset_downlink=0)
)
_PROCESSES = select(T.process).distinct()
_PENDING, _OTHERS_PENDING = (
    select(column.label).where(
        column.process == bindparam("process"),
        or_(
            column.carried_uplink + column.offset_uplink > column.read_uplink,
            column.carried_downlink + column.offset_downlink > column.read_downlink,
        ),
    )
    for column in (T, A)
)

_STATE = ("read_uplink", "read_downlink", "carried_uplink", "carried_downlink", "offset_uplink", "offset_downlink")
_TOTALS = tuple(f"{what}{way}" for what in ("", "estimated_", "shown_", "forgiven_") for way in ("uplink", "downlink"))
_SAVED = ("process", *_TOTALS, *_STATE, "changed_at")
_SAVE = Prepared(
    update(TRAFFIC).where(T.label == bindparam("at_label")).values({name: bindparam(f"to_{name}") for name in _SAVED})
)
_SAVE_OTHER = Prepared(
    update(TRAFFIC_OTHERS)
    .where(A.label == bindparam("at_label"), A.process == bindparam("at_process"))
    .values({name: bindparam(f"to_{name}") for name in _STATE})
)
_ADD_OTHER = Prepared(insert(TRAFFIC_OTHERS))

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


class Booking(NamedTuple):
    """A new reading of a label, and the bytes it adds."""

    label: str
    reading: LabelReading
    more: Bytes


class LastReading(NamedTuple):
    """A label's last reading in the process its row tells of, and the hour that its bytes are counted in."""

    process: str
    uplink: int
    downlink: int
    hour: int


class LabelRow(NamedTuple):
    """Everything about a label: its key, its standing, and the process its own row tells of, forgotten or not."""

    label: str
    key_number: int
    hour: int
    changed_at: datetime
    process: str
    standing: Standing


def start(connection: Connection, number: int, label: str, at: datetime) -> None:
    """Start a new label of a key at zero."""
    counts = ("uplink", "downlink", "forgiven_uplink", "forgiven_downlink", "read_uplink", "read_downlink")
    zero = dict.fromkeys(counts, 0)
    values = {"label": label, "key_number": number, "process": NEVER_READ.process, **zero, "changed_at": at}
    _START.run(connection, {**values, "hour": int(at.timestamp()) // 3600})


def start_many(connection: Connection, keys: Sequence[tuple[int, str, Bytes, Bytes]], at: datetime) -> None:
    """Start labels of keys that have carried something before: number, label, lifetime, and what is shown of that.

    None of it belongs to the present hour, nor to any other in the history.
    """
    names = ("key_number", "label", "process", "read_uplink", "read_downlink", "changed_at", "hour")
    counts = [f"{what}{way}" for what in ("", "before_", "shown_", "forgiven_") for way in WAYS]
    fixed = (NEVER_READ.process, 0, 0, at, int(at.timestamp()) // 3600)
    rows = [
        (number, label, *fixed, *lifetime, *lifetime, *lifetime, *(lifetime - used))
        for number, label, lifetime, used in keys
    ]
    _START.run_many(connection, (*names, *counts), rows)


def count_labels(connection: Connection, number: int) -> int:
    """Return how many labels a key has had."""
    return int(_COUNT_LABELS.scalar(connection, {"number": number}))


def lifetimes(connection: Connection, first: int, last: int) -> dict[int, Bytes]:
    """Return what the keys with terms whose numbers lie in a range have carried over their lives, as booked."""
    rows = _LIFETIMES.rows(connection, {"first": first, "last": last})
    return {number: Bytes(uplink, downlink) for number, uplink, downlink in rows}


def last_reading(connection: Connection, label: str) -> LastReading | None:
    """Return the last reading of one label, None for a label that is not ours."""
    row = _READING.first(connection, {"label": label})
    return None if row is None else LastReading(*row[1:])


def last_readings(connection: Connection) -> dict[str, LastReading]:
    """Return the last reading of every label there has been."""
    return {row[0]: LastReading._make(row[1:]) for row in _READINGS.rows(connection, {})}


def book(connection: Connection, bookings: Sequence[Booking], at: datetime) -> None:
    """Store new readings and add their bytes."""
    names = ("at_label", "to_process", "to_up", "to_down", "more_up", "more_down", "at")
    _BOOK.run_many(connection, names, [(b.label, *b.reading, *b.more, at) for b in bookings])


def of_key(connection: Connection, number: int) -> list[LabelRow]:
    """Return every label of a key."""
    return _joined(_OF_KEY.rows(connection, {"number": number}), _OTHERS_OF_KEY.rows(connection, {"number": number}))


def of_labels(connection: Connection, labels: Iterable[str]) -> list[LabelRow]:
    """Return these labels; those that are not ours are left out."""
    found: list[LabelRow] = []
    for part in _parts(labels):
        rows = connection.execute(_OF_LABELS, {"labels": part})
        others = connection.execute(_OTHERS_OF_LABELS, {"labels": part})
        found += _joined(rows, others)
    return found


def with_their_keys(connection: Connection, labels: Iterable[str]) -> list[LabelRow]:
    """Return these labels and all others of the same keys."""
    found: set[str] = set()
    for part in _parts(labels):
        found.update(connection.execute(_LABELS_OF_THEIR_KEYS, {"labels": part}).scalars())
    return of_labels(connection, found)


def figures_of(
    connection: Connection, labels: Iterable[str], account_id: int, *, issued_by: int | None
) -> dict[int, tuple[str, Bytes]]:
    """Return by number the keys of an account among those of labels: one of the labels, and the key's figure."""
    whose = {"account_id": account_id, "issued_by": issued_by}
    return {
        number: (label, Bytes(*figure))
        for part in _parts(labels)
        for label, number, *figure in connection.execute(_FIGURES_OF_KEYS, {"labels": part, **whose})
    }


def pending_on(connection: Connection, process: str) -> set[str]:
    """Return the labels that had something pending in a process when they were last paired."""
    own = connection.execute(_PENDING, {"process": process}).scalars()
    return {*own, *connection.execute(_OTHERS_PENDING, {"process": process}).scalars()}


def aside_on(connection: Connection, process: str) -> set[str]:
    """Return the labels whose own row tells of another process than this one, where they were read as well."""
    return set(connection.execute(_ON_OTHERS, {"process": process}).scalars())


def make_room(connection: Connection, labels: Sequence[str]) -> None:
    """Move what labels' own rows tell of a process aside, so that they can tell of another."""
    rows = [(label,) for label in labels]
    _MOVE_ASIDE.run_many(connection, ["at_label"], rows)
    _MAKE_ROOM.run_many(connection, ["at_label"], rows)


def processes(connection: Connection) -> set[str]:
    """Return the processes that labels' own rows tell of."""
    return set(connection.execute(_PROCESSES).scalars()) - {NEVER_READ.process}


def save(connection: Connection, before: LabelRow, after: Standing, at: datetime) -> None:
    """Store a changed standing; a process seen for the first time takes the label's own row, if it lives."""
    known = before.standing.processes
    changed = {name: state for name, state in after.processes.items() if known.get(name) != state}
    own = before.process
    for name, state in changed.items():
        if name not in known and (own not in known or not state.is_ended):
            own = name
    if own != before.process and before.process in after.processes:
        changed.setdefault(before.process, after.processes[before.process])
    for name, state in changed.items():
        if name != own:
            _save_other(connection, before, name, state)
    state = after.processes.get(own, ProcessState())
    totals = (*after.counted, *after.estimated, *after.shown, *after.forgiven)
    values = dict(zip((f"to_{name}" for name in _SAVED), (own, *totals, *_flat(state), at), strict=True))
    _SAVE.run(connection, {"at_label": before.label, **values})


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


def _save_other(connection: Connection, before: LabelRow, process: str, state: ProcessState) -> None:
    """Store a label in a process that its own row does not tell of."""
    if process in before.standing.processes and process != before.process:
        values = dict(zip((f"to_{name}" for name in _STATE), _flat(state), strict=True))
        _SAVE_OTHER.run(connection, {"at_label": before.label, "at_process": process, **values})
        return
    values = dict(zip(_STATE, _flat(state), strict=True))
    _ADD_OTHER.run(connection, {"label": before.label, "process": process, **values})


def _joined(rows: Iterable[Sequence[Any]], other_rows: Iterable[Sequence[Any]]) -> list[LabelRow]:
    """Make labels of their own rows and those of other processes; forgotten processes are left out."""
    others: dict[str, dict[str, ProcessState]] = {}
    for label, *rest in other_rows:
        others.setdefault(label, {}).update(_state(rest))
    found = []
    for label, key_number, hour, changed_at, *rest in rows:
        counted, estimated, shown, forgiven = (Bytes(*rest[at : at + 2]) for at in range(0, 8, 2))
        own = _state(rest[8:])
        states = {**own, **others.get(label, {})}
        standing = Standing(counted, estimated, shown, forgiven, states)
        found.append(LabelRow(label, key_number, hour, changed_at, rest[9], standing))
    return found


def _state(row: Sequence[Any]) -> dict[str, ProcessState]:
    """Return a process and its state, of the columns stage, process, read, carried, offset."""
    stage, process, *numbers = row
    if process == NEVER_READ.process or stage == Stage.FORGOTTEN:
        return {}
    read, carried, offset = (Bytes(*numbers[at : at + 2]) for at in range(0, 6, 2))
    return {process: ProcessState(read, carried, offset, stage == Stage.ENDED)}


def _flat(state: ProcessState) -> tuple[int, ...]:
    return (*state.read, *state.carried, *state.offset)


def _parts(labels: Iterable[str]) -> Iterable[list[str]]:
    """Cut many labels into parts that fit into one statement."""
    listed = list(labels)
    return (listed[at : at + _AT_ONCE] for at in range(0, len(listed), _AT_ONCE))
