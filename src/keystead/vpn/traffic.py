"""The verbs of traffic: show, reset, sync; and the booking of readings, which is metering and not audited.

A reading is taken from the engine before the transaction and passed in. Failing to read never lowers a figure: the
last known ones are shown with the time they were read.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.engines.xray.state import Reading
from keystead.kit.errors import Broken
from keystead.vpn import holding
from keystead.vpn.accounting import NEVER_READ, Bytes, LabelReading, carried_since, has_fallen
from keystead.vpn.keyvalue import KeyIdent, VpnKey
from keystead.vpn.lookup import IsApplied, locate, locate_for_change
from keystead.vpn.periods import Reset
from keystead.vpn.placement import Placement
from keystead.vpn.store import terms as term_store
from keystead.vpn.store import traffic as traffic_store
from keystead.vpn.store.traffic import Booking
from keystead.vpn.termvalue import renewed


@dataclass(frozen=True)
class Usage:
    """What a key has carried since its last reset, over its life, and when the engine was last asked."""

    key: VpnKey
    visible: Bytes
    lifetime: Bytes
    read_at: datetime


@dataclass(frozen=True)
class SyncReport:
    """How many keys a sync brought up to date, and how many it could not."""

    updated: int
    errors: int


@requires(Permission.VPN_TRAFFIC_READ)
def usage(work: Work, *, ident: KeyIdent, is_applied: IsApplied, fresh_at: datetime | None = None) -> Usage:
    """Return what a key has carried; ``fresh_at`` is when the engine was asked just before."""
    key = locate(work.connection, work.principal, ident, is_applied)
    return usage_of(work.connection, key, fresh_at)


def usage_of(connection: Connection, key: VpnKey, fresh_at: datetime | None) -> Usage:
    """Return what a key that was already found has carried."""
    found = traffic_store.totals(connection, key.number)
    if found is None:
        raise Broken(f"vpn key {key.number} has no traffic row")
    scope_read_at = traffic_store.read_at(connection, key.scope)
    read_at = fresh_at or max(moment for moment in (found.changed_at, scope_read_at, key.created_at) if moment)
    return Usage(key, found.visible, found.lifetime, read_at)


@requires(Permission.VPN_TRAFFIC_RESET)
def reset(work: Work, *, ident: KeyIdent, is_applied: IsApplied, reading: Reading | None) -> Usage:
    """Start a new epoch at zero and return the usage of the one that ends; the lifetime total stays.

    A quota begins anew with it, so that a key that was cut connects again; an expiry and a disabling by hand stay.
    ``reading`` is what the engine said just before, so that the figure returned is exact.
    """
    key = locate_for_change(work.connection, work.principal, ident, is_applied)
    if reading is not None:
        book_one(work.connection, key, reading, work.now)
    ended = usage_of(work.connection, key, work.now)
    traffic_store.forgive(work.connection, key.number, work.now)
    work.audit(
        "vpn.traffic.reset", f"vpn key {key.number}", uplink=ended.visible.uplink, downlink=ended.visible.downlink
    )
    _renew_terms(work, key, ended.lifetime)
    return ended


@requires(Permission.VPN_TRAFFIC_READ)
def sync(work: Work, *, scope: str, placement: Placement, reading: Reading | None) -> SyncReport:
    """Book a reading of all counters; report the active keys the caller sees, as errors when there is no reading."""
    account, confined = work.principal.account_id, work.principal.confined_to_token
    active = traffic_store.count_active(work.connection, account, issued_by=confined, placement=placement.value)
    if reading is None:
        return SyncReport(0, active)
    book_all(work.connection, scope, reading, work.now)
    return SyncReport(active, 0)


def processes(connection: Connection) -> set[str]:
    """Return the names of the processes that the last readings came from."""
    return {last.process for last in traffic_store.last_readings(connection).values()} - {NEVER_READ.process}


def has_news(connection: Connection, key: VpnKey, reading: Reading) -> bool:
    """Tell whether a reading of one key says anything that is not booked yet."""
    counters = reading.counters.get(key.label)
    if counters is None:
        return False
    return traffic_store.last_reading(connection, key.label) != LabelReading(reading.process, *counters)


def book_one(connection: Connection, key: VpnKey, reading: Reading, at: datetime) -> None:
    """Book the counters of one key's current label."""
    traffic_store.take_turn(connection)
    booking = _booking(key.label, traffic_store.last_reading(connection, key.label), reading)
    if booking is not None:
        traffic_store.book(connection, [booking], at)


def book_all(connection: Connection, scope: str, reading: Reading, at: datetime) -> int:
    """Book all counters of a scope, the last bytes of reissued labels included; return how many labels moved."""
    traffic_store.take_turn(connection)
    last = traffic_store.last_readings(connection)
    found = [_booking(label, last.get(label), reading) for label in reading.counters]
    bookings = [booking for booking in found if booking is not None]
    traffic_store.book(connection, bookings, at)
    traffic_store.set_read_at(connection, scope, reading.process, at)
    return len(bookings)


def _renew_terms(work: Work, key: VpnKey, lifetime: Bytes) -> None:
    """Begin a key's quota anew: a rolling period begins now, one of the calendar goes on as it does."""
    held = term_store.find(work.connection, key.number)
    if held is None:
        return
    period, began_at = held.terms.period, held.progress.period_began_at
    began_at = work.now if period.reset is Reset.ROLLING else period.current(began_at, work.now)
    work.mark(key.scope, key.label)
    holding.keep(work.connection, key, renewed(held, lifetime, began_at), work.marks[-1].generation)


def _booking(label: str, last: LabelReading | None, reading: Reading) -> Booking | None:
    """Return what a reading adds to a label; None for a label that is not ours or a reading that says nothing new.

    Readings are taken side by side and booked in any order, so one may come after a later one of the same process.
    """
    counters = reading.counters.get(label)
    if counters is None or last is None:
        return None
    now = LabelReading(reading.process, *counters)
    if now == last or (not reading.may_fall and has_fallen(last, now)):
        return None
    return Booking(label, now, carried_since(last, now))
