"""What has to be warm before a client is served: pure, between what is desired and what was dialled.

A *place* is what somebody may wait for: the tag of an inbound that a start opens, or a pair of target and server name,
which is all that an inbound opened later has to wait for. Each needs some of the probe's routes, by their positions:
one dialled at another inbound counts, since REALITY examines a pair once per process. A pair that no inbound of a
start has (a port taken over, with a target of its own) is dialled at a warmer (``warmers.py``).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from keystead.engines.xray.config import Route, is_warmer
from keystead.engines.xray.state import XrayDesired, XrayInbound

Needs = Mapping[str, Collection[int]]

_NAMED = 3


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
    """Return what is waited for, by the inbounds whose dials have not come back and the targets behind those.

    What only ports of their own have is told by its target and server name: the ports may be many.
    """
    by_pair = [number for number in cold if is_warmer(routes[number].tag)]
    by_tag = set(cold).difference(by_pair)
    waits = []
    if by_tag:
        tags = {routes[number].tag for number in by_tag}
        targets = sorted({place.split(" ")[0] for place in _pairs(known, by_tag)})
        whose = f", whose target is {', '.join(targets[:_NAMED])}" if targets else ""
        waits.append(f"through the inbound {_first(tags)}{whose}")
    if by_pair:
        named = {place.replace(" ", " as ") for place in _pairs(known, by_pair)}
        waits.append(f"through ports of their own with the target {_first(named)}")
    if not waits:
        return "no dial through Xray has come back yet"
    return f"no dial has come back yet {' and '.join(waits)}"


def _pairs(known: Needs, numbers: Collection[int]) -> list[str]:
    return [place for place, needed in known.items() if " " in place and not set(needed).isdisjoint(numbers)]


def _first(named: Collection[str]) -> str:
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"{', '.join(sorted(named)[:_NAMED])}{more}"
