"""Which connections that no line told of are condemned labels': only what is proven is, so that nobody else's is ended.

Used by the table of connections of each process. The API asks the core who is online where, since when at the latest,
and what it has counted, and tells it here. A connection of some address is a condemned label's when

- nobody else is online at the address;
- or it was made after everybody else who is online there had connected for the last time: the core notes that moment;
- or the label is still online there and all others that might be its own are ruled out, by the same moment of its own;
- or the core has counted more for the label than all others that might be its own have received, twice in a row.

Where none of this holds nothing is ended, and the label is told to be in doubt. Pure; times are seconds of a clock that
never goes back.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from keystead.keeper.condemned import UNLISTED_WITHIN_S, Condemned
from keystead.keeper.opened import Open, countable

# After this long a connection that belongs to somebody has had its line.
OWNER_WITHIN_S = 5.0
# A client that was answered goes on within this, or not at all.
_STUCK_S = 2.0
# What one window proves may be chance.
_WINDOWS = 2
# What a connection receives beyond what the core counts of it: records and padding.
_FRAMING, _FRAMING_BYTES = 1.125, 2_000


class Told(NamedTuple):
    """What the core said since the last notice, and before the last dump.

    ``online`` is who is online at which address, and when each connected there last, at the latest; ``counted`` what
    was received from labels that were in doubt.
    """

    online: Mapping[str, Mapping[str, float]]
    counted: Mapping[str, int] = {}


class Hunted(NamedTuple):
    """How many connections were found to be condemned labels', whether none may be any more, and who is in doubt."""

    given: int
    is_over: bool
    doubtful: Sequence[str] = ()


class _Window(NamedTuple):
    counted: int
    received: Mapping[int, tuple[int, int]]


class _Sole(NamedTuple):
    cookie: int
    since_s: float


class _Proof(NamedTuple):
    cookie: int
    windows: int


class Hunt:
    """What was noticed in the connections of one process while labels are hunted for."""

    def __init__(self, condemned: Condemned) -> None:
        self.doubtful: tuple[str, ...] = ()
        self._condemned = condemned
        self._used: frozenset[int] = frozenset()
        self._received: dict[int, tuple[int, int]] = {}
        self._shown_s = -math.inf
        self._windows: dict[str, _Window] = {}
        self._proofs: dict[str, _Proof] = {}
        self._carriers: dict[str, Open | None] = {}
        self._sole: dict[tuple[str, str], _Sole] = {}

    def notice(self, opened: Collection[Open], now_s: float) -> int:
        """Take notice of what there is before the core is asked; return how many may be condemned labels'."""
        self._used = frozenset(one.socket.cookie for one in self._suspects(opened) if _is_used(one, now_s))
        if not self._used:
            self._begin_windows((), Told({}))
        counting = opened if self.doubtful else ()
        self._received = {
            one.socket.cookie: (one.socket.received, one.socket.waiting)
            for one in counting
            if self._may_be_anybodys(one) and self._condemned.may_be_of_one(one.first_seen_s)
        }
        return len(self._used)

    def count(self, opened: Collection[Open], now_s: float) -> int:
        """Return how many may be condemned labels', and take notice of nothing."""
        return sum(_is_used(one, now_s) for one in self._suspects(opened))

    def judge(self, opened: Collection[Open], told: Told, shown_s: float, give: Callable[[Open, str], None]) -> Hunted:
        """Give connections, as shown by a dump, to the condemned labels they are proven to be of."""
        self._shown_s, self._carriers = shown_s, {}
        given, is_over, doubtful = 0, True, set[str]()
        for case in self._cases(opened, told):
            is_over = False
            if self._is_listed_for_others(case.label, case.there):
                continue
            chosen = self._chosen(case, opened, told)
            for one in chosen:
                give(one, case.label)
            given += len(chosen)
            if not chosen:
                doubtful.add(case.label)
        self._begin_windows(doubtful, told)
        return Hunted(given, is_over, self.doubtful)

    def _cases(self, opened: Collection[Open], told: Told) -> Iterator["_Case"]:
        """Yield every condemned label that is online at an address where something may be its own."""
        at: dict[str, list[Open]] = {}
        for one in opened:
            if self._may_be_anybodys(one):
                at.setdefault(one.socket.peer_host, []).append(one)
        for host, there in at.items():
            online = told.online.get(host, {})
            for label in self._condemned.among(online.keys()):
                if used := [one for one in there if self._is_suspect(one, label)]:
                    yield _Case(label, host, online, used, there)

    # --- the proofs ---

    def _chosen(self, case: "_Case", opened: Collection[Open], told: Told) -> Sequence[Open]:
        """Return which of the suspects are proven."""
        others = [last_s for label, last_s in case.online.items() if label not in self._condemned]
        if not others:
            return case.used
        if later := [one for one in case.used if one.made_after_s > max(others)]:
            return later
        return self._left_over(case) or self._counted(case, opened, told)

    def _left_over(self, case: "_Case") -> Sequence[Open]:
        """Return the one that must be the label's, because none other can be; the core was not late to say it is there.

        All that are not known for certain to be somebody's may be: guessed ones, and handshakes under way.
        """
        key, last_s = (case.label, case.host), case.online[case.label]
        able = [
            one
            for one in case.there
            if not one.is_certain
            and one.made_after_s <= last_s
            and self._condemned.may_be_of(case.label, one.first_seen_s)
        ]
        if len(able) != 1 or able[0] not in case.used:
            self._sole.pop(key, None)
            return ()
        sole = self._sole.get(key)
        if sole is None or sole.cookie != able[0].socket.cookie:
            sole = self._sole[key] = _Sole(able[0].socket.cookie, self._shown_s)
        return able if self._shown_s - sole.since_s >= UNLISTED_WITHIN_S else ()

    def _counted(self, case: "_Case", opened: Collection[Open], told: Told) -> Sequence[Open]:
        """Return the one without which the core could not have counted what it has, and which received that much.

        A label that is removed makes no new connections, so all that might be its own are known at both ends of a
        window; in its begin more may have been received than was read.
        """
        if case.label not in self._carriers:
            self._carriers[case.label] = found = self._carrier_now(case.label, opened, told)
            if found is not None:
                proof = self._proofs.get(case.label)
                is_again = proof is not None and proof.cookie == found.socket.cookie
                self._proofs[case.label] = _Proof(found.socket.cookie, proof.windows + 1 if proof and is_again else 1)
        found = self._carriers[case.label]
        is_proven = found is not None and self._proofs[case.label].windows >= _WINDOWS
        return [found] if found is not None and is_proven and found in case.used else ()

    def _carrier_now(self, label: str, opened: Collection[Open], told: Told) -> Open | None:
        """Return which connection the window that ends now proves; one that proves none breaks the row."""
        window, counted = self._windows.get(label), told.counted.get(label)
        if window is None or counted is None or counted <= window.counted:
            return None
        found = self._carrier(label, opened, window, counted - window.counted)
        if found is None:
            self._proofs.pop(label, None)
        return found

    def _carrier(self, label: str, opened: Collection[Open], window: _Window, counted: int) -> Open | None:
        able = [
            one
            for one in opened
            if (not one.is_certain or one.label == label) and self._condemned.may_be_of(label, one.first_seen_s)
        ]
        grown: dict[int, int] = {}
        for one in able:
            received, waiting = window.received.get(one.socket.cookie, (-1, 0))
            if received < 0 or one.shown_s != self._shown_s:
                return None
            grown[one.socket.cookie] = one.socket.received - received + waiting
        if window.received.keys() - {one.socket.cookie for one in opened}:
            return None  # one has ended meanwhile, and what it carried is not known
        total = sum(grown.values())
        for one in able:
            own = grown[one.socket.cookie]
            if total - own < counted <= own <= counted * _FRAMING + _FRAMING_BYTES:
                return one
        return None

    def _begin_windows(self, doubtful: Collection[str], told: Told) -> None:
        """Begin the next window of each label in doubt, at what was noticed before its count was asked for."""
        self.doubtful = tuple(sorted(doubtful))
        self._windows = {
            label: _Window(told.counted[label], self._received) for label in self.doubtful if label in told.counted
        }
        self._proofs = {label: proof for label, proof in self._proofs.items() if label in doubtful}
        self._sole = {key: sole for key, sole in self._sole.items() if key[0] in doubtful}

    # --- the rest ---

    def _suspects(self, opened: Iterable[Open]) -> Iterable[Open]:
        return (
            one
            for one in opened
            if one.label is None and one.socket.inode and self._condemned.may_be_of_one(one.first_seen_s)
        )

    def _may_be_anybodys(self, one: Open) -> bool:
        return not one.is_certain or one.label in self._condemned

    def _is_suspect(self, one: Open, label: str) -> bool:
        """Tell whether a connection that is past its handshake since before the core was asked may be a label's."""
        if one.label is not None or one.socket.cookie not in self._used or one.shown_s != self._shown_s:
            return False
        return self._condemned.may_be_of(label, one.first_seen_s)

    def _is_listed_for_others(self, label: str, there: Sequence[Open]) -> bool:
        """Tell whether a label may be online at an address because of connections that are known as its own."""
        own = [one for one in there if one.label == label]
        if any(one.shown_s == self._shown_s for one in own):
            return True
        return bool(own) and self._condemned.is_listed_in_error(label, self._shown_s)


class _Case(NamedTuple):
    """A condemned label at an address: who is online there, which suspects may be its own, and all there is."""

    label: str
    host: str
    online: Mapping[str, float]
    used: Sequence[Open]
    there: Sequence[Open]


def _is_used(one: Open, now_s: float) -> bool:
    """Tell whether a connection is past its handshake: whoever made it is online, if it is a customer's at all."""
    if countable(one.socket) != (0, 0):
        return True
    return one.socket.acked > 0 and now_s - one.first_seen_s >= OWNER_WITHIN_S and now_s - one.moved_s >= _STUCK_S
