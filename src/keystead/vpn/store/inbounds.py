"""Queries of inbounds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from keystead.db.prepared import Prepared
from keystead.vpn.inbound import Inbound
from keystead.vpn.keyvalue import KeyState
from keystead.vpn.models import INBOUNDS, KEYS
from keystead.vpn.placement import Placement

_INBOUNDS = select(INBOUNDS).where(INBOUNDS.c.scope == bindparam("scope")).order_by(INBOUNDS.c.id)
_ALL_INBOUNDS = select(INBOUNDS).order_by(INBOUNDS.c.id)
_INBOUND = select(INBOUNDS).where(INBOUNDS.c.id == bindparam("id"))
_INBOUND_FOR = Prepared(
    select(INBOUNDS).where(INBOUNDS.c.placement == bindparam("placement")).order_by(INBOUNDS.c.id).limit(1)
)
_INSERT_INBOUND = Prepared(insert(INBOUNDS).returning(INBOUNDS.c.id))
_AT_TAGS = select(INBOUNDS).where(
    INBOUNDS.c.scope == bindparam("scope"), INBOUNDS.c.tag.in_(bindparam("tags", expanding=True))
)
_TAKEN = Prepared(
    select(INBOUNDS.c.id).where(INBOUNDS.c.scope == bindparam("scope"), INBOUNDS.c.port == bindparam("port")).limit(1)
)
_BETWEEN = (
    INBOUNDS.c.scope == bindparam("scope"),
    INBOUNDS.c.port >= bindparam("first"),
    INBOUNDS.c.port <= bindparam("last"),
)
_HIGHEST = Prepared(select(func.max(INBOUNDS.c.port)).where(*_BETWEEN))
_USED = Prepared(select(INBOUNDS.c.port).where(*_BETWEEN))
_ALL_PORTS = Prepared(select(INBOUNDS.c.port))
_COUNT_USED = Prepared(select(func.count(INBOUNDS.c.port.distinct())).where(*_BETWEEN))
_OF_REMOVED = Prepared(
    select(INBOUNDS.c.id)
    .join_from(KEYS, INBOUNDS, KEYS.c.inbound_id == INBOUNDS.c.id)
    .where(
        KEYS.c.label == bindparam("label"),
        KEYS.c.state == KeyState.REMOVING.value,
        INBOUNDS.c.placement == Placement.OWN_PORT.value,
    )
)
_DROP = Prepared(delete(INBOUNDS).where(INBOUNDS.c.id == bindparam("at_id")))
_SET_INBOUND_KEY = (
    update(INBOUNDS).where(INBOUNDS.c.id == bindparam("at_id")).values(private_key=bindparam("new_private_key"))
)
_WIDEN = (
    update(INBOUNDS)
    .where(INBOUNDS.c.id == bindparam("at_id"))
    .values(server_names=bindparam("new_server_names"), short_ids=bindparam("new_short_ids"))
)
_OF_SECOND = select(INBOUNDS).where(INBOUNDS.c.second_pair_id == bindparam("pair_id")).order_by(INBOUNDS.c.id)
_SET_PAIR = (
    update(INBOUNDS)
    .where(INBOUNDS.c.id == bindparam("at_id"))
    .values({name: bindparam(f"new_{name}") for name in ("private_key", "public_key", "pair_made_at")})
)
_RETARGET, _RELISTEN = (
    update(INBOUNDS)
    .where(INBOUNDS.c.scope == bindparam("at_scope"), column == bindparam("before"))
    .values({column: bindparam("after")})
    for column in (INBOUNDS.c.target, INBOUNDS.c.listen)
)


def of_scope(connection: Connection, scope: str) -> list[Inbound]:
    """Return the inbounds of a scope."""
    return [_inbound(row) for row in connection.execute(_INBOUNDS, {"scope": scope}).mappings()]


def all_of(connection: Connection) -> list[Inbound]:
    """Return the inbounds of every scope."""
    return [_inbound(row) for row in connection.execute(_ALL_INBOUNDS).mappings()]


def find(connection: Connection, inbound_id: int) -> Inbound:
    """Return the inbound of a key."""
    return _inbound(connection.execute(_INBOUND, {"id": inbound_id}).mappings().one())


def for_placement(connection: Connection, placement: Placement) -> Inbound | None:
    """Return the inbound new keys of a placement go to, or None when there is none yet."""
    row = _INBOUND_FOR.first(connection, {"placement": placement.value})
    return None if row is None else _inbound(dict(zip(INBOUNDS.c.keys(), row, strict=True)))


def add(connection: Connection, inbound: Inbound, at: datetime) -> int:
    """Insert an inbound and return its id; its private key is set afterwards, sealed for that id."""
    values = {
        "scope": inbound.scope,
        "tag": inbound.tag,
        "placement": inbound.placement.value,
        "listen": inbound.listen,
        "port": inbound.port,
        "private_key": "",
        "public_key": inbound.public_key,
        "target": inbound.target,
        "server_names": list(inbound.server_names),
        "short_ids": list(inbound.short_ids),
        "flow": inbound.flow,
        "created_at": at,
        "pair_made_at": inbound.pair_made_at,
        "second_pair_id": inbound.second_pair_id,
    }
    return int(_INSERT_INBOUND.scalar(connection, values))


def at_tags(connection: Connection, scope: str, tags: Collection[str]) -> list[Inbound]:
    """Return the inbounds of some tags."""
    return [_inbound(row) for row in connection.execute(_AT_TAGS, {"scope": scope, "tags": list(tags)}).mappings()]


def is_taken(connection: Connection, scope: str, port: int) -> bool:
    """Tell whether an inbound of a scope has a port."""
    return _TAKEN.first(connection, {"scope": scope, "port": port}) is not None


def highest_port(connection: Connection, scope: str, first: int, last: int) -> int | None:
    """Return the highest port in use between two ports, None while there is none."""
    port: int | None = _HIGHEST.scalar(connection, {"scope": scope, "first": first, "last": last})
    return port


def ports(connection: Connection, scope: str, first: int, last: int) -> set[int]:
    """Return the ports in use between two ports."""
    return {port for (port,) in _USED.rows(connection, {"scope": scope, "first": first, "last": last})}


def all_ports(connection: Connection) -> set[int]:
    """Return the ports in use in any scope."""
    return {port for (port,) in _ALL_PORTS.rows(connection, {})}


def count_ports(connection: Connection, scope: str, first: int, last: int) -> int:
    """Count the ports in use between two ports."""
    return int(_COUNT_USED.scalar(connection, {"scope": scope, "first": first, "last": last}))


def of_removed(connection: Connection, labels: Iterable[str]) -> list[int]:
    """Return the inbounds that keys being removed have for their own."""
    return [int(row[0]) for label in labels for row in _OF_REMOVED.rows(connection, {"label": label})]


def drop(connection: Connection, ids: Sequence[int]) -> None:
    """Delete inbounds that no key has any more; their ports can be handed out again."""
    _DROP.run_many(connection, ["at_id"], [(one,) for one in ids])


def set_private_key(connection: Connection, inbound_id: int, sealed: str) -> None:
    """Store an inbound's sealed private key."""
    connection.execute(_SET_INBOUND_KEY, {"at_id": inbound_id, "new_private_key": sealed})


def move(connection: Connection, like: Inbound, *, target: str, listen: str) -> None:
    """Change what no link carries, target and address, of an inbound and of those in its scope that have the same.

    One that was taken over may hide behind another site, which its server names belong to.
    """
    for statement, before, after in ((_RETARGET, like.target, target), (_RELISTEN, like.listen, listen)):
        connection.execute(statement, {"at_scope": like.scope, "before": before, "after": after})


def of_second_pair(connection: Connection, pair_id: int) -> list[Inbound]:
    """Return the inbounds that serve a second pair."""
    return [_inbound(row) for row in connection.execute(_OF_SECOND, {"pair_id": pair_id}).mappings()]


def set_pair(connection: Connection, inbounds: Sequence[Inbound]) -> None:
    """Store the key pairs that links of these inbounds carry from now on."""
    rows = [
        {
            "at_id": one.id,
            "new_private_key": one.sealed_private_key,
            "new_public_key": one.public_key,
            "new_pair_made_at": one.pair_made_at,
        }
        for one in inbounds
    ]
    if rows:
        connection.execute(_SET_PAIR, rows)


def widen(connection: Connection, inbound_id: int, server_names: Sequence[str], short_ids: Sequence[str]) -> None:
    """Let an inbound accept other server names and short ids."""
    values = {"at_id": inbound_id, "new_server_names": list(server_names), "new_short_ids": list(short_ids)}
    connection.execute(_WIDEN, values)


def _inbound(row: Mapping[Any, Any]) -> Inbound:
    return Inbound(
        id=row["id"],
        scope=row["scope"],
        tag=row["tag"],
        placement=Placement(row["placement"]),
        listen=row["listen"],
        port=row["port"],
        sealed_private_key=row["private_key"],
        public_key=row["public_key"],
        target=row["target"],
        server_names=tuple(row["server_names"]),
        short_ids=tuple(row["short_ids"]),
        flow=row["flow"],
        pair_made_at=row["pair_made_at"] or row["created_at"],
        second_pair_id=row["second_pair_id"],
    )
