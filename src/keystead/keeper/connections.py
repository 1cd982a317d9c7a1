"""Whose connection is it, and what has it carried: one table per process of an engine.

Fed by the keeper with access lines (peer and label) and with dumps of the kernel's socket table; read for metering,
pacing, cutting and for people. Pure: no I/O, and the time is given with each call, in seconds of a clock that never
goes back.

What it can and cannot know:
- A line may come before the dump that shows its socket, or after the socket is gone. Lines without a socket, and closed
  connections without an owner, are kept for a few seconds and in bounded number.
- A connection is its socket's cookie. Address and port of a peer are used again over time; cookies are not.
- A dump may miss a living socket once, so a connection has ended when two dumps in a row lack it, or when its peer is
  seen with a new socket.
- What a connection carries after the last dump that showed it is known to the engine alone.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from keystead.keeper.carrying import Connection, LabelCarried, canonical
from keystead.keeper.condemned import Condemned
from keystead.keeper.diag import Socket
from keystead.keeper.hunting import OWNER_WITHIN_S, Hunt, Hunted, Told
from keystead.keeper.opened import STILL, Account, Open, countable, per_s
from keystead.keeper.seen import Seen

LINE_KEPT_S = 10.0
LINES_MAX = 20_000
# A dump takes a moment: a line noted this shortly before it may be about a socket that it does not show yet.
_DUMP_LASTS_S = 1.0

K = TypeVar("K")
V = TypeVar("V")

Peer = tuple[str, int]


class _Line(NamedTuple):
    label: str
    noted_s: float
    tag: str | None


class _Ownerless(NamedTuple):
    local_port: int
    uplink: int
    downlink: int
    closed_s: float


class Table:
    """The connections of one engine process."""

    def __init__(self, ports: Mapping[str, int] | None = None, condemned: Condemned | None = None) -> None:
        """Take the local port of each inbound tag, as far as known; it tells equal peers at two ports apart.

        An inbound that stands behind others has port 0: its clients connect to theirs. ``connected`` are the labels
        that have open connections.
        """
        self._condemned = condemned or Condemned()
        self.ports: dict[str, int] = dict(ports or {})
        self.connected: set[str] = set()
        self._opened: dict[int, Open] = {}
        self._by_peer: dict[Peer, list[Open]] = {}
        self._accounts: dict[str, Account] = {}
        self._seen = Seen(self.ports)
        self._lines: dict[tuple[str, int, int | None], _Line] = {}
        self._ownerless: dict[Peer, _Ownerless] = {}
        self._dumped_s: float | None = None
        self._rated_s: float | None = None
        self._rated_before_s = -math.inf
        self._hunt = Hunt(self._condemned)
        self._unrated: dict[int, tuple[int, int]] = {}
        self._dumps = 0

    # --- what comes in ---

    def note_access(self, peer_host: str, peer_port: int, tag: str | None, label: str, now_s: float) -> None:
        """Take an access line: whoever connected from this address and port is this label."""
        host = canonical(peer_host)
        self._seen.note(label, tag, now_s)
        local_port = (self.ports.get(tag) or None) if tag is not None else None
        # Kept even when a connection fits, since that one may have ended and this line be its successor's.
        key = (host, peer_port, local_port)
        line = _Line(label, now_s, tag)
        _put_last(self._lines, key, line)
        for one in self._by_peer.get((host, peer_port), ()):
            if local_port in {None, one.socket.local_port}:
                self._learn(one, line, is_certain=True)
        self._claim_closed((host, peer_port), local_port, label)

    def take_dump(self, sockets: Iterable[Socket], now_s: float, *, is_rated: bool = True) -> None:
        """Take the connections that exist now; whatever two dumps in a row do not show has ended.

        A dump between two others, for bytes as of now, is not ``is_rated``: it ends nothing, and leaves rates alone.
        """
        last_s = now_s - 1.0 if self._rated_s is None else self._rated_s
        elapsed_s = max(now_s - last_s, 0.001) if is_rated else None
        self._dumps += is_rated
        known = self._opened.get
        for found in sockets:
            one = known(found.cookie)
            if one is None:
                one = self._open(found, now_s, elapsed_s)
            elif found.acked == one.socket.acked and found.received == one.socket.received:
                one.socket = found  # it may have been closed or accepted, and its inode is another then
                if is_rated:
                    one.per_s = STILL
            elif found.received < one.socket.received or found.acked < one.socket.acked:
                one = self._open(found, now_s, elapsed_s)
            else:
                self._move(one, found, now_s, elapsed_s)
            one.seen = self._dumps
            one.shown_s = now_s
        self._dumped_s = now_s
        if elapsed_s is not None:
            self._end_missing(now_s)
            self._rate_unrated(elapsed_s)
            self._rated_before_s, self._rated_s = last_s if self._dumps > 1 else -math.inf, now_s
        self._forget_old(now_s)

    def attribute(self, online: Mapping[str, Collection[str]], now_s: float) -> int:
        """Give connections that no line told about to the only label online at their address; return how many.

        ``online`` maps addresses to labels. Where several labels are online nothing is guessed. A line that comes
        later outweighs the guess from then on.
        """
        labels = {canonical(host): set(names) for host, names in online.items()}
        given = 0
        for one in self._opened.values():
            if one.label is None and now_s - one.first_seen_s >= OWNER_WITHIN_S:
                candidates = labels.get(one.socket.peer_host, ())
                if len(candidates) == 1:
                    self._learn(one, _Line(next(iter(candidates)), now_s, None), is_certain=False)
                    given += 1
        return given

    def notice(self, now_s: float) -> int:
        """Take notice of connections that may be condemned labels' before the core is asked; return how many."""
        return self._hunt.notice(self._opened.values(), now_s)

    def hunt(self, told: Told) -> Hunted:
        """Give connections that no line told about to the condemned labels they are proven to be of, so they are cut.

        ``told`` is what the core said after the last notice and before the last dump.
        """
        online: dict[str, Mapping[str, float]] = {}
        for host, labels in told.online.items():
            online[canonical(host)] = {**online.get(canonical(host), {}), **labels}
        shown_s = -math.inf if self._dumped_s is None else self._dumped_s

        def give(one: Open, label: str) -> None:
            self._learn(one, _Line(label, shown_s, None), is_certain=False)

        return self._hunt.judge(self._opened.values(), told._replace(online=online), shown_s, give)

    def forget(self, known: Collection[str], before_s: float) -> bool:
        """Drop figures of labels not known any more that have no connection and were last seen before; tell if any."""
        kept = self.connected.union(known)
        silent = [label for label in {*self._accounts, *self._seen.labels()} if self._seen.last_s(label) < before_s]
        gone = [label for label in silent if label not in kept]
        for label in gone:
            self._accounts.pop(label, None)
            self._seen.forget(label)
        return bool(gone)

    # --- what is read ---

    def live(self, label: str | None = None) -> Iterator[Connection]:
        """Yield the open connections, of one label or of everybody, with owner or without."""
        if label is None:
            return map(Open.view, list(self._opened.values()))
        account = self._accounts.get(label)
        return map(Open.view, list(account.opened.values()) if account is not None else [])

    @property
    def size(self) -> int:
        """Return how many connections are open, with owner or without."""
        return len(self._opened)

    def has(self, cookie: int) -> bool:
        """Tell whether a socket is known as one of this process."""
        return cookie in self._opened

    def carried(self) -> dict[str, LabelCarried]:
        """Return what every label seen in this process has carried."""
        return {label: account.carried() for label, account in self._accounts.items()}

    def carried_of(self, label: str) -> LabelCarried | None:
        """Return what one label has carried, None when it was not seen in this process."""
        account = self._accounts.get(label)
        return None if account is None else account.carried()

    def downlink_per_s(self, label: str) -> dict[int, int]:
        """Return bytes a second sent to each open connection of a label in the last interval, by inode."""
        account = self._accounts.get(label)
        opened = account.opened.values() if account is not None else ()
        return {one.socket.inode: one.per_s[1] for one in opened if one.socket.inode and one.seen == self._dumps}

    def ownerless_share(self, now_s: float) -> float:
        """Return which part of the connections old enough to have an owner has none, or only a guessed one."""
        old = [one for one in self._opened.values() if now_s - one.first_seen_s >= OWNER_WITHIN_S]
        return sum(not one.is_certain for one in old) / len(old) if old else 0.0

    def unowned(self, now_s: float) -> int:
        """Return how many connections old enough to have an owner have none."""
        return sum(one.label is None and now_s - one.first_seen_s >= OWNER_WITHIN_S for one in self._opened.values())

    def seen(self, since_s: float, *, is_behind: bool | None = None) -> dict[str, float]:
        """Return when labels last connected or moved bytes, those since a moment; ``Seen.since`` tells of sides."""
        return self._seen.since(since_s, is_behind=is_behind)

    def to_cut(self) -> list[Socket]:
        """Return the open connections of condemned labels; each is returned again until it is gone."""
        doomed = self._condemned.among(self.connected)
        return [one.socket for label in doomed for one in self._accounts[label].opened.values()]

    def suspects(self, now_s: float) -> int:
        """Return how many connections without an owner may be a condemned label's."""
        return self._hunt.count(self._opened.values(), now_s)

    @property
    def doubtful(self) -> Sequence[str]:
        """Return the condemned labels that are online by a connection of which it is not proven which one it is."""
        return self._hunt.doubtful

    # --- one connection's life ---

    def _open(self, found: Socket, now_s: float, elapsed_s: float | None) -> Open:
        peer = (found.peer_host, found.peer_port)
        for former in list(self._by_peer.get(peer, ())):
            if former.socket.local_port == found.local_port:
                self._end(former, now_s)
        reused = self._opened.get(found.cookie)
        if reused is not None:
            self._end(reused, now_s)
        one = self._opened[found.cookie] = Open(found, now_s, self._rated_before_s)
        if elapsed_s is None:
            self._unrated[found.cookie] = STILL
        else:
            one.per_s = per_s(found, STILL, elapsed_s)
        self._by_peer.setdefault(peer, []).append(one)
        told = (self._lines.get((*peer, port)) for port in (found.local_port, None))
        line = max((line for line in told if line is not None), key=lambda line: line.noted_s, default=None)
        if line is not None and now_s - line.noted_s <= LINE_KEPT_S:
            # A line from before the last dump, which did not show this connection, may be about one that came and went.
            is_certain = self._dumped_s is None or line.noted_s >= self._dumped_s - _DUMP_LASTS_S
            self._learn(one, line, is_certain=is_certain)
            self._seen.note(line.label, line.tag, now_s)
        return one

    def _learn(self, one: Open, line: _Line, *, is_certain: bool) -> None:
        label = line.label
        if one.label == label:
            one.tag = line.tag or one.tag
        if one.label == label or (one.is_certain and not is_certain):
            one.is_certain = one.is_certain or is_certain
            return
        one.tag = line.tag
        account = self._accounts.setdefault(label, Account())
        account.enter(one)
        self.connected.add(label)
        if one.label is None:
            account.carry(one, *countable(one.socket))
        else:
            # What was counted for the other label stays counted there: figures never fall.
            self._leave(one, one.label)
        one.label, one.is_certain, one.countable = label, is_certain, countable(one.socket)

    def _move(self, one: Open, found: Socket, now_s: float, elapsed_s: float | None) -> None:
        before, one.socket, one.moved_s = one.socket, found, now_s
        if elapsed_s is None:
            self._unrated.setdefault(found.cookie, (before.received, before.acked))
        else:
            one.per_s = per_s(found, (before.received, before.acked), elapsed_s)
        if one.label is not None:
            self._seen.note(one.label, one.tag, now_s)
            had, has = one.countable, countable(found)
            one.countable = has
            if has != had:
                self._accounts[one.label].carry(one, has[0] - had[0], has[1] - had[1])

    def _rate_unrated(self, elapsed_s: float) -> None:
        """Give connections that moved in dumps between two rated ones what they carried a second in all that time."""
        unrated, self._unrated = self._unrated, {}
        for cookie, before in unrated.items():
            one = self._opened.get(cookie)
            if one is not None and one.seen == self._dumps:
                one.per_s = per_s(one.socket, before, elapsed_s)

    def _end_missing(self, now_s: float) -> None:
        for one in [one for one in self._opened.values() if one.seen != self._dumps]:
            one.per_s = STILL
            if one.seen < self._dumps - 1:
                self._end(one, now_s)

    def _end(self, one: Open, now_s: float) -> None:
        found = one.socket
        peer = (found.peer_host, found.peer_port)
        del self._opened[found.cookie]
        self._by_peer[peer].remove(one)
        if not self._by_peer[peer]:
            del self._by_peer[peer]
        if one.label is not None:
            self._leave(one, one.label)
        else:
            _put_last(self._ownerless, peer, _Ownerless(found.local_port, *countable(found), now_s))

    def _leave(self, one: Open, label: str) -> None:
        account = self._accounts[label]
        account.leave(one)
        if not account.opened:
            self.connected.discard(label)

    def _claim_closed(self, peer: Peer, local_port: int | None, label: str) -> None:
        closed = self._ownerless.get(peer)
        if closed is not None and peer not in self._by_peer and local_port in {None, closed.local_port}:
            del self._ownerless[peer]
            account = self._accounts.setdefault(label, Account())
            account.uplink += closed.uplink
            account.downlink += closed.downlink

    def _forget_old(self, now_s: float) -> None:
        _drop_first(self._lines, lambda line: now_s - line.noted_s > LINE_KEPT_S)
        _drop_first(self._ownerless, lambda closed: now_s - closed.closed_s > LINE_KEPT_S)


def _put_last(kept: dict[K, V], key: K, value: V) -> None:
    """Put a value at the end of what is kept; the first goes when there are too many."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > LINES_MAX:
        del kept[next(iter(kept))]


def _drop_first(kept: dict[K, V], is_old: Callable[[V], bool]) -> None:
    """Drop values from the front, where the oldest are, until one is not old."""
    old = []
    for key, value in kept.items():
        if not is_old(value):
            break
        old.append(key)
    for key in old:
        del kept[key]
