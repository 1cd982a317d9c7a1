"""Queries of the devices that poll subscriptions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from keystead.db.prepared import Prepared
from keystead.vpn.models import DEVICES, SUBSCRIPTIONS

D, S = DEVICES.c, SUBSCRIPTIONS.c

_COLUMNS = (D.id, D.system, D.model, D.first_at, D.last_at)
_OF_KEY = D.key_number == bindparam("number")
_LIVE = D.last_at >= bindparam("since")
_KNOWN = Prepared(select(D.last_at).where(_OF_KEY, _LIVE, D.fingerprint == bindparam("fingerprint")))
_COUNT = Prepared(select(func.count()).select_from(DEVICES).where(_OF_KEY, _LIVE))
_ALL = Prepared(select(*_COLUMNS).where(_OF_KEY, _LIVE).order_by(D.first_at, D.id))
_ADD = Prepared(insert(DEVICES))
_SEEN = Prepared(
    update(DEVICES)
    .where(D.key_number == bindparam("at_number"), D.fingerprint == bindparam("at_fingerprint"))
    .values(system=bindparam("to_system"), model=bindparam("to_model"), last_at=bindparam("to_last_at"))
)
_REMOVE_ONE = delete(DEVICES).where(_OF_KEY, D.id == bindparam("device_id"))
_REMOVE = delete(DEVICES).where(_OF_KEY)
_EXPIRE = delete(DEVICES).where(_OF_KEY, D.last_at < bindparam("before"))
_PRUNE = delete(DEVICES).where(D.last_at < bindparam("before"))
_REFUSED = Prepared(select(S.refused_at).where(S.key_number == bindparam("number")))
_LOCK = select(S.refused_at).where(S.key_number == bindparam("number")).with_for_update()
_REFUSE = Prepared(
    update(SUBSCRIPTIONS).where(S.key_number == bindparam("at_number")).values(refused_at=bindparam("to_refused_at"))
)


class Device(NamedTuple):
    """A device that polled a key's subscription: what it says of itself, and when."""

    id: int
    system: str
    model: str
    first_at: datetime
    last_at: datetime


class Seen(NamedTuple):
    """A device at the moment it polls; ``fingerprint`` tells it from the key's others."""

    fingerprint: str
    system: str
    model: str
    at: datetime


def known_at(connection: Connection, number: int, fingerprint: str, since: datetime) -> datetime | None:
    """Return when a key's device was last seen as noted; None for one that is unknown or unseen since then."""
    found: datetime | None = _KNOWN.scalar(connection, {"number": number, "fingerprint": fingerprint, "since": since})
    return found


def count(connection: Connection, number: int, since: datetime) -> int:
    """Return how many devices of a key were seen since then."""
    return int(_COUNT.scalar(connection, {"number": number, "since": since}))


def of_key(connection: Connection, number: int, since: datetime) -> list[Device]:
    """Return the devices of a key that were seen since then, the oldest first."""
    return [Device(*row) for row in _ALL.rows(connection, {"number": number, "since": since})]


def add(connection: Connection, number: int, seen: Seen) -> None:
    """Store a key's new device."""
    moments = {"first_at": seen.at, "last_at": seen.at}
    _ADD.run(
        connection,
        {"key_number": number, "fingerprint": seen.fingerprint, "system": seen.system, "model": seen.model, **moments},
    )


def note(connection: Connection, number: int, seen: Seen) -> None:
    """Note that a key's device was seen again."""
    told = {"to_system": seen.system, "to_model": seen.model, "to_last_at": seen.at}
    _SEEN.run(connection, {"at_number": number, "at_fingerprint": seen.fingerprint, **told})


def remove(connection: Connection, number: int, device_id: int | None = None) -> int:
    """Delete one device of a key, or all; return how many there were."""
    values: dict[str, Any] = {"number": number}
    if device_id is None:
        return int(connection.execute(_REMOVE, values).rowcount)
    return int(connection.execute(_REMOVE_ONE, {**values, "device_id": device_id}).rowcount)


def expire(connection: Connection, number: int, before: datetime) -> None:
    """Delete the devices of a key that were last seen before then."""
    connection.execute(_EXPIRE, {"number": number, "before": before})


def prune(connection: Connection, before: datetime) -> None:
    """Delete the devices that were last seen before then, whosever they are."""
    connection.execute(_PRUNE, {"before": before})


def refused_at(connection: Connection, number: int) -> datetime | None:
    """Return when a refusal of one of a key's devices was last told."""
    found: datetime | None = _REFUSED.scalar(connection, {"number": number})
    return found


def lock(connection: Connection, number: int) -> Sequence[datetime | None]:
    """Return the same as a sequence, empty without a subscription; others wait with theirs until the commit."""
    return connection.execute(_LOCK, {"number": number}).scalars().all()


def note_refused(connection: Connection, number: int, at: datetime) -> None:
    """Note that a refusal was told."""
    _REFUSE.run(connection, {"at_number": number, "to_refused_at": at})
