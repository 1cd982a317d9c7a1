"""How many addresses a label is used from at a time: which of them count, and which are refused.

Asked by the watch after every look, about the labels that have such a limit; who it refuses is cut there. Pure: what
moved and when is given with each call, in seconds of a clock that never goes back.

An address is an IPv4 address or a /64 of IPv6: one household, and one telephone. The rule, for a limit of n:

- An address *comes* with the first bytes from it. It is *active*, and keeps its place in the order in which addresses
  came, until it has carried nothing for a minute.
- It is *in doubt* when n addresses that came before it have each carried something since it came. One of those that has
  been silent since is taken for the one it changed from, and does not count.
- It is *refused* when it carries something after that: so many are in use at the same time. One in doubt that stays
  silent was left again, and is forgotten. So a telephone that goes from one network to another and back is not refused,
  and has a minute to come back to its place.
- It stays refused until fewer than n of those before it have carried anything for ten seconds. Then it comes anew.
"""

import socket
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

ACTIVE_S = 60.0
# What was on its way when an address changed; shorter than the time between two looks.
OVERLAP_S = 0.9
# In use now: looks are a second apart.
CARRIES_S = 2.5
LET_IN_AFTER_S = 10.0


class _Place:
    __slots__ = ("came_s", "doubted_s", "is_refused", "moved_s")

    def __init__(self, at_s: float) -> None:
        self.came_s = self.moved_s = at_s
        self.doubted_s: float | None = None
        self.is_refused = False


class Use(NamedTuple):
    """From where a label is used: its limit, how many addresses are active, and which are refused."""

    limit: int
    active: int
    refused: list[str]


class AddressLimits:
    """The limits in force, by label, and from where each label is used.

    ``has_doubts`` says, until it is taken back, that an address is in doubt: another look soon would tell.
    """

    def __init__(self) -> None:
        self.limits: dict[str, int] = {}
        self.has_doubts = False
        self._places: dict[str, dict[str, _Place]] = {}

    def change(self, limits: Mapping[str, int | None]) -> None:
        """Hold labels to so many addresses, or let them go with None."""
        for label, limit in limits.items():
            if limit is None:
                self.limits.pop(label, None)
                self._places.pop(label, None)
            else:
                self.limits[label] = limit

    def keep_only(self, limits: Mapping[str, int]) -> None:
        """Hold exactly these labels to so many addresses."""
        self.change({label: limits.get(label) for label in {*self.limits, *limits}})

    def among(self, labels: Collection[str]) -> list[str]:
        """Return those of some labels that have a limit."""
        if len(labels) > len(self.limits):
            return [label for label in self.limits if label in labels]
        return [label for label in labels if label in self.limits]

    def judge(self, label: str, moved: Mapping[str, float], now_s: float) -> frozenset[str]:
        """Return which addresses are refused, from when connections from each of them carried something last."""
        places = self._places.setdefault(label, {})
        _take(places, moved, now_s)
        _forget_silent(places, now_s)
        limit, counted = self.limits[label], list[_Place]()
        for address, place in list(places.items()):
            is_too_many = _is_too_many(place, counted, limit, now_s)
            if not is_too_many and not place.is_refused:
                counted.append(place)
            elif is_too_many is not place.is_refused and _is_over(place, now_s):
                del places[address]
        self.has_doubts = self.has_doubts or any(_is_in_doubt(place) for place in places.values())
        if not places:
            del self._places[label]
        return frozenset(address for address, place in places.items() if place.is_refused)

    def use(self, labels: Iterable[str] | None, now_s: float) -> dict[str, Use]:
        """Return from where labels that have a limit are used (None: all that are used)."""
        found = {}
        for label in self._places if labels is None else self.among(list(labels)):
            live = {
                address: place
                for address, place in self._places.get(label, {}).items()
                if place.moved_s >= now_s - ACTIVE_S
            }
            refused = sorted(address for address, place in live.items() if place.is_refused)
            found[label] = Use(self.limits[label], len(live) - len(refused), refused)
        return found

    def forget_old(self, now_s: float) -> None:
        """Forget addresses of labels that nobody is connected with any more."""
        for label in list(self._places):
            _forget_silent(self._places[label], now_s)
            if not self._places[label]:
                del self._places[label]


def _take(places: dict[str, _Place], moved: Mapping[str, float], now_s: float) -> None:
    for address, moved_s in sorted(moved.items(), key=lambda item: item[1]):
        if address in places:
            places[address].moved_s = max(places[address].moved_s, moved_s)
        elif moved_s >= now_s - CARRIES_S:
            places[address] = _Place(moved_s)


def _forget_silent(places: dict[str, _Place], now_s: float) -> None:
    for address in [address for address, place in places.items() if place.moved_s < now_s - ACTIVE_S]:
        del places[address]


def _is_too_many(place: _Place, before: Collection[_Place], limit: int, now_s: float) -> bool:
    since_s = now_s - LET_IN_AFTER_S if place.is_refused else place.came_s + OVERLAP_S
    return sum(one.moved_s > since_s for one in before) >= limit


def _is_in_doubt(place: _Place) -> bool:
    return place.doubted_s is not None and not place.is_refused


def _is_over(place: _Place, now_s: float) -> bool:
    """Take one further that is too many and not refused, or refused and not too many; tell whether to forget it."""
    if place.is_refused:
        return True
    if place.doubted_s is None:
        place.doubted_s = now_s
    place.is_refused = place.moved_s > place.doubted_s
    return place.moved_s < now_s - CARRIES_S


@lru_cache(4096)
def counted_as(host: str) -> str:
    """Return what an address counts as: itself, or the /64 that an IPv6 address is in."""
    if ":" in host:
        with suppress(OSError):
            packed = socket.inet_pton(socket.AF_INET6, host)
            return socket.inet_ntop(socket.AF_INET6, packed[:8] + bytes(8)) + "/64"
    return host
