"""Where the customers of every inbound of a source go, decided without writing anything; called by ``planning.py``.

An inbound whose key pair is here already takes them. One with another pair gets an inbound of its own, unless its port
is taken. One that wants the port at which our keys share an inbound has its pair served beside ours: old links go on
with it, and what is handed out from here carries ours. To its customers that is a rotation (``vpn/pairs.py``) which
began elsewhere. A port serves two pairs and no third.
"""

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace

from keystead.importing.found import FoundInbound
from keystead.importing.planvalue import Existing, ExistingInbound
from keystead.vpn.placement import Placement
from keystead.vpn.ports import tag_of

_RETIRE = "keystead vpn pair retire"


@dataclass(frozen=True)
class Place:
    """Where customers of an inbound go: the ``tag`` of an inbound here, or nowhere, since its port is ``taken_by``.

    ``there`` is an inbound that is here with the same pair; ``beside`` is ours that is to serve its pair as well.
    """

    tag: str
    there: ExistingInbound | None = None
    beside: ExistingInbound | None = None
    taken_by: str | None = None


def places(inbounds: Sequence[FoundInbound], existing: Existing) -> dict[str, Place]:
    """Return the place of every inbound of a source, by its tag there."""
    found = {inbound.tag: _place(inbound, inbounds, existing) for inbound in inbounds}
    served = [inbound for inbound in inbounds if found[inbound.tag].beside is not None]
    served.sort(key=lambda inbound: not inbound.is_enabled)
    for other in served[1:]:
        found[other.tag] = replace(found[other.tag], beside=None, taken_by=_second_of(served[0]))
    return found


def names(inbound: FoundInbound, place: Place, existing: Existing) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the server names and short ids that its pair has to accept: its own, and those it is here with."""
    here = existing.second if place.beside is not None else place.there
    if here is None:
        return inbound.server_names, inbound.short_ids
    return (
        tuple(dict.fromkeys([*here.server_names, *inbound.server_names])),
        tuple(dict.fromkeys([*here.short_ids, *inbound.short_ids])),
    )


def _place(inbound: FoundInbound, inbounds: Sequence[FoundInbound], existing: Existing) -> Place:
    rivals = [other for other in inbounds if other.tag != inbound.tag and _meet(inbound, other)]
    serious = [other for other in rivals if other.is_enabled or not inbound.is_enabled]
    meeting = [other for other in existing.inbounds if _meet(inbound, other)]
    there = next((other for other in meeting if other.public_key == inbound.public_key), None)
    place = Place(_own_tag(inbound) if there is None else there.tag, there)
    if serious:
        return replace(place, taken_by=f"inbound {serious[0].tag} of the same source")
    if there is not None:
        return place
    if not meeting:
        return replace(place, taken_by=existing.ports.get(inbound.port))
    main = existing.main
    if main is None or meeting != [main]:
        holder = f"an inbound of Keystead ({meeting[0].tag}) with another key pair; give that one another port first"
        return replace(place, taken_by=holder)
    obstacle = _obstacle(inbound, main, existing)
    return Place(main.tag, beside=main) if obstacle is None else replace(place, taken_by=obstacle)


def _obstacle(inbound: FoundInbound, main: ExistingInbound, existing: Existing) -> str | None:
    """Return why the pair of an inbound cannot be served beside ours, None when it can."""
    ours = f"the inbound of Keystead that keys share ({main.tag})"
    if inbound.placement is not Placement.SHARED:
        return f"{ours}; give its customer another port in the panel first"
    if existing.is_external:
        return (
            f"{ours} with another key pair, and two pairs cannot be served where somebody else runs the core "
            "(KEYSTEAD_XRAY_API); give that one another port first"
        )
    if existing.second is not None and existing.second.public_key != inbound.public_key:
        return (
            f"{ours}, which serves two key pairs already, and a third is not possible; see who uses the second one "
            f"with keystead vpn pair show, end it with {_RETIRE}, and look at the plan again"
        )
    return None


def _second_of(first: FoundInbound) -> str:
    return (
        f"an inbound of Keystead that can serve one key pair beside its own, which is that of inbound {first.tag}; "
        f"import the others when that one is retired ({_RETIRE}), or give them another port"
    )


def _meet(inbound: FoundInbound, other: FoundInbound | ExistingInbound) -> bool:
    """Tell whether two listeners want the same port at the same address."""
    if inbound.port != other.port:
        return False
    first, second = ipaddress.ip_address(inbound.listen), ipaddress.ip_address(other.listen)
    return first == second or first.is_unspecified or second.is_unspecified


def _own_tag(inbound: FoundInbound) -> str:
    if inbound.placement is Placement.OWN_PORT:
        return tag_of(inbound.port)
    identity = f"{inbound.listen}\x1f{inbound.port}\x1f{inbound.public_key}"
    return f"import-{inbound.port}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
