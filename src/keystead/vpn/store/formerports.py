"""Queries of the inbounds that keys were served at before and that go on beside the present ones for a while."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select

from keystead.db.prepared import Prepared
from keystead.vpn.keyvalue import KeyState
from keystead.vpn.models import FORMER_PORTS, INBOUNDS, KEYS, TERMS, TRAFFIC
from keystead.vpn.placement import Placement
from keystead.vpn.store.keys import IS_NEW, WANTED, UserRow

_F, _I, _K = FORMER_PORTS.c, INBOUNDS.c, KEYS.c
_JOINED = (
    select(_I.tag, _K.label, _K.uuid, _K.flow, TERMS.c.pace, TERMS.c.address_limit, _I.second_pair_id, IS_NEW)
    .join_from(FORMER_PORTS, KEYS, _F.key_number == _K.number)
    .join(INBOUNDS, _F.inbound_id == _I.id)
    .join(TERMS, TERMS.c.key_number == _K.number, isouter=True)
    .where(_I.scope == bindparam("scope"), *WANTED)
)
_USERS = Prepared(_JOINED)
_USER = Prepared(_JOINED.where(_K.label == bindparam("label")))
_USERS_AT = _JOINED.where(_I.tag.in_(bindparam("tags", expanding=True)))
_PLACES = Prepared(
    select(_I.tag, _K.label)
    .join_from(FORMER_PORTS, KEYS, _F.key_number == _K.number)
    .join(INBOUNDS, _F.inbound_id == _I.id)
    .where(*WANTED)
)
_LEFT = Prepared(
    select(_I.tag)
    .join_from(TRAFFIC, FORMER_PORTS, TRAFFIC.c.key_number == _F.key_number)
    .join(INBOUNDS, _F.inbound_id == _I.id)
    .where(TRAFFIC.c.label == bindparam("label"))
)
_OF_REMOVED = Prepared(
    select(_F.inbound_id)
    .join_from(FORMER_PORTS, KEYS, _F.key_number == _K.number)
    .join(INBOUNDS, _F.inbound_id == _I.id)
    .where(
        _K.label == bindparam("label"),
        _K.state == KeyState.REMOVING.value,
        _I.placement == Placement.OWN_PORT.value,
    )
)
_INSERT = Prepared(insert(FORMER_PORTS))
_OVER = Prepared(
    select(_F.inbound_id, _F.key_number, _K.account_id, _I.scope, _I.port, _I.placement)
    .join_from(FORMER_PORTS, INBOUNDS, _F.inbound_id == _I.id)
    .join(KEYS, _F.key_number == _K.number)
    .where(_F.until <= bindparam("now"))
    .order_by(_F.inbound_id, _F.key_number)
)
_DELETE = Prepared(
    delete(FORMER_PORTS).where(_F.inbound_id == bindparam("at_id"), _F.key_number == bindparam("at_key"))
)
_ANY = Prepared(select(_F.inbound_id).limit(1))


class Over(NamedTuple):
    """A former port whose time is over."""

    inbound_id: int
    key_number: int
    account_id: int
    scope: str
    port: int
    placement: str

    @property
    def is_own(self) -> bool:
        """Tell whether nobody else is served there."""
        return self.placement == Placement.OWN_PORT.value


def add(connection: Connection, *, inbound_id: int, key_number: int, until: datetime) -> None:
    """Let an inbound that a key had go on beside its present one."""
    _INSERT.run(connection, {"inbound_id": inbound_id, "key_number": key_number, "until": until})


def is_any(connection: Connection) -> bool:
    """Tell whether any key has a former port: mostly none has, and then nothing else need be asked."""
    return _ANY.first(connection, {}) is not None


def users(connection: Connection, scope: str) -> list[UserRow]:
    """Return every user that the former inbounds of a scope should hold."""
    return [UserRow._make(row) for row in _USERS.rows(connection, {"scope": scope})]


def places(connection: Connection) -> frozenset[tuple[str, str]]:
    """Return which labels the former inbounds of all scopes should hold, as pairs of tag and label."""
    return frozenset((str(tag), str(label)) for tag, label in _PLACES.rows(connection, {}))


def users_of(connection: Connection, scope: str, labels: Iterable[str]) -> list[UserRow]:
    """Return those of some labels."""
    return [UserRow._make(row) for label in labels for row in _USER.rows(connection, {"scope": scope, "label": label})]


def users_at(connection: Connection, scope: str, tags: Collection[str]) -> list[UserRow]:
    """Return those of some inbounds."""
    return [UserRow._make(row) for row in connection.execute(_USERS_AT, {"scope": scope, "tags": list(tags)})]


def left(connection: Connection, label: str) -> list[str]:
    """Return the former inbounds that a label may have to leave."""
    return [str(row[0]) for row in _LEFT.rows(connection, {"label": label})]


def of_removed(connection: Connection, labels: Iterable[str]) -> list[int]:
    """Return the former inbounds that were the own ones of keys being removed."""
    return [int(row[0]) for label in labels for row in _OF_REMOVED.rows(connection, {"label": label})]


def over(connection: Connection, now: datetime) -> Sequence[Over]:
    """Return the former ports whose time is over."""
    return [Over._make(row) for row in _OVER.rows(connection, {"now": now})]


def drop(connection: Connection, former: Sequence[tuple[int, int]]) -> None:
    """Forget that inbounds are former ones of keys: the inbound's id and the key's number."""
    _DELETE.run_many(connection, ["at_id", "at_key"], list(former))
