"""The verbs of keys' own ports: give another one to a key whose port will not do, and let go of the one it had.

A port that is replaced goes on listening for a while, so that apps with the old link have time to learn of the new one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.vpn import ports
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.placement import Placement
from keystead.vpn.ports import PortPool
from keystead.vpn.store import formerports as former_store
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import keys as key_store
from keystead.vpn.store import places as place_store

_EVERY = 1_000_000


@dataclass(frozen=True)
class Renumbering:
    """Which keys were looked at, and those that have another port now."""

    kept: int
    moved: tuple[VpnKey, ...]


@requires(Permission.VPN_KEYS_CHANGE)
def reset(work: Work, *, pool: PortPool, opened: Collection[str], grace_s: int) -> Renumbering:
    """Keep every port that is in the pool and listens, and give the other keys a new one; raise PortsExhausted.

    ``opened`` are the tags of the inbounds that the engine has open. Links of moved keys change in their port alone.
    """
    account_id, issued_by = work.principal.account_id, work.principal.confined_to_token
    keys = key_store.page(
        work.connection, account_id, issued_by=issued_by, placement=Placement.OWN_PORT, after=0, limit=_EVERY
    )
    bad = [key for key in keys if not _will_do(key, pool, opened)]
    return Renumbering(len(keys) - len(bad), tuple(_moved(work, key, pool, opened, grace_s) for key in bad))


@requires(Permission.VPN_KEYS_CHANGE)
def retire(work: Work) -> list[str]:
    """Let go of the former ports whose time is over, and return the scopes they were in; the system's own."""
    found = former_store.over(work.connection, work.now)
    former_store.drop(work.connection, [(one.inbound_id, one.key_number) for one in found])
    inbound_store.drop(work.connection, [one.inbound_id for one in found if one.is_own])
    for one in found:
        work.audit("vpn.key.port.retire", f"vpn key {one.key_number}", port=one.port)
    return sorted({one.scope for one in found})


def _will_do(key: VpnKey, pool: PortPool, opened: Collection[str]) -> bool:
    return pool.first <= key.port <= pool.last and (not key.is_active or ports.tag_of(key.port) in opened)


def _moved(work: Work, key: VpnKey, pool: PortPool, opened: Collection[str], grace_s: int) -> VpnKey:
    connection = work.connection
    before = inbound_store.find(connection, key.inbound_id)
    made = ports.open_port(work, before, pool, names=before.server_names, short_ids=before.short_ids)
    place_store.set_inbound(connection, key.number, made.id)
    goes_on = before.tag in opened
    if goes_on:
        until = work.now + timedelta(seconds=grace_s)
        former_store.add(connection, inbound_id=before.id, key_number=key.number, until=until)
    else:
        inbound_store.drop(connection, [before.id])
    work.audit("vpn.key.port.move", f"vpn key {key.number}", before=before.port, port=made.port, goes_on=goes_on)
    work.mark(key.scope, key.label)
    return key._replace(inbound_id=made.id, port=made.port)
