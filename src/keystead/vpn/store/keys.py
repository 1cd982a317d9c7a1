"""Queries of VPN keys and inbounds, built once. Traffic has its own (``meterstore.py``)."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from keystead.vpn.keyvalue import KeyIdent, KeyState, VpnKey
from keystead.vpn.models import INBOUNDS, KEYS
from keystead.vpn.placement import Placement

K = KEYS.c
_COLUMNS = (
    K.number,
    K.public_id,
    K.account_id,
    K.inbound_id,
    K.issued_by,
    K.name,
    K.uuid,
    K.label,
    K.flow,
    K.short_id,
    K.server_name,
    K.is_active,
    K.state,
    K.created_at,
    INBOUNDS.c.placement,
    INBOUNDS.c.scope,
)
_JOINED = select(*_COLUMNS).join_from(KEYS, INBOUNDS, K.inbound_id == INBOUNDS.c.id)
_NOT_REMOVING = K.state != KeyState.REMOVING.value
_OF_ACCOUNT = K.account_id == bindparam("account_id")
# PostgreSQL cannot guess the type of a bare "parameter IS NULL".
_CONFINED = or_(cast(bindparam("issued_by"), BigInteger).is_(None), K.issued_by == bindparam("issued_by"))
_WANTED = (_NOT_REMOVING, K.is_active.is_(True))

_FIND_BY_NUMBER = _JOINED.where(_OF_ACCOUNT, K.number == bindparam("number"))
_FIND_BY_UUID = _JOINED.where(_OF_ACCOUNT, or_(K.uuid == bindparam("uuid"), K.public_id == bindparam("uuid")))
_PAGE = (
    _JOINED.where(_OF_ACCOUNT, _NOT_REMOVING, _CONFINED)
    .where(INBOUNDS.c.placement == bindparam("placement"), K.number > bindparam("after"))
    .order_by(K.number)
    .limit(bindparam("limit"))
)
_COUNT = (
    select(func.count())
    .select_from(KEYS)
    .join(INBOUNDS, K.inbound_id == INBOUNDS.c.id)
    .where(_OF_ACCOUNT, _NOT_REMOVING, _CONFINED, INBOUNDS.c.placement == bindparam("placement"))
)
_INSERT_KEY = insert(KEYS).returning(K.number)
_SET_LABEL = update(KEYS).where(K.number == bindparam("at_number")).values(label=bindparam("new_label"))
_SET_STATE = update(KEYS).where(K.number == bindparam("at_number")).values(state=bindparam("new_state"))
_SET_ACTIVE = update(KEYS).where(K.number == bindparam("at_number")).values(is_active=bindparam("new_active"))
_SET_NAME = update(KEYS).where(K.number == bindparam("at_number")).values(name=bindparam("new_name"))
_SET_CREDENTIAL = (
    update(KEYS)
    .where(K.number == bindparam("at_number"))
    .values(uuid=bindparam("new_uuid"), masked_uuid=bindparam("new_masked"), label=bindparam("new_label"))
)
_USERS = (
    select(INBOUNDS.c.tag, K.label, K.uuid, K.flow)
    .join_from(KEYS, INBOUNDS, K.inbound_id == INBOUNDS.c.id)
    .where(INBOUNDS.c.scope == bindparam("scope"), *_WANTED)
)
_USERS_OF = _USERS.where(K.label.in_(bindparam("labels", expanding=True)))
_SIZES = (
    select(INBOUNDS.c.tag, func.count(K.number))
    .join_from(INBOUNDS, KEYS, (K.inbound_id == INBOUNDS.c.id) & _NOT_REMOVING & K.is_active.is_(True), isouter=True)
    .where(INBOUNDS.c.scope == bindparam("scope"))
    .group_by(INBOUNDS.c.tag)
)
_UNCONFIRMED = (
    select(K.label, K.state, K.is_active)
    .join_from(KEYS, INBOUNDS, K.inbound_id == INBOUNDS.c.id)
    .where(INBOUNDS.c.scope == bindparam("scope"), K.state != KeyState.LIVE.value)
)
_MAKE_LIVE = (
    update(KEYS)
    .where(K.label == bindparam("at_label"), K.state == KeyState.ISSUING.value)
    .values(state=KeyState.LIVE.value)
)
_BURY = delete(KEYS).where(K.label == bindparam("at_label"), K.state == KeyState.REMOVING.value)


def find(connection: Connection, account_id: int, ident: KeyIdent) -> VpnKey | None:
    """Return the key a caller names, in any state, or None."""
    if ident.number is not None:
        row = connection.execute(_FIND_BY_NUMBER, {"account_id": account_id, "number": ident.number}).first()
    elif ident.uuid is not None:
        row = connection.execute(_FIND_BY_UUID, {"account_id": account_id, "uuid": ident.uuid}).first()
    else:
        row = None
    return None if row is None else _key(row)


def page(
    connection: Connection, account_id: int, *, issued_by: int | None, placement: Placement, after: int, limit: int
) -> list[VpnKey]:
    """Return keys by number, those being removed left out."""
    rows = connection.execute(
        _PAGE,
        {
            "account_id": account_id,
            "issued_by": issued_by,
            "placement": placement.value,
            "after": after,
            "limit": limit,
        },
    )
    return [_key(row) for row in rows]


def count(connection: Connection, account_id: int, *, issued_by: int | None, placement: Placement) -> int:
    """Count keys, those being removed left out."""
    values = {"account_id": account_id, "issued_by": issued_by, "placement": placement.value}
    return int(connection.execute(_COUNT, values).scalar_one())


def add_key(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert a key and return its number, which is never used again."""
    return int(connection.execute(_INSERT_KEY, values).scalar_one())


def set_label(connection: Connection, number: int, label: str) -> None:
    """Give a new key its label."""
    connection.execute(_SET_LABEL, {"at_number": number, "new_label": label})


def set_state(connection: Connection, number: int, state: KeyState) -> None:
    """Move a key on its way."""
    connection.execute(_SET_STATE, {"at_number": number, "new_state": state.value})


def set_active(connection: Connection, number: int, *, is_active: bool) -> None:
    """Enable or disable a key."""
    connection.execute(_SET_ACTIVE, {"at_number": number, "new_active": is_active})


def set_name(connection: Connection, number: int, name: str | None) -> None:
    """Rename a key."""
    connection.execute(_SET_NAME, {"at_number": number, "new_name": name})


def set_credential(connection: Connection, number: int, *, uuid: str, masked_uuid: str, label: str) -> None:
    """Give a key another UUID under another label."""
    values = {"at_number": number, "new_uuid": uuid, "new_masked": masked_uuid, "new_label": label}
    connection.execute(_SET_CREDENTIAL, values)


def users(connection: Connection, scope: str) -> Sequence[tuple[str, str, str, str]]:
    """Return (inbound tag, label, UUID, flow) of every user the engine of a scope should hold."""
    return [tuple(row) for row in connection.execute(_USERS, {"scope": scope})]


def users_of(connection: Connection, scope: str, labels: Sequence[str]) -> Sequence[tuple[str, str, str, str]]:
    """Return (inbound tag, label, UUID, flow) of those labels the engine of a scope should hold."""
    return [tuple(row) for row in connection.execute(_USERS_OF, {"scope": scope, "labels": list(labels)})]


def sizes(connection: Connection, scope: str) -> dict[str, int]:
    """Count the users each inbound of a scope should hold."""
    return {row[0]: row[1] for row in connection.execute(_SIZES, {"scope": scope})}


def unconfirmed(connection: Connection, scope: str) -> tuple[list[str], list[str]]:
    """Return the labels whose presence, and those whose absence, the engine has not confirmed."""
    present: list[str] = []
    absent: list[str] = []
    for label, state, is_active in connection.execute(_UNCONFIRMED, {"scope": scope}):
        (absent if state == KeyState.REMOVING.value or not is_active else present).append(label)
    return present, absent


def make_live(connection: Connection, labels: Sequence[str]) -> None:
    """Record that keys being issued are in the engine."""
    if labels:
        connection.execute(_MAKE_LIVE, [{"at_label": label} for label in labels])


def bury(connection: Connection, labels: Sequence[str]) -> None:
    """Delete the tombstones of keys the engine is known to be without; traffic and subscriptions go with them."""
    if labels:
        connection.execute(_BURY, [{"at_label": label} for label in labels])


def _key(row: Sequence[Any]) -> VpnKey:
    """Make a key of a row of ``_COLUMNS``, whose order is that of the value's fields."""
    *plain, state, created_at, placement, scope = row
    number, public_id, account_id, inbound_id, issued_by, name, uuid, label, flow, short_id, server_name, is_active = (
        plain
    )
    return VpnKey(
        number=number,
        public_id=public_id,
        account_id=account_id,
        inbound_id=inbound_id,
        issued_by=issued_by,
        name=name,
        uuid=uuid,
        label=label,
        flow=flow,
        short_id=short_id,
        server_name=server_name,
        is_active=is_active,
        state=KeyState(state),
        created_at=created_at,
        placement=Placement(placement),
        scope=scope,
    )
