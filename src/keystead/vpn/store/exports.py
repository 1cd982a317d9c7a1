"""Queries of an export: an account's keys in order, a few hundred at a time, with what each has carried."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, cast, exists, func, select

from keystead.db.prepared import Prepared
from keystead.vpn.accounting import Bytes
from keystead.vpn.inbound import Inbound
from keystead.vpn.keyvalue import KeyState
from keystead.vpn.models import INBOUNDS, KEYS, SUBSCRIPTIONS, TRAFFIC
from keystead.vpn.store import inbounds as inbound_store

_BATCH = 500
_K, _T = KEYS.c, TRAFFIC.c
_THEIRS = (_K.account_id == bindparam("account_id"), _K.state != KeyState.REMOVING.value)
_COUNT = Prepared(select(func.count()).select_from(KEYS).where(*_THEIRS))
_USED = Prepared(select(INBOUNDS.c.id).where(exists().where(_K.inbound_id == INBOUNDS.c.id, *_THEIRS)))
_KEYS = Prepared(
    select(
        *(_K.number, _K.public_id, _K.name, _K.uuid, INBOUNDS.c.tag, _K.flow, _K.short_id, _K.server_name),
        *(_K.is_enabled, _K.created_at, SUBSCRIPTIONS.c.sealed_token),
    )
    .join_from(KEYS, INBOUNDS, _K.inbound_id == INBOUNDS.c.id)
    .join(SUBSCRIPTIONS, SUBSCRIPTIONS.c.key_number == _K.number, isouter=True)
    .where(*_THEIRS, _K.number > bindparam("after"))
    .order_by(_K.number)
    .limit(_BATCH)
)
# PostgreSQL sums whole numbers to decimal ones.
_CARRIED = Prepared(
    select(
        _T.key_number,
        *(
            cast(func.sum(column), BigInteger)
            for column in (
                _T.uplink + _T.estimated_uplink,
                _T.downlink + _T.estimated_downlink,
                _T.forgiven_uplink,
                _T.forgiven_downlink,
            )
        ),
    )
    .where(_T.key_number.between(bindparam("first"), bindparam("last")))
    .group_by(_T.key_number)
)


class KeyRow(NamedTuple):
    """A key with the tag of its inbound and the sealed token of its subscription."""

    number: int
    public_id: str
    name: str | None
    uuid: str
    tag: str
    flow: str
    short_id: str
    server_name: str
    is_enabled: bool
    created_at: datetime
    sealed_token: str | None


class CarriedRow(NamedTuple):
    """What a key has carried over its life, as booked, and what resets took out of sight."""

    lifetime: Bytes
    forgiven: Bytes


def count(connection: Connection, account_id: int) -> int:
    """Count the keys of an account."""
    return int(_COUNT.scalar(connection, {"account_id": account_id}))


def inbounds(connection: Connection, account_id: int) -> list[Inbound]:
    """Return the inbounds that the keys of an account are served on."""
    used = {row[0] for row in _USED.rows(connection, {"account_id": account_id})}
    return [inbound for inbound in inbound_store.all_of(connection) if inbound.id in used]


def keys(connection: Connection, account_id: int) -> Iterator[Sequence[KeyRow]]:
    """Yield the keys of an account in the order of their numbers."""
    values: dict[str, Any] = {"account_id": account_id, "after": 0}
    while rows := [KeyRow._make(row) for row in _KEYS.rows(connection, values)]:
        yield rows
        values["after"] = rows[-1].number


def carried(connection: Connection, first: int, last: int) -> dict[int, CarriedRow]:
    """Return what the keys whose numbers lie in a range have carried."""
    rows = _CARRIED.rows(connection, {"first": first, "last": last})
    return {row[0]: CarriedRow(Bytes(row[1], row[2]), Bytes(row[3], row[4])) for row in rows}
