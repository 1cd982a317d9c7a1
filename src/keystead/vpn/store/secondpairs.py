"""Queries of second key pairs: the pairs, the inbounds that serve them, and who was seen at them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, union, update

from keystead.db.prepared import Prepared
from keystead.vpn.keyvalue import KeyState
from keystead.vpn.models import FORMER_PORTS, INBOUNDS, KEYS, PAIR_USES, SECOND_PAIRS
from keystead.vpn.secondpair import SecondPair, Stage
from keystead.vpn.store.keys import CONFINED, WANTED

_P, _I, _K, _U = SECOND_PAIRS.c, INBOUNDS.c, KEYS.c, PAIR_USES.c
_CHANGING = (
    *("private_key", "public_key", "is_front", "stage"),
    *("made_at", "turned_at", "kept_s", "until"),
)

_OF_SCOPE = select(SECOND_PAIRS).where(_P.scope == bindparam("scope"))
_FIND = select(SECOND_PAIRS).where(_P.id == bindparam("id"))
_OVER = select(SECOND_PAIRS).where(_P.until <= bindparam("now"))
_INSERT = insert(SECOND_PAIRS).returning(_P.id)
_CHANGE = (
    update(SECOND_PAIRS)
    .where(_P.id == bindparam("at_id"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)
_SEAL = update(SECOND_PAIRS).where(_P.id == bindparam("at_id")).values(private_key=bindparam("new_private_key"))
_DELETE = delete(SECOND_PAIRS).where(_P.id == bindparam("at_id"))
_TAKE_UP = (
    update(INBOUNDS)
    .where(_I.scope == bindparam("at_scope"), _I.public_key == bindparam("at_public_key"))
    .where(_I.target == bindparam("at_target"))
    .values(second_pair_id=bindparam("new_second"))
)
_TAKE_UP_AT = update(INBOUNDS).where(_I.id == bindparam("at_id")).values(second_pair_id=bindparam("new_second"))
_WIDEN = (
    update(SECOND_PAIRS)
    .where(_P.id == bindparam("at_id"))
    .values(server_names=bindparam("new_server_names"), short_ids=bindparam("new_short_ids"))
)
_LET_GO = update(INBOUNDS).where(_I.second_pair_id == bindparam("at_id")).values(second_pair_id=None)

_SERVED = union(
    select(_I.second_pair_id.label("pair"), _K.number.label("number"))
    .join_from(INBOUNDS, KEYS, _K.inbound_id == _I.id)
    .where(_I.scope == bindparam("scope"), _I.second_pair_id.is_not(None), *WANTED),
    select(_I.second_pair_id, _K.number)
    .join_from(FORMER_PORTS, KEYS, FORMER_PORTS.c.key_number == _K.number)
    .join(INBOUNDS, FORMER_PORTS.c.inbound_id == _I.id)
    .where(_I.scope == bindparam("scope"), _I.second_pair_id.is_not(None), *WANTED),
).subquery()
_SIZE = Prepared(select(func.count()).select_from(_SERVED))
_NUMBERS = select(_SERVED.c.number)
# On the way of every look at sizes, and mostly there is none.
_BEHIND = Prepared(select(_I.second_pair_id).where(_I.scope == bindparam("scope"), _I.second_pair_id > 0).limit(1))
_COUNT_KEYS = (
    select(func.count())
    .select_from(KEYS)
    .join(INBOUNDS, _K.inbound_id == _I.id)
    .where(_I.scope == bindparam("scope"), _I.public_key == bindparam("public_key"))
    .where(_K.state != KeyState.REMOVING.value)
)

_NOT_YET = delete(PAIR_USES).where(
    _U.pair_id == bindparam("at_pair"), _U.key_number.in_(bindparam("numbers", expanding=True))
)
_NOTE = insert(PAIR_USES)
_FORGET = delete(PAIR_USES).where(_U.pair_id == bindparam("at_id"))
_USES = (
    select(_K.number, _K.public_id, _K.name, _U.used_at)
    .join_from(PAIR_USES, KEYS, _U.key_number == _K.number)
    .where(_U.pair_id == bindparam("pair_id"), _K.state != KeyState.REMOVING.value)
    .where(_K.account_id == bindparam("account_id"), CONFINED)
    .order_by(_K.number)
)
_COUNT_USES = (
    select(func.count())
    .select_from(PAIR_USES)
    .where(_U.pair_id == bindparam("pair_id"), _U.used_at >= bindparam("since"))
)


class Use(NamedTuple):
    """A key that was seen at a second pair, and when last."""

    number: int
    public_id: str
    name: str | None
    used_at: datetime


def of_scope(connection: Connection, scope: str) -> SecondPair | None:
    """Return the second pair of a scope, None while there is none."""
    row = connection.execute(_OF_SCOPE, {"scope": scope}).mappings().first()
    return None if row is None else _pair(row)


def find(connection: Connection, pair_id: int) -> SecondPair | None:
    """Return a second pair."""
    row = connection.execute(_FIND, {"id": pair_id}).mappings().first()
    return None if row is None else _pair(row)


def over(connection: Connection, now: datetime) -> list[SecondPair]:
    """Return the pairs whose time is over."""
    return [_pair(row) for row in connection.execute(_OVER, {"now": now}).mappings()]


def add(connection: Connection, pair: SecondPair) -> int:
    """Insert a pair and return its id; its private key is set afterwards, sealed for that id."""
    values = {
        "scope": pair.scope,
        "private_key": "",
        "public_key": pair.public_key,
        "is_front": pair.is_front,
        "stage": pair.stage.value,
        "server_names": list(pair.server_names),
        "short_ids": list(pair.short_ids),
        "made_at": pair.made_at,
        "turned_at": pair.turned_at,
        "kept_s": pair.kept_s,
        "until": pair.until,
        "origin": pair.origin,
        "target": pair.target,
    }
    return int(connection.execute(_INSERT, values).scalar_one())


def set_private_key(connection: Connection, pair_id: int, sealed: str) -> None:
    """Store a pair's sealed private key."""
    connection.execute(_SEAL, {"at_id": pair_id, "new_private_key": sealed})


def change(connection: Connection, pair: SecondPair) -> None:
    """Store what a pair has become; the names and short ids stay."""
    values = {
        "new_private_key": pair.sealed_private_key,
        "new_public_key": pair.public_key,
        "new_is_front": pair.is_front,
        "new_stage": pair.stage.value,
        "new_made_at": pair.made_at,
        "new_turned_at": pair.turned_at,
        "new_kept_s": pair.kept_s,
        "new_until": pair.until,
    }
    connection.execute(_CHANGE, {"at_id": pair.id, **values})


def take_up(connection: Connection, pair_id: int, *, scope: str, public_key: str, target: str) -> None:
    """Have the inbounds with a key pair and a target serve a second pair."""
    values = {"at_scope": scope, "at_public_key": public_key, "at_target": target, "new_second": pair_id}
    connection.execute(_TAKE_UP, values)


def take_up_at(connection: Connection, pair_id: int, inbound_id: int) -> None:
    """Have one inbound serve a second pair."""
    connection.execute(_TAKE_UP_AT, {"at_id": inbound_id, "new_second": pair_id})


def widen(connection: Connection, pair: SecondPair) -> None:
    """Store the server names and short ids of a pair."""
    names, short_ids = list(pair.server_names), list(pair.short_ids)
    connection.execute(_WIDEN, {"at_id": pair.id, "new_server_names": names, "new_short_ids": short_ids})


def drop(connection: Connection, pair_id: int) -> None:
    """Delete a pair; no inbound serves it any more."""
    connection.execute(_LET_GO, {"at_id": pair_id})
    connection.execute(_FORGET, {"at_id": pair_id})
    connection.execute(_DELETE, {"at_id": pair_id})


def served(connection: Connection, scope: str) -> tuple[int, int] | None:
    """Return the second pair that inbounds of a scope serve and how many keys have it; None while there is none."""
    pair_id = _BEHIND.scalar(connection, {"scope": scope})
    return None if pair_id is None else (int(pair_id), int(_SIZE.scalar(connection, {"scope": scope})))


def count_keys(connection: Connection, scope: str, public_key: str) -> int:
    """Count the keys whose links carry a public key."""
    return int(connection.execute(_COUNT_KEYS, {"scope": scope, "public_key": public_key}).scalar_one())


def note_uses(connection: Connection, pair: SecondPair, seen: Mapping[int, datetime]) -> int:
    """Record when keys were seen at a pair, those that can be; return how many."""
    known = {int(row[0]) for row in connection.execute(_NUMBERS, {"scope": pair.scope})}
    rows = [{"pair_id": pair.id, "key_number": number, "used_at": at} for number, at in seen.items() if number in known]
    if rows:
        connection.execute(_NOT_YET, {"at_pair": pair.id, "numbers": [row["key_number"] for row in rows]})
        connection.execute(_NOTE, rows)
    return len(rows)


def forget_uses(connection: Connection, pair_id: int) -> None:
    """Forget who was seen at a pair: it is another one by now."""
    connection.execute(_FORGET, {"at_id": pair_id})


def uses(connection: Connection, pair_id: int, *, account_id: int, issued_by: int | None) -> Sequence[Use]:
    """Return the keys of an account that were seen at a pair, by number."""
    values = {"pair_id": pair_id, "account_id": account_id, "issued_by": issued_by}
    return [Use._make(row) for row in connection.execute(_USES, values)]


def count_uses(connection: Connection, pair_id: int, since: datetime) -> int:
    """Count the keys of any account that were seen at a pair since a moment."""
    return int(connection.execute(_COUNT_USES, {"pair_id": pair_id, "since": since}).scalar_one())


def _pair(row: Mapping[Any, Any]) -> SecondPair:
    return SecondPair(
        id=row["id"],
        scope=row["scope"],
        sealed_private_key=row["private_key"],
        public_key=row["public_key"],
        is_front=row["is_front"],
        stage=Stage(row["stage"]),
        server_names=tuple(row["server_names"]),
        short_ids=tuple(row["short_ids"]),
        made_at=row["made_at"],
        turned_at=row["turned_at"],
        kept_s=row["kept_s"],
        until=row["until"],
        origin=row["origin"],
        target=row["target"],
    )
