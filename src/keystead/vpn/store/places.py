"""Queries that change where keys are served."""

from sqlalchemy import Connection, bindparam, update

from keystead.db.prepared import Prepared
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.models import KEYS

_AT = KEYS.c.number == bindparam("at_number")
_SET_INBOUND = Prepared(update(KEYS).where(_AT).values(inbound_id=bindparam("new_inbound")))
_SET_PLACE = Prepared(
    update(KEYS)
    .where(_AT)
    .values(
        inbound_id=bindparam("new_inbound"),
        flow=bindparam("new_flow"),
        short_id=bindparam("new_short_id"),
        server_name=bindparam("new_name"),
    )
)


def set_inbound(connection: Connection, number: int, inbound_id: int) -> None:
    """Have a key served at another inbound, which is otherwise like the one before."""
    _SET_INBOUND.run(connection, {"at_number": number, "new_inbound": inbound_id})


def set_place(connection: Connection, key: VpnKey) -> None:
    """Have a key served where it says now: its inbound, and a short id and a server name of that."""
    values = {"new_inbound": key.inbound_id, "new_short_id": key.short_id, "new_name": key.server_name}
    _SET_PLACE.run(connection, {"at_number": key.number, **values, "new_flow": key.flow})
