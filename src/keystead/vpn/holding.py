"""How a key stands: its terms as they are stored, and the one rule of when it connects.

A key connects when nobody disabled it by hand, its quota is not used up (or only slows it down), and it has not
expired. Used by the verbs that change any of these; they audit and mark.
"""

from sqlalchemy import Connection

from keystead.vpn import accounting
from keystead.vpn.accounting import NOTHING, Bytes
from keystead.vpn.errors import KeyStopped
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.store import keys as key_store
from keystead.vpn.store import terms as term_store
from keystead.vpn.store import traffic as traffic_store
from keystead.vpn.termvalue import Held, Stop

_REMEDIES = {
    Stop.EXPIRED: "it has expired; extend it",
    Stop.CUT: "its quota is used up; top it up, or reset its traffic",
}


def keep(connection: Connection, key: VpnKey, held: Held, revision: int) -> bool:
    """Store a key's terms and what follows from them; return whether it connects."""
    if term_store.find(connection, key.number) is None:
        term_store.add(connection, key.number, held, revision)
    else:
        term_store.put(connection, key.number, held, revision)
    return set_active(connection, key, held, is_enabled=key.is_enabled)


def set_active(connection: Connection, key: VpnKey, held: Held | None, *, is_enabled: bool) -> bool:
    """Store whether nobody disabled a key by hand, and what follows; return whether it connects."""
    is_active = is_enabled and (held is None or held.stop is None)
    if (is_active, is_enabled) != (key.is_active, key.is_enabled):
        key_store.set_active(connection, key.number, is_active=is_active, is_enabled=is_enabled)
    return is_active


def check_can_start(key: VpnKey, held: Held | None) -> None:
    """Raise KeyStopped when enabling a key by hand would not let it connect."""
    if held is not None and held.stop is not None:
        raise KeyStopped(f"VPN key {key.number} cannot be enabled: {_REMEDIES[held.stop]}", stop=held.stop.value)


def lifetime(connection: Connection, key: VpnKey, live: Bytes | None) -> Bytes:
    """Return what a key has carried over its life: what is booked, or ``live`` where that is more."""
    rows = traffic_store.of_key(connection, key.number)
    booked = sum((accounting.figure(row.standing, {}) for row in rows), NOTHING)
    return booked if live is None else booked.or_more(live)
