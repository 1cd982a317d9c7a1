"""Queries of inbounds."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from keystead.db.prepared import Prepared
from keystead.vpn.inbound import Inbound
from keystead.vpn.models import INBOUNDS
from keystead.vpn.placement import Placement

_INBOUNDS = select(INBOUNDS).where(INBOUNDS.c.scope == bindparam("scope")).order_by(INBOUNDS.c.id)
_INBOUND = select(INBOUNDS).where(INBOUNDS.c.id == bindparam("id"))
_INBOUND_FOR = Prepared(
    select(INBOUNDS).where(INBOUNDS.c.placement == bindparam("placement")).order_by(INBOUNDS.c.id).limit(1)
)
_INSERT_INBOUND = insert(INBOUNDS).returning(INBOUNDS.c.id)
_SET_INBOUND_KEY = (
    update(INBOUNDS).where(INBOUNDS.c.id == bindparam("at_id")).values(private_key=bindparam("new_private_key"))
)
_MOVE_INBOUND = (
    update(INBOUNDS)
    .where(INBOUNDS.c.id == bindparam("at_id"))
    .values(target=bindparam("new_target"), listen=bindparam("new_listen"))
)


def of_scope(connection: Connection, scope: str) -> list[Inbound]:
    """Return the inbounds of a scope."""
    return [_inbound(row) for row in connection.execute(_INBOUNDS, {"scope": scope}).mappings()]


def find(connection: Connection, inbound_id: int) -> Inbound:
    """Return the inbound of a key."""
    return _inbound(connection.execute(_INBOUND, {"id": inbound_id}).mappings().one())


def for_placement(connection: Connection, placement: Placement) -> Inbound | None:
    """Return the inbound new keys of a placement go to, or None when there is none yet."""
    row = _INBOUND_FOR.first(connection, {"placement": placement.value})
    return None if row is None else _inbound(dict(zip(INBOUNDS.c.keys(), row, strict=True)))


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert an inbound and return its id; its private key is set afterwards, sealed for that id."""
    return int(connection.execute(_INSERT_INBOUND, values).scalar_one())


def set_private_key(connection: Connection, inbound_id: int, sealed: str) -> None:
    """Store an inbound's sealed private key."""
    connection.execute(_SET_INBOUND_KEY, {"at_id": inbound_id, "new_private_key": sealed})


def move(connection: Connection, inbound_id: int, *, target: str, listen: str) -> None:
    """Change what no link carries: the target, and the address an inbound listens on."""
    connection.execute(_MOVE_INBOUND, {"at_id": inbound_id, "new_target": target, "new_listen": listen})


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
    )
