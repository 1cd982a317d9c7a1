"""Warmers: listeners on loopback for pairs that no inbound of a start has, so that somebody dials them.

REALITY examines each pair of target and server name once per process. A pair that inbounds alone have which are opened
while the core runs (a port taken over, with a target of its own) gets a warmer: alike in all that is examined, with the
probe for its only user. At a start the warmers of all pairs in use are part of the configuration; a pair that comes
into use later gets one in the running core. There is one per pair, however many ports have it. Used by launches, by
whoever attends to a process, and by the driver.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from keystead.engines.xray import config, warmth
from keystead.engines.xray.config import WARMER_TAG_PREFIX, ProbePlan, Route
from keystead.engines.xray.state import XrayDesired, XrayInbound
from keystead.kit.errors import NotFound

if TYPE_CHECKING:
    from keystead.engines.xray.attendance import Attendance
    from keystead.engines.xray.client import XrayClient

_DIALS = "keystead-dials-"
_LOOPBACK = "127.0.0.1"
_TAG_DIGITS = 16


def pair_of(inbound: XrayInbound, server_name: str) -> str:
    """Return a pair as REALITY tells it from others, in the process whose inner ports the inbound has."""
    return warmth.pair(inbound.stranger_goes_to, server_name)


def tag_of(pair: str) -> str:
    """Return the tag of the warmer of a pair."""
    return f"{WARMER_TAG_PREFIX}{_digest(pair)}"


def of_start(inbounds: Collection[XrayInbound], free_port: Callable[[], int]) -> tuple[XrayInbound, ...]:
    """Return a warmer for every pair of the live inbounds that none of the others is dialled for."""
    dialled = pairs_dialled([one for one in inbounds if not one.is_live])
    made: dict[str, XrayInbound] = {}
    for inbound in inbounds:
        if not inbound.is_live:
            continue
        for name in inbound.server_names:
            pair = pair_of(inbound, name)
            if pair not in dialled and pair not in made:
                made[pair] = _warmer(inbound, name, free_port())
    return tuple(made.values())


def pairs_dialled(inbounds: Collection[XrayInbound]) -> frozenset[str]:
    """Return the pairs that the probe's routes through these inbounds prove."""
    by_tag = {inbound.tag: inbound for inbound in inbounds}
    return frozenset(pair_of(by_tag[route.tag], route.server_name) for route in config.routes(inbounds))


def _warmer(inbound: XrayInbound, server_name: str, port: int) -> XrayInbound:
    tag = tag_of(pair_of(inbound, server_name))
    return replace(inbound, tag=tag, listen=_LOOPBACK, port=port, server_names=(server_name,))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_TAG_DIGITS]


@dataclass(frozen=True)
class Warmer:
    """A warmer in a running core: its listener, and the SOCKS listener, rule and outbound by which it is dialled.

    The three have one tag, which is the account as well. They are the core's until it ends: a pair that comes into use
    again is dialled by what is there.
    """

    inbound: XrayInbound
    socks_port: int

    @classmethod
    def made(cls, inbound: XrayInbound, server_name: str, free_port: Callable[[], int]) -> "Warmer":
        """Return the warmer of one of an inbound's pairs, at ports that are free now."""
        return cls(_warmer(inbound, server_name, free_port()), free_port())

    @property
    def route(self) -> Route:
        """Return what is dialled."""
        account = f"{_DIALS}{self.inbound.tag.removeprefix(WARMER_TAG_PREFIX)}"
        return Route(account, self.inbound.tag, self.inbound.server_names[0])

    def moved(self, free_port: Callable[[], int]) -> "Warmer":
        """Return the same at other ports."""
        return Warmer(replace(self.inbound, port=free_port()), free_port())

    def reached_by(self, probe: ProbePlan) -> ProbePlan:
        """Return how a process's probe dials it."""
        return replace(probe, socks_port=self.socks_port)

    async def open(self, client: "XrayClient", probe: ProbePlan) -> None:
        """Put it into a core in place of what an earlier Keystead may have left; raise KeysteadError."""
        dials = self.route.account
        for tag in (dials, self.inbound.tag):
            with suppress(NotFound):
                await client.remove_inbound(tag)
        await client.remove_outbound(dials)
        await client.add_inbound(self.inbound, [probe.user])
        await client.add_dialler(dials, self.inbound, probe.user)
        await client.lead(dials)
        # The last, so that nothing comes in here that is not led to the warmer.
        await client.add_socks(dials, self.socks_port, account=dials, password=probe.password)


class _Pair(NamedTuple):
    """A pair before a process is known: what stands behind an inbound listens elsewhere in each."""

    target: str
    behind: str
    server_name: str


class PairsInUse:
    """Which pairs the live inbounds have that are open or about to be, and somebody in each process who dials them.

    Told of one inbound it does a few look-ups, however many there are.
    """

    def __init__(self, attended: Callable[[], Iterable["Attendance"]]) -> None:
        self._attended = attended
        self._of_tag: dict[str, tuple[_Pair, ...]] = {}
        self._tags: dict[_Pair, set[str]] = {}
        self._like: dict[_Pair, XrayInbound] = {}

    def note(self, desired: XrayDesired) -> None:
        """Have the pairs of all live inbounds of a (part of a) desired state dialled from this step on."""
        for inbound in desired.live.values():
            pairs = tuple(_Pair(inbound.target, inbound.behind, name) for name in inbound.server_names)
            if self._of_tag.get(inbound.tag) != pairs:
                self._forget(inbound.tag)
                self._of_tag[inbound.tag] = pairs
                for pair in pairs:
                    self._take_up(pair, inbound)

    def drop(self, desired: XrayDesired, tags: Iterable[str]) -> None:
        """Dial a pair no more that only those of these inbounds have which are not to be open."""
        for tag in tags:
            if tag not in desired.live:
                self._forget(tag)

    def join(self, attendance: "Attendance") -> None:
        """Have all pairs in use dialled in a process that was not told of them."""
        for pair, like in self._like.items():
            attendance.see_to(like, pair.server_name)

    def _take_up(self, pair: _Pair, inbound: XrayInbound) -> None:
        self._tags.setdefault(pair, set()).add(inbound.tag)
        if pair not in self._like:
            self._like[pair] = inbound
            for attendance in self._attended():
                attendance.see_to(inbound, pair.server_name)

    def _forget(self, tag: str) -> None:
        for pair in self._of_tag.pop(tag, ()):
            self._tags[pair].discard(tag)
            if not self._tags[pair]:
                del self._tags[pair]
                like = self._like.pop(pair)
                for attendance in self._attended():
                    attendance.let_go(like, pair.server_name)
