"""The verb that moves a key between placements: from the shared port to one of its own, and back.

The UUID stays, and with it the key's traffic, terms and subscription; the link changes. Where the key was served before
goes on for a while (``renumbering.retire`` ends it), so that apps with the old link have time to learn of the new one.
"""

from datetime import timedelta

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.vpn import ports
from keystead.vpn.errors import NoValidTarget
from keystead.vpn.inbound import Inbound
from keystead.vpn.keyvalue import KeyIdent, VpnKey
from keystead.vpn.lookup import IsApplied, locate_for_change
from keystead.vpn.placement import Placement
from keystead.vpn.ports import PortPool
from keystead.vpn.store import formerports as former_store
from keystead.vpn.store import inbounds as inbound_store
from keystead.vpn.store import places as place_store


@requires(Permission.VPN_KEYS_CHANGE)
def move(
    work: Work, *, ident: KeyIdent, placement: Placement, pool: PortPool, grace_s: int, is_applied: IsApplied
) -> VpnKey:
    """Have a key served at another placement; one that is there already stays as it is.

    Raises PortsExhausted, or NoValidTarget while there is no shared inbound.
    """
    key = locate_for_change(work.connection, work.principal, ident, is_applied)
    if key.placement is placement:
        return key
    made = _inbound(work, placement, pool)
    moved = key._replace(
        inbound_id=made.id,
        placement=placement,
        port=made.port,
        flow=made.flow,
        short_id=made.short_ids[0],
        server_name=made.server_names[0],
    )
    place_store.set_place(work.connection, moved)
    # Who moves back within the grace is served here as before, and not as a former place.
    former_store.drop(work.connection, [(made.id, key.number)])
    until = work.now + timedelta(seconds=grace_s)
    former_store.add(work.connection, inbound_id=key.inbound_id, key_number=key.number, until=until)
    facts = {"before": key.placement.value, "placement": placement.value, "port": made.port}
    work.audit("vpn.key.move", f"vpn key {key.number}", **facts)
    work.mark(key.scope, key.label)
    return moved


def _inbound(work: Work, placement: Placement, pool: PortPool) -> Inbound:
    shared = inbound_store.for_placement(work.connection, Placement.SHARED)
    if shared is None:
        raise NoValidTarget("no REALITY target has passed its examination yet; see keystead doctor")
    return shared if placement is Placement.SHARED else ports.open_port(work, shared, pool)
