"""What has to be warm before a client is served: pure, between what is desired and what was dialled.

A *place* is what somebody may wait for: the tag of an inbound that a start opens, or a pair of target and server name,
which is all that an inbound opened later has to wait for. Each needs some of the probe's routes, by their positions:
one dialled at another inbound counts, since REALITY examines a pair once per process. A pair that no inbound of a
start has (a port taken over, with a target of its own) is dialled by nobody: it waits for the first dial of any.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from keystead.engines.xray.config import Route
from keystead.engines.xray.state import XrayDesired, XrayInbound

Needs = Mapping[str, Collection[int]]

_TAGS_NAMED = 3


def pair(target: str, server_name: str) -> str:
    """Return the place of a target with a server name."""
    return f"{target} {server_name}"


def needs(inbounds: Iterable[XrayInbound], routes: Sequence[Route]) -> dict[str, tuple[int, ...]]:
    """Return which routes each place needs.

    The names of an inbound that have a site of their own belong to links from elsewhere, which no link of ours carries:
    nobody waits for them.
    """
    by_tag = {inbound.tag: inbound for inbound in inbounds}
    of_pair: dict[str, list[int]] = defaultdict(list)
    of_tag: dict[str, set[int]] = {tag: set() for tag in by_tag}
    for number, route in enumerate(routes):
        inbound = by_tag[route.tag]
        foreign = dict(inbound.sites).get(route.server_name)
        of_pair[pair(foreign or inbound.target, route.server_name)].append(number)
        if foreign is None:
            of_tag[route.tag].add(number)
    for tag, inbound in by_tag.items():
        foreign_names = {name for name, _ in inbound.sites}
        for name in set(inbound.server_names) - foreign_names:
            of_tag[tag].update(of_pair.get(pair(inbound.target, name), ()))
    return {place: tuple(sorted(numbers)) for place, numbers in [*of_pair.items(), *of_tag.items()]}


def places(desired: XrayDesired, subjects: Collection[str]) -> dict[str, list[str]]:
    """Return what each of these labels waits for, by the inbounds it is to be in."""
    found: dict[str, list[str]] = {label: [] for label in subjects}
    for tag, users in desired.users.items():
        inbound = desired.live.get(tag)
        waits_for = [tag] if inbound is None else [pair(inbound.target, name) for name in inbound.server_names]
        for label in users.keys() & found.keys():
            found[label] += waits_for
    return found


def told(routes: Sequence[Route], known: Needs, cold: Collection[int]) -> str:
    """Return what is waited for, by the inbounds whose dials have not come back and the targets behind those."""
    tags = sorted({routes[number].tag for number in cold})
    if not tags:
        return "no dial through Xray has come back yet"
    more = f" and {len(tags) - _TAGS_NAMED} more" if len(tags) > _TAGS_NAMED else ""
    targets = sorted(
        {place.split(" ")[0] for place, needed in known.items() if " " in place and set(needed) & set(cold)}
    )
    whose = f", whose target is {', '.join(targets[:_TAGS_NAMED])}" if targets else ""
    return f"no dial has come back yet through the inbound {', '.join(tags[:_TAGS_NAMED])}{more}{whose}"
