"""Queries of terms: of one key, of a page of keys, what the enforcing loop watches, and what was granted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, Connection, bindparam, cast, delete, func, insert, select, update

from keystead.db.prepared import Prepared
from keystead.db.types import AnyRow
from keystead.kit.errors import Invalid
from keystead.kit.log import get_logger
from keystead.vpn.accounting import Bytes
from keystead.vpn.models import GRANTS, INBOUNDS, KEYS, TERMS, TRAFFIC
from keystead.vpn.periods import Period, Reset
from keystead.vpn.termvalue import AtLimit, Held, Progress, Terms

log = get_logger()

T, G = TERMS.c, GRANTS.c

# The columns of Terms, in the order that ``terms_values`` and ``read_terms`` know; plans have the same.
TERM_NAMES = (
    "quota_bytes",
    "at_limit",
    "slow_to_bytes_s",
    "warn_at",
    "speed_bytes_s",
    "address_limit",
    "reset",
    "reset_days",
    "reset_day",
    "time_zone",
    "duration_s",
    "expires_at",
    "device_limit",
)
_PROGRESS_NAMES = (
    "period_began_at",
    "baseline_uplink",
    "baseline_downlink",
    "topped_up_bytes",
    "warned",
    "limit_reached_at",
    "unused_at",
    "expired_at",
    "address_refused_at",
)
_HELD: tuple[Column[Any], ...] = (
    T.key_number,
    T.plan,
    *(T[name] for name in TERM_NAMES),
    *(T[name] for name in _PROGRESS_NAMES),
)
_OF_KEY = Prepared(select(*_HELD).where(T.key_number == bindparam("number")))
_OF_KEYS = Prepared(select(*_HELD).where(T.key_number.between(bindparam("first"), bindparam("last"))))
_ADD = Prepared(insert(TERMS))
_NAMES = ("plan", *TERM_NAMES, *_PROGRESS_NAMES, "pace", "notice_at", "revision")
_SET = Prepared(
    update(TERMS)
    .where(T.key_number == bindparam("at_number"))
    .values({name: bindparam(f"to_{name}") for name in _NAMES})
)
_REMOVE = Prepared(delete(TERMS).where(T.key_number == bindparam("at_number")))
_TOUCH = Prepared(update(TERMS).where(T.key_number == bindparam("at_number")).values(revision=bindparam("to_revision")))
_CARRIED = TRAFFIC.c.uplink + TRAFFIC.c.downlink + TRAFFIC.c.estimated_uplink + TRAFFIC.c.estimated_downlink
_BOOKED = (
    select(cast(func.coalesce(func.sum(_CARRIED), 0), BigInteger))
    .where(TRAFFIC.c.key_number == KEYS.c.number)
    .correlate(KEYS)
    .scalar_subquery()
)
_WATCHED = (
    select(KEYS.c.account_id, KEYS.c.label, T.revision, *_HELD)
    .join_from(TERMS, KEYS, T.key_number == KEYS.c.number)
    .join(INBOUNDS, KEYS.c.inbound_id == INBOUNDS.c.id)
    .where(INBOUNDS.c.scope == bindparam("scope"))
)
_WATCHED_ALL = Prepared(_WATCHED)
# Without a join, so that SQLite looks into the index and nowhere else.
_CHANGED = Prepared(select(T.key_number).where(T.revision > bindparam("since")))
_WATCHED_ONE = Prepared(_WATCHED.where(T.key_number == bindparam("number")))
_NOTICED = Prepared(
    select(T.key_number)
    .join_from(TERMS, KEYS, T.key_number == KEYS.c.number)
    .join(INBOUNDS, KEYS.c.inbound_id == INBOUNDS.c.id)
    .where(INBOUNDS.c.scope == bindparam("scope"), T.notice_at <= _BOOKED)
)
_ADD_GRANT = Prepared(insert(GRANTS))
_GRANT = Prepared(
    select(G.amount).where(
        G.key_number == bindparam("number"), G.kind == bindparam("kind"), G.request == bindparam("request")
    )
)


class Watched(NamedTuple):
    """What the enforcing loop knows of a key: when something is due by the clock, and from which lifetime total."""

    number: int
    account_id: int
    label: str
    due_at: datetime | None
    notice_at: int | None
    revision: int


def find(connection: Connection, number: int) -> Held | None:
    """Return the terms of a key, None for one without."""
    row = _OF_KEY.first(connection, {"number": number})
    return None if row is None else _held(row)


def of_keys(connection: Connection, first: int, last: int) -> dict[int, Held]:
    """Return the terms of the keys whose numbers lie in a range, whosever they are."""
    return {row[0]: _held(row) for row in _OF_KEYS.rows(connection, {"first": first, "last": last})}


def add(connection: Connection, number: int, held: Held, revision: int) -> None:
    """Store the terms of a key that has none."""
    _ADD.run(connection, {"key_number": number, **_values(held, revision)})


def add_many(connection: Connection, terms: Sequence[tuple[int, Held]], revision: int) -> None:
    """Store the terms of keys that have none, by number."""
    rows = [(number, *map(_values(held, revision).__getitem__, _NAMES)) for number, held in terms]
    _ADD.run_many(connection, ("key_number", *_NAMES), rows)


def put(connection: Connection, number: int, held: Held, revision: int) -> None:
    """Store the terms of a key that has some."""
    values = {f"to_{name}": value for name, value in _values(held, revision).items()}
    _SET.run(connection, {"at_number": number, **values})


def remove(connection: Connection, number: int) -> None:
    """Delete the terms of a key."""
    _REMOVE.run(connection, {"at_number": number})


def touch(connection: Connection, number: int, revision: int) -> None:
    """Let the enforcing loop look at a key's terms again."""
    _TOUCH.run(connection, {"at_number": number, "to_revision": revision})


def watched_all(connection: Connection, scope: str) -> list[Watched]:
    """Return what to watch of every key of a scope."""
    return [_watched(row) for row in _WATCHED_ALL.rows(connection, {"scope": scope})]


def changed_since(connection: Connection, since: int) -> list[int]:
    """Return the keys whose terms changed after a generation."""
    return [row[0] for row in _CHANGED.rows(connection, {"since": since})]


def watched(connection: Connection, scope: str, number: int) -> Watched | None:
    """Return what to watch of a key, None for one without terms."""
    row = _WATCHED_ONE.first(connection, {"scope": scope, "number": number})
    return None if row is None else _watched(row)


def noticed(connection: Connection, scope: str) -> set[int]:
    """Return the keys of a scope that have carried, as booked, what something of their terms waits for."""
    return {row[0] for row in _NOTICED.rows(connection, {"scope": scope})}


def add_grant(connection: Connection, number: int, kind: str, request: str, values: tuple[int, datetime]) -> None:
    """Record an extension or a top-up under the id its caller chose: the amount, and when."""
    amount, at = values
    _ADD_GRANT.run(
        connection, {"key_number": number, "kind": kind, "request": request, "amount": amount, "made_at": at}
    )


def granted(connection: Connection, number: int, kind: str, request: str) -> int | None:
    """Return the amount of an extension or a top-up that was done under an id."""
    amount: int | None = _GRANT.scalar(connection, {"number": number, "kind": kind, "request": request})
    return amount


def terms_values(terms: Terms) -> dict[str, object]:
    """Return terms as columns."""
    period = terms.period
    return {
        "quota_bytes": terms.quota_bytes,
        "at_limit": terms.at_limit.value,
        "slow_to_bytes_s": terms.slow_to_bytes_s,
        "warn_at": list(terms.warn_at),
        "speed_bytes_s": terms.speed_bytes_s,
        "address_limit": terms.address_limit,
        "reset": period.reset.value,
        "reset_days": period.days,
        "reset_day": period.month_day,
        "time_zone": period.zone,
        "duration_s": terms.duration_s,
        "expires_at": terms.expires_at,
        "device_limit": terms.device_limit,
    }


def read_terms(row: Sequence[Any] | AnyRow, plan: str | None) -> Terms:
    """Make terms of columns in the order of ``TERM_NAMES``."""
    quota, at_limit, slow_to, warn_at, speed, addresses, reset, days, month_day, zone, *others = row
    duration_s, expires_at, devices = others
    return Terms(
        quota_bytes=quota,
        at_limit=AtLimit(at_limit),
        slow_to_bytes_s=slow_to,
        warn_at=tuple(warn_at),
        speed_bytes_s=speed,
        address_limit=addresses,
        period=_period(reset, days, month_day, zone),
        duration_s=duration_s,
        expires_at=expires_at,
        device_limit=devices,
        plan=plan,
    )


def _period(reset: str, days: int | None, month_day: int, zone: str) -> Period:
    """Make a period; one in a zone that this machine does not know goes by UTC, so that it does go on."""
    try:
        return Period(Reset(reset), days, month_day, zone)
    except Invalid as error:
        log.warning("period by UTC", zone=zone, reason=error.message)
        return Period(Reset(reset), days, month_day)


def _values(held: Held, revision: int) -> Mapping[str, object]:
    progress = held.progress
    return {
        "plan": held.terms.plan,
        **terms_values(held.terms),
        "period_began_at": progress.period_began_at,
        "baseline_uplink": progress.baseline.uplink,
        "baseline_downlink": progress.baseline.downlink,
        "topped_up_bytes": progress.topped_up_bytes,
        "warned": progress.warned,
        "limit_reached_at": progress.limit_reached_at,
        "unused_at": progress.unused_at,
        "expired_at": progress.expired_at,
        "address_refused_at": progress.address_refused_at,
        "pace": held.pace,
        "notice_at": held.notice_at(),
        "revision": revision,
    }


def _held(row: Sequence[Any]) -> Held:
    """Make a value of a row of ``_HELD``."""
    split = 2 + len(TERM_NAMES)
    began_at, up, down, *others = row[split:]
    progress = Progress(began_at, Bytes(up, down), *others)
    return Held(read_terms(row[2:split], row[1]), progress)


def _watched(row: Sequence[Any]) -> Watched:
    account_id, label, revision = row[:3]
    held = _held(row[3:])
    return Watched(row[3], account_id, label, held.due_at(), held.notice_at(), revision)
