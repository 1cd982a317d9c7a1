"""Queries of VPN keys."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    String,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from keystead.db.prepared import Prepared
from keystead.vpn.keyvalue import KeyIdent, KeyState, KeyStatus, VpnKey
from keystead.vpn.models import INBOUNDS, KEYS, TERMS, TRAFFIC
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
    K.is_enabled,
    K.state,
    K.created_at,
    INBOUNDS.c.placement,
    INBOUNDS.c.scope,
    INBOUNDS.c.port,
    K.last_seen_at,
)
_JOINED = select(*_COLUMNS).join_from(KEYS, INBOUNDS, K.inbound_id == INBOUNDS.c.id)
# More than there can be numbers in a column that is an integer to every database.
_ALL = 2**31 - 1
_STATES = {state.value: state for state in KeyState}
_PLACEMENTS = {placement.value: placement for placement in Placement}
_NOT_REMOVING = K.state != KeyState.REMOVING.value
_OF_ACCOUNT = K.account_id == bindparam("account_id")
# The keys that a confined token issued, or all. PostgreSQL cannot guess the type of a bare "parameter IS NULL".
CONFINED = or_(cast(bindparam("issued_by"), BigInteger).is_(None), K.issued_by == bindparam("issued_by"))
_PLACED = or_(cast(bindparam("placement"), String).is_(None), INBOUNDS.c.placement == bindparam("placement"))
WANTED = (_NOT_REMOVING, K.is_active.is_(True))

_BY_NUMBER = _JOINED.where(_OF_ACCOUNT, K.number == bindparam("number"))
_BY_UUID = _JOINED.where(_OF_ACCOUNT, or_(K.uuid == bindparam("uuid"), K.public_id == bindparam("uuid")))
_FIND_BY_NUMBER, _FIND_BY_UUID = Prepared(_BY_NUMBER), Prepared(_BY_UUID)
_CHANGE_BY_NUMBER, _CHANGE_BY_UUID = (
    Prepared(found.with_for_update(of=KEYS, key_share=True)) for found in (_BY_NUMBER, _BY_UUID)
)
_LISTED = (
    _JOINED.where(_OF_ACCOUNT, _NOT_REMOVING, CONFINED)
    .where(_PLACED, K.number > bindparam("after"))
    .order_by(K.number)
    .limit(bindparam("limit"))
)
_COUNTED = (
    select(func.count())
    .select_from(KEYS)
    .join(INBOUNDS, K.inbound_id == INBOUNDS.c.id)
    .where(_OF_ACCOUNT, _NOT_REMOVING, CONFINED, _PLACED)
)
_HAS_EXPIRED = exists().where(TERMS.c.key_number == K.number, TERMS.c.expired_at.is_not(None))
_IS_STOPPED = (K.is_enabled.is_(True), K.is_active.is_(False))
# A key that nobody disabled and that has not expired is stopped by its quota.
OF_STATUS: Mapping[KeyStatus | None, tuple[ColumnElement[bool], ...]] = {
    None: (),
    KeyStatus.ACTIVE: (K.is_active.is_(True),),
    KeyStatus.DISABLED: (K.is_enabled.is_(False),),
    KeyStatus.EXPIRED: (*_IS_STOPPED, _HAS_EXPIRED),
    KeyStatus.CUT: (*_IS_STOPPED, ~_HAS_EXPIRED),
}
_PAGES = {status: Prepared(_LISTED.where(*narrowed)) for status, narrowed in OF_STATUS.items()}
_COUNTS = {status: Prepared(_COUNTED.where(*narrowed)) for status, narrowed in OF_STATUS.items()}
_OF_NUMBERS = _JOINED.where(_OF_ACCOUNT, _NOT_REMOVING, CONFINED, K.number.in_(bindparam("numbers", expanding=True)))
_OWN_PORTS = Prepared(
    select(
        *_COLUMNS,
        *(INBOUNDS.c[name] for name in ("tag", "port", "target", "public_key", "server_names", "short_ids")),
    )
    .join_from(KEYS, INBOUNDS, K.inbound_id == INBOUNDS.c.id)
    .where(INBOUNDS.c.placement == Placement.OWN_PORT.value)
    .order_by(INBOUNDS.c.port)
)
_NOTE_SEEN = Prepared(
    update(KEYS)
    .where(K.number == bindparam("at_number"), or_(K.last_seen_at.is_(None), K.last_seen_at < bindparam("seen_at")))
    .values(last_seen_at=bindparam("seen_at"))
)
_INSERT_KEY = Prepared(insert(KEYS).returning(K.number))
_SET_LABEL = Prepared(update(KEYS).where(K.number == bindparam("at_number")).values(label=bindparam("new_label")))
_SET_STATE = Prepared(update(KEYS).where(K.number == bindparam("at_number")).values(state=bindparam("new_state")))
_SET_ACTIVE = Prepared(
    update(KEYS)
    .where(K.number == bindparam("at_number"))
    .values(is_active=bindparam("new_active"), is_enabled=bindparam("new_enabled"))
)
_SET_NAME = Prepared(update(KEYS).where(K.number == bindparam("at_number")).values(name=bindparam("new_name")))
_SET_CREDENTIAL = Prepared(
    update(KEYS)
    .where(K.number == bindparam("at_number"))
    .values(uuid=bindparam("new_uuid"), masked_uuid=bindparam("new_masked"), label=bindparam("new_label"))
)
# Nobody has the key yet.
IS_NEW = K.state == KeyState.ISSUING.value
_OF_SCOPE = (
    select(
        *(INBOUNDS.c.tag, K.label, K.uuid, K.flow, TERMS.c.pace, TERMS.c.address_limit, INBOUNDS.c.second_pair_id),
        IS_NEW,
    )
    .join_from(KEYS, INBOUNDS, K.inbound_id == INBOUNDS.c.id)
    .join(TERMS, TERMS.c.key_number == K.number, isouter=True)
    .where(INBOUNDS.c.scope == bindparam("scope"), *WANTED)
)
_USERS = Prepared(_OF_SCOPE)
_USER = Prepared(_OF_SCOPE.where(K.label == bindparam("label")))
_USERS_AT = _OF_SCOPE.where(INBOUNDS.c.tag.in_(bindparam("tags", expanding=True)))
# Where a label is that has a port of its own; a key keeps the rows of all its labels.
_LEFT = Prepared(
    select(INBOUNDS.c.tag)
    .join_from(TRAFFIC, KEYS, TRAFFIC.c.key_number == K.number)
    .join(INBOUNDS, K.inbound_id == INBOUNDS.c.id)
    .where(TRAFFIC.c.label == bindparam("label"), INBOUNDS.c.placement == Placement.OWN_PORT.value)
)
_SIZES = Prepared(
    select(INBOUNDS.c.tag, func.count(K.number))
    .join_from(INBOUNDS, KEYS, (K.inbound_id == INBOUNDS.c.id) & _NOT_REMOVING & K.is_active.is_(True), isouter=True)
    .where(INBOUNDS.c.scope == bindparam("scope"))
    .group_by(INBOUNDS.c.tag)
)
_UNCONFIRMED = Prepared(
    select(K.label, K.state, K.is_active)
    .join_from(KEYS, INBOUNDS, K.inbound_id == INBOUNDS.c.id)
    .where(INBOUNDS.c.scope == bindparam("scope"), K.state != KeyState.LIVE.value)
)
_MAKE_LIVE = Prepared(
    update(KEYS)
    .where(K.label == bindparam("at_label"), K.state == KeyState.ISSUING.value)
    .values(state=KeyState.LIVE.value)
)
_ISSUING = Prepared(
    _JOINED.where(K.label == bindparam("label"), K.state == KeyState.ISSUING.value).with_for_update(
        of=KEYS, key_share=True
    )
)
_BURY = Prepared(delete(KEYS).where(K.label == bindparam("at_label"), K.state == KeyState.REMOVING.value))


def find(connection: Connection, account_id: int, ident: KeyIdent) -> VpnKey | None:
    """Return the key a caller names, in any state, or None."""
    return _named(connection, account_id, ident, by_number=_FIND_BY_NUMBER, by_uuid=_FIND_BY_UUID)


def find_for_change(connection: Connection, account_id: int, ident: KeyIdent) -> VpnKey | None:
    """Return the key a caller names as the last change left it, and keep other changes waiting until the commit.

    SQLite has one writer, which is the caller.
    """
    return _named(connection, account_id, ident, by_number=_CHANGE_BY_NUMBER, by_uuid=_CHANGE_BY_UUID)


def page(
    connection: Connection,
    account_id: int,
    *,
    issued_by: int | None,
    placement: Placement | None,
    after: int,
    limit: int,
    status: KeyStatus | None = None,
) -> list[VpnKey]:
    """Return keys of a placement (None: of any) by number, those being removed left out."""
    rows = _PAGES[status].rows(
        connection,
        {
            "account_id": account_id,
            "issued_by": issued_by,
            "placement": placement and placement.value,
            "after": after,
            "limit": limit,
        },
    )
    return [_key(row) for row in rows]


def parts(
    connection: Connection, account_id: int, *, issued_by: int | None, placement: Placement | None, size: int
) -> Iterator[list[VpnKey]]:
    """Yield all keys of a placement (None: of any) by number, so many at a time; those being removed are left out."""
    values = {
        "account_id": account_id,
        "issued_by": issued_by,
        "placement": placement and placement.value,
        "after": 0,
        "limit": _ALL,
    }
    for rows in _PAGES[None].parts(connection, values, size):
        yield [_key(row) for row in rows]


def count(
    connection: Connection,
    account_id: int,
    *,
    issued_by: int | None,
    placement: Placement | None,
    status: KeyStatus | None = None,
) -> int:
    """Count keys of a placement (None: of any), those being removed left out."""
    values = {"account_id": account_id, "issued_by": issued_by, "placement": placement and placement.value}
    return int(_COUNTS[status].scalar(connection, values))


def of_numbers(
    connection: Connection, account_id: int, *, issued_by: int | None, numbers: Sequence[int]
) -> list[VpnKey]:
    """Return those of these keys that are the account's, those being removed left out."""
    values = {"account_id": account_id, "issued_by": issued_by, "numbers": list(numbers)}
    return [_key(tuple(row)) for row in connection.execute(_OF_NUMBERS, values)]


class OwnPort(NamedTuple):
    """A key that has a port of its own, and what its inbound says."""

    key: VpnKey
    tag: str
    port: int
    target: str
    public_key: str
    server_names: list[str]
    short_ids: list[str]


def own_ports(connection: Connection) -> list[OwnPort]:
    """Return the keys that have ports of their own, of all accounts and in any state, by port."""
    size = len(_COLUMNS)
    return [OwnPort(_key(row[:size]), *row[size:]) for row in _OWN_PORTS.rows(connection, {})]


def note_seen(connection: Connection, seen: Sequence[tuple[int, datetime]]) -> None:
    """Record when keys were last seen; a moment earlier than the one on record changes nothing."""
    _NOTE_SEEN.run_many(connection, ["at_number", "seen_at"], list(seen))


def narrowed(
    connection: Connection, account_id: int, *, issued_by: int | None, conditions: Iterable[ColumnElement[bool]]
) -> list[VpnKey]:
    """Return an account's keys that meet conditions on them, their inbounds and terms, by number."""
    statement = (
        _JOINED.join(TERMS, TERMS.c.key_number == K.number, isouter=True)
        .where(_OF_ACCOUNT, _NOT_REMOVING, CONFINED, *conditions)
        .order_by(K.number)
    )
    rows = connection.execute(statement, {"account_id": account_id, "issued_by": issued_by})
    return [_key(tuple(row)) for row in rows]


def add_key(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert a key and return its number, which is never used again."""
    return int(_INSERT_KEY.scalar(connection, values))


def set_label(connection: Connection, number: int, label: str) -> None:
    """Give a new key its label."""
    _SET_LABEL.run(connection, {"at_number": number, "new_label": label})


def set_state(connection: Connection, number: int, state: KeyState) -> None:
    """Move a key on its way."""
    _SET_STATE.run(connection, {"at_number": number, "new_state": state.value})


def set_active(connection: Connection, number: int, *, is_active: bool, is_enabled: bool) -> None:
    """Store whether a key connects, and whether nobody disabled it by hand."""
    _SET_ACTIVE.run(connection, {"at_number": number, "new_active": is_active, "new_enabled": is_enabled})


def set_name(connection: Connection, number: int, name: str | None) -> None:
    """Rename a key."""
    _SET_NAME.run(connection, {"at_number": number, "new_name": name})


def set_credential(connection: Connection, number: int, *, uuid: str, masked_uuid: str, label: str) -> None:
    """Give a key another UUID under another label."""
    values = {"at_number": number, "new_uuid": uuid, "new_masked": masked_uuid, "new_label": label}
    _SET_CREDENTIAL.run(connection, values)


class UserRow(NamedTuple):
    """A user the engine of a scope should hold.

    ``pace`` is its speed limit in bytes a second, ``addresses`` from how many addresses at a time it may be used;
    ``second_pair_id`` names the pair that its inbound serves besides; ``is_new`` says that nobody has the key yet.
    """

    tag: str
    label: str
    uuid: str
    flow: str
    pace: int | None
    addresses: int | None
    second_pair_id: int | None
    is_new: bool


def users(connection: Connection, scope: str) -> Sequence[UserRow]:
    """Return every user the engine of a scope should hold."""
    return [UserRow._make(row) for row in _USERS.rows(connection, {"scope": scope})]


def users_of(connection: Connection, scope: str, labels: Sequence[str]) -> Sequence[UserRow]:
    """Return those labels the engine of a scope should hold."""
    rows = (_USER.first(connection, {"scope": scope, "label": label}) for label in labels)
    return [UserRow._make(row) for row in rows if row is not None]


def users_at(connection: Connection, scope: str, tags: Collection[str]) -> Sequence[UserRow]:
    """Return every user that some inbounds of a scope should hold."""
    return [UserRow._make(row) for row in connection.execute(_USERS_AT, {"scope": scope, "tags": list(tags)})]


def left(connection: Connection, label: str) -> list[str]:
    """Return the inbound of its own that a label may have to leave."""
    return [str(row[0]) for row in _LEFT.rows(connection, {"label": label})]


def sizes(connection: Connection, scope: str) -> dict[str, int]:
    """Count the users each inbound of a scope should hold."""
    return {row[0]: row[1] for row in _SIZES.rows(connection, {"scope": scope})}


def unconfirmed(connection: Connection, scope: str) -> tuple[list[str], list[str]]:
    """Return the labels whose presence, and those whose absence, the engine has not confirmed."""
    present: list[str] = []
    absent: list[str] = []
    for label, state, is_active in _UNCONFIRMED.rows(connection, {"scope": scope}):
        (absent if state == KeyState.REMOVING.value or not is_active else present).append(label)
    return present, absent


def issuing(connection: Connection, labels: Sequence[str]) -> list[VpnKey]:
    """Return those keys that are still being issued, and keep other changes to them waiting until the commit."""
    found = (_ISSUING.first(connection, {"label": label}) for label in labels)
    return [_key(row) for row in found if row is not None]


def make_live(connection: Connection, labels: Sequence[str]) -> None:
    """Record that keys being issued are in the engine."""
    _MAKE_LIVE.run_many(connection, ["at_label"], [(label,) for label in labels])


def bury(connection: Connection, labels: Sequence[str]) -> None:
    """Delete the tombstones of keys the engine is known to be without; traffic and subscriptions go with them."""
    _BURY.run_many(connection, ["at_label"], [(label,) for label in labels])


def _named(
    connection: Connection, account_id: int, ident: KeyIdent, *, by_number: Prepared, by_uuid: Prepared
) -> VpnKey | None:
    if ident.number is not None:
        row = by_number.first(connection, {"account_id": account_id, "number": ident.number})
    elif ident.uuid is not None:
        row = by_uuid.first(connection, {"account_id": account_id, "uuid": ident.uuid})
    else:
        row = None
    return None if row is None else _key(row)


def _key(row: Sequence[Any]) -> VpnKey:
    """Make a key of a row of ``_COLUMNS``, whose order is that of the value's fields."""
    *plain, state, created_at, placement, scope, port, last_seen_at = row
    return VpnKey._make((*plain, _STATES[state], created_at, _PLACEMENTS[placement], scope, port, last_seen_at))
