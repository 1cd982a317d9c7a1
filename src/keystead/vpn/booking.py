"""Readings on their way into the database: which label, by which rule, and what is stored of it. Not audited.

Each function is a unit of its own or a part of a verb's, takes its turn first, and leaves the rules to
``accounting.py``. Called by the meter, and by the verbs of traffic for a single key.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from keystead.db import turns
from keystead.db.turns import Turn
from keystead.engines.xray.state import Carried, Counters, LabelCarried, Reading
from keystead.kit.log import get_logger
from keystead.vpn import accounting
from keystead.vpn.accounting import NEVER_READ, Bytes, LabelReading, Standing, carried_since, has_fallen
from keystead.vpn.store import departed as departed_store
from keystead.vpn.store import history, processes
from keystead.vpn.store import traffic as traffic_store
from keystead.vpn.store.departed import DepartedLabel
from keystead.vpn.store.processes import Stage
from keystead.vpn.store.traffic import Booking, LabelRow, LastReading

log = get_logger()

HOUR_S = 3600
_NO_COUNTERS = Counters(0, 0)


class _Changed(NamedTuple):
    """Labels that have a row, and how many of them were changed."""

    found: set[str]
    moved: int


def book_all(connection: Connection, scope: str, reading: Reading, at: datetime) -> int:
    """Book all counters of a process, the last bytes of reissued and deleted keys included; return how many moved."""
    turns.take(connection, Turn.BOOKING)
    moved = _book(connection, scope, reading, traffic_store.last_readings(connection), at)
    traffic_store.set_read_at(connection, scope, reading.process, at)
    return moved


def book_label(connection: Connection, scope: str, label: str, reading: Reading, at: datetime) -> None:
    """Book the counters of one label."""
    turns.take(connection, Turn.BOOKING)
    last, counters = traffic_store.last_reading(connection, label), reading.counters.get(label)
    if last is not None and counters is not None:
        _book(connection, scope, Reading(reading.process, {label: counters}, reading.may_fall), {label: last}, at)


def book_now(
    connection: Connection, scope: str, label: str, reading: Reading, carried: Sequence[Carried], at: datetime
) -> None:
    """Book the counters of one label with what the kernel had carried right after they were read, as far as known."""
    if label in reading.counters and label in _labels_of(carried, reading.process):
        book_pairs(connection, scope, reading, [label], before=carried, after=carried, at=at)
    book_label(connection, scope, label, reading, at)


def has_news(last: LastReading | None, label: str, reading: Reading) -> bool:
    """Tell whether a reading says anything of a label that is not booked yet."""
    counters = reading.counters.get(label)
    return counters is not None and last is not None and last[:3] != (reading.process, *counters)


def book_pairs(
    connection: Connection,
    scope: str,
    reading: Reading,
    labels: Collection[str],
    *,
    before: Sequence[Carried],
    after: Sequence[Carried],
    at: datetime,
) -> None:
    """Book a reading of moving labels with what the kernel had carried just before and just after it.

    The figure they have reached then counts as shown: it is what everybody sees who asks the database.
    """
    turns.take(connection, Turn.BOOKING)
    if processes.meet(connection, scope, reading.process) is not Stage.LIVE:
        return
    earlier, later = _labels_of(before, reading.process), _labels_of(after, reading.process)

    def paired(row: LabelRow) -> Standing:
        seen = later.get(row.label)
        counters = reading.counters.get(row.label, _NO_COUNTERS)
        if seen is None:
            return accounting.book(row.standing, reading.process, counters)
        standing = accounting.pair(row.standing, reading.process, counters, before=earlier.get(row.label), after=seen)
        return accounting.show(standing, carried_by(after, row.label))

    strangers = set(labels) - _change(connection, labels, paired, at).found
    _book_departed(connection, sorted(strangers & reading.counters.keys()), reading, at)


def end_process(connection: Connection, scope: str, process: str, carried: Carried | None, at: datetime) -> None:
    """Book what a process that has ended never reported, once; ``carried`` is the last that is known of it."""
    turns.take(connection, Turn.BOOKING)
    if processes.meet(connection, scope, process) is not Stage.LIVE:
        return
    last: Mapping[str, LabelCarried] = {} if carried is None else carried.labels

    def ended(row: LabelRow) -> Standing:
        standing = accounting.end(row.standing, process, last.get(row.label))
        return row.standing if standing.estimated == row.standing.estimated else standing

    labels = {*last, *traffic_store.pending_on(connection, process)}
    strangers = labels - _change(connection, labels, ended, at).found
    _estimate_departed(connection, sorted(strangers & last.keys()), process, last, at)
    processes.set_ended(connection, scope, process)


def carried_by(carried: Sequence[Carried], label: str) -> dict[str, LabelCarried]:
    """Return what the kernel has carried for one label, by process."""
    return {found.process: found.labels[label] for found in carried if label in found.labels}


def hour_of(moment: datetime) -> int:
    """Return the hour of a moment, counted from 1970."""
    return int(moment.timestamp()) // HOUR_S


def _book(connection: Connection, scope: str, reading: Reading, lasts: Mapping[str, LastReading], at: datetime) -> int:
    """Book the counters of labels whose last readings are given; the others are those of deleted keys, or nobody's.

    Readings are taken side by side and booked in any order, so one may come after a later one of the same process.
    """
    stage = processes.meet(connection, scope, reading.process)
    if stage is Stage.FORGOTTEN:
        log.warning("reading of a forgotten process", scope=scope, process=reading.process)
        return 0
    known = lasts if stage is not Stage.LIVE else _with_room(connection, reading, lasts)
    may_fall, hour = reading.may_fall, hour_of(at)
    own = (reading.process, NEVER_READ.process) if stage is Stage.LIVE else ()
    bookings: list[Booking] = []
    turning: list[str] = []
    others: list[str] = []
    strangers: list[str] = []
    for label, counters in reading.counters.items():
        last = known.get(label)
        if last is None:
            strangers.append(label)
        elif last.process not in own:
            others.append(label)
        else:
            now, was = LabelReading(reading.process, *counters), LabelReading(*last[:3])
            if now == was or (not may_fall and has_fallen(was, now)):
                continue
            bookings.append(Booking(label, now, carried_since(was, now)))
            if last.hour != hour:
                turning.append(label)
    history.turn(connection, turning, hour)
    traffic_store.book(connection, bookings, at)
    moved = _change(connection, others, lambda row: _booked(row, reading), at).moved
    _book_departed(connection, strangers, reading, at)
    return len(bookings) + moved


def _with_room(connection: Connection, reading: Reading, lasts: Mapping[str, LastReading]) -> Mapping[str, LastReading]:
    """Let labels' own rows tell of a process that is new to them: after a restart of the core that is all of them."""
    own = (reading.process, NEVER_READ.process)
    new = [
        label
        for label, counters in reading.counters.items()
        if label in lasts and lasts[label].process not in own and counters != _NO_COUNTERS
    ]
    if not new:
        return lasts
    aside = traffic_store.aside_on(connection, reading.process)
    labels = [label for label in new if label not in aside]
    traffic_store.make_room(connection, labels)
    return {**lasts, **{label: LastReading(*NEVER_READ, lasts[label].hour) for label in labels}}


def _booked(row: LabelRow, reading: Reading) -> Standing:
    counters = reading.counters[row.label]
    if counters == _NO_COUNTERS and reading.process not in row.standing.processes:
        return row.standing
    return accounting.book(row.standing, reading.process, counters, may_fall=reading.may_fall)


def _change(
    connection: Connection, labels: Collection[str], change: Callable[[LabelRow], Standing], at: datetime
) -> _Changed:
    """Load the standing of labels, change it, and store what is different."""
    rows = traffic_store.of_labels(connection, labels)
    changed = [(row, standing) for row in rows if (standing := change(row)) != row.standing]
    hour = hour_of(at)
    history.turn(connection, [row.label for row, _ in changed if row.hour != hour], hour)
    for row, standing in changed:
        traffic_store.save(connection, row, standing, at)
    return _Changed({row.label for row in rows}, len(changed))


def _book_departed(connection: Connection, labels: Sequence[str], reading: Reading, at: datetime) -> None:
    """Book the last bytes of deleted keys to their account."""
    for label, found in _departed(connection, labels):
        now = LabelReading(reading.process, *reading.counters[label])
        last = found.readings.get(reading.process, NEVER_READ)
        if reading.may_fall or not has_fallen(last, now):
            departed_store.book(connection, label, found, now, carried_since(last, now), at)


def _estimate_departed(
    connection: Connection, labels: Sequence[str], process: str, last: Mapping[str, LabelCarried], at: datetime
) -> None:
    """Book what connections of deleted keys had carried that were open when their process ended."""
    for label, found in _departed(connection, labels):
        seen, read = last[label], found.readings.get(process, NEVER_READ)
        more = Bytes(
            min(seen.open_uplink, max(0, seen.uplink - read.uplink)),
            min(seen.open_downlink, max(0, seen.downlink - read.downlink)),
        )
        now = LabelReading(process, read.uplink + more.uplink, read.downlink + more.downlink)
        departed_store.book(connection, label, found, now, more, at, is_estimated=True)


def _departed(connection: Connection, labels: Sequence[str]) -> list[tuple[str, DepartedLabel]]:
    departed = departed_store.labels(connection) if labels else {}
    return [(label, departed[label]) for label in labels if label in departed]


def _labels_of(carried: Sequence[Carried], process: str) -> Mapping[str, LabelCarried]:
    return next((found.labels for found in carried if found.process == process), {})
