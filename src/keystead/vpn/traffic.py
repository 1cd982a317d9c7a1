"""The verbs of traffic: show, reset, sync.

A reading is taken from the engine before the transaction and passed in, and so is what the kernel has carried. Failing
to read never lowers a figure: the last known ones are shown with the time they were read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.db import turns
from keystead.db.turns import Turn
from keystead.engines.xray.state import Carried, Reading
from keystead.kit.errors import Broken
from keystead.outbox.events import Event
from keystead.vpn import accounting, booking, holding, notices
from keystead.vpn.accounting import NOTHING, Bytes
from keystead.vpn.keyvalue import KeyIdent, VpnKey
from keystead.vpn.lookup import IsApplied, locate, locate_for_change
from keystead.vpn.periods import Reset
from keystead.vpn.placement import Placement
from keystead.vpn.store import departed as departed_store
from keystead.vpn.store import processes as process_store
from keystead.vpn.store import terms as term_store
from keystead.vpn.store import traffic as traffic_store
from keystead.vpn.store.departed import Departed
from keystead.vpn.store.traffic import LabelRow
from keystead.vpn.termvalue import renewed


class Quality(StrEnum):
    """How good the figures of open connections are.

    ``live``: the kernel is asked every second. ``counted``: only what Xray has counted; a spliced download is not in it
    before it ends.
    """

    LIVE = "live"
    COUNTED = "counted"


@dataclass(frozen=True)
class Seen:
    """What was learned for one answer, outside the transaction: when the engine was asked, and what the kernel says."""

    fresh_at: datetime | None = None
    carried: Sequence[Carried] = ()
    quality: Quality = Quality.COUNTED


UNSEEN = Seen()


@dataclass(frozen=True)
class Usage:
    """What a key has carried.

    ``visible`` since its last reset and ``live`` over its life, both as of now; of the latter ``counted`` by Xray, and
    ``estimated`` of processes that ended without saying so. ``read_at`` is when the engine was last asked.
    """

    key: VpnKey
    visible: Bytes
    live: Bytes
    counted: Bytes
    estimated: Bytes
    read_at: datetime
    quality: Quality

    @property
    def lifetime(self) -> Bytes:
        """Return what is booked over the key's life: the figure to bill."""
        return self.counted + self.estimated


@dataclass(frozen=True)
class AccountUsage:
    """What keys have carried over their lives.

    ``counted`` and ``estimated`` are booked, ``live`` is the sum of the keys' live figures as of now. ``departed`` is
    what deleted ones did, where it is told.
    """

    counted: Bytes
    estimated: Bytes
    live: Bytes
    quality: Quality
    departed: Departed | None


@dataclass(frozen=True)
class SyncReport:
    """How many keys a sync brought up to date, and how many it could not."""

    updated: int
    errors: int


@requires(Permission.VPN_TRAFFIC_READ)
def usage(work: Work, *, ident: KeyIdent, is_applied: IsApplied, seen: Seen = UNSEEN) -> Usage:
    """Return what a key has carried; ``seen`` is what was learned just before."""
    return usage_of(work.connection, locate(work.connection, work.principal, ident, is_applied), seen)


def usage_of(connection: Connection, key: VpnKey, seen: Seen) -> Usage:
    """Return what a key that was already found has carried."""
    return _usage(connection, key, _rows(connection, key), seen)


@requires(Permission.VPN_TRAFFIC_RESET)
def reset(
    work: Work, *, ident: KeyIdent, is_applied: IsApplied, readings: Sequence[Reading], seen: Seen = UNSEEN
) -> Usage:
    """Start a new epoch at zero and return the usage of the one that ends; the lifetime total stays.

    A quota begins anew with it, so that a key that was cut connects again; an expiry and a disabling by hand stay.
    ``readings`` are what the engine said just before, so that the figure returned is exact; just that is forgiven.
    """
    key = locate_for_change(work.connection, work.principal, ident, is_applied)
    turns.take(work.connection, Turn.BOOKING)
    for reading in readings:
        booking.book_label(work.connection, key.scope, key.label, reading, work.now)
    rows = _rows(work.connection, key)
    ended = _usage(work.connection, key, rows, Seen(work.now, seen.carried, seen.quality))
    for row in rows:
        forgiven = accounting.forgive(row.standing, booking.carried_by(seen.carried, row.label))
        traffic_store.save(work.connection, row, forgiven, work.now)
    work.audit(
        "vpn.traffic.reset", f"vpn key {key.number}", uplink=ended.visible.uplink, downlink=ended.visible.downlink
    )
    data = notices.reset(key, upload=ended.visible.uplink, download=ended.visible.downlink, by="caller")
    work.emit(Event.VPN_KEY_RESET, f"vpn key {key.number}", data)
    _renew_terms(work, key, ended.live)
    return ended


@requires(Permission.VPN_TRAFFIC_READ)
def sync(work: Work, *, scope: str, placement: Placement, readings: Sequence[Reading]) -> SyncReport:
    """Book readings of all counters; report the active keys the caller sees, as errors when there is no reading."""
    account, confined = work.principal.account_id, work.principal.confined_to_token
    active = traffic_store.count_active(work.connection, account, issued_by=confined, placement=placement.value)
    if not readings:
        return SyncReport(0, active)
    for reading in readings:
        booking.book_all(work.connection, scope, reading, work.now)
    return SyncReport(active, 0)


@requires(Permission.VPN_TRAFFIC_READ)
def of_account(work: Work, *, moving: Mapping[str, Bytes], quality: Quality) -> AccountUsage:
    """Return what the keys the caller sees have carried in all, deleted ones too unless it is confined.

    ``moving`` is what keys have carried over their lives by their labels, of those that move now, whosever they are.
    """
    account, confined = work.principal.account_id, work.principal.confined_to_token
    totals = departed_store.totals(work.connection, account, issued_by=confined)
    here = traffic_store.figures_of(work.connection, moving, account, issued_by=confined)
    ahead = sum((moving[label].or_more(figure) - figure for label, figure in here.values()), NOTHING)
    departed = totals.departed if confined is None else None
    return AccountUsage(totals.counted, totals.estimated, totals.figure + ahead, quality, departed)


def processes(connection: Connection) -> set[str]:
    """Return the names of the processes that readings came from."""
    return process_store.names(connection) | traffic_store.processes(connection)


def visible_of(connection: Connection, number: int) -> Bytes:
    """Return the figure of a key since its last reset as it was last booked."""
    rows = traffic_store.of_key(connection, number)
    return sum((accounting.visible(row.standing, {}) for row in rows), NOTHING)


def is_ahead(connection: Connection, key: VpnKey, carried: Sequence[Carried]) -> bool:
    """Tell whether the figure to show is higher than any that is stored."""
    return any(
        accounting.figure(row.standing, booking.carried_by(carried, row.label))
        != row.standing.shown.or_more(row.standing.counted + row.standing.estimated)
        for row in traffic_store.of_key(connection, key.number)
    )


def record_shown(connection: Connection, key: VpnKey, carried: Sequence[Carried], at: datetime) -> None:
    """Store the figures that are about to be shown, so that no later one is lower, whatever breaks."""
    turns.take(connection, Turn.BOOKING)
    for row in traffic_store.of_key(connection, key.number):
        shown = accounting.show(row.standing, booking.carried_by(carried, row.label))
        if shown != row.standing:
            traffic_store.save(connection, row, shown, at)


def _rows(connection: Connection, key: VpnKey) -> list[LabelRow]:
    rows = traffic_store.of_key(connection, key.number)
    if not rows:
        raise Broken(f"vpn key {key.number} has no traffic row")
    return rows


def _usage(connection: Connection, key: VpnKey, rows: Sequence[LabelRow], seen: Seen) -> Usage:
    carried = [booking.carried_by(seen.carried, row.label) for row in rows]
    both = list(zip((row.standing for row in rows), carried, strict=True))
    moments = (*(row.changed_at for row in rows), traffic_store.read_at(connection, key.scope), key.created_at)
    return Usage(
        key,
        visible=sum((accounting.visible(*each) for each in both), NOTHING),
        live=sum((accounting.figure(*each) for each in both), NOTHING),
        counted=sum((row.standing.counted for row in rows), NOTHING),
        estimated=sum((row.standing.estimated for row in rows), NOTHING),
        read_at=seen.fresh_at or max(moment for moment in moments if moment),
        quality=seen.quality,
    )


def _renew_terms(work: Work, key: VpnKey, lifetime: Bytes) -> None:
    """Begin a key's quota anew: a rolling period begins now, one of the calendar goes on as it does."""
    held = term_store.find(work.connection, key.number)
    if held is None:
        return
    period, began_at = held.terms.period, held.progress.period_began_at
    began_at = work.now if period.reset is Reset.ROLLING else period.current(began_at, work.now)
    work.mark(key.scope, key.label)
    holding.keep(work.connection, key, renewed(held, lifetime, began_at), work.marks[-1].generation)
