"""The speed limits in force, and how each is shared out among all connections of its label, whichever process has them.

Asked by the watch after every look; the caps it answers with are set by whoever can reach the connections. Pure: what
was sent and the time are given with each call. Who gets which part of a limit is ``pacing``'s.

During a handover a label has connections in two processes. They draw on one budget: a connection is known here by its
process and its socket's inode.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from keystead.keeper import pacing

# How often a limit is shared out among a label's connections; in less time nobody can tell who is busy.
SHARE_EVERY_S = 0.9
_NEWS = 0.4

# A process's name and an inode of one of its sockets.
Conn = tuple[str, int]


class Budgets:
    """One budget per limited label."""

    def __init__(self) -> None:
        self.limits: dict[str, int] = {}
        self._shared: dict[str, _Shared] = {}

    def share(self, sent: Mapping[str, Mapping[Conn, int]], now_s: float) -> dict[Conn, int | None]:
        """Return the caps to set now in bytes a second, None where one is to be lifted.

        ``sent`` are the limited labels that have open connections, and how many bytes each of these has sent so far.
        """
        caps: dict[Conn, int | None] = {}
        for label in [label for label in self._shared if label not in sent]:
            before = self._shared.pop(label)
            if label not in self.limits:
                caps |= dict.fromkeys(before.caps)
        for label, conns in sent.items():
            limit, last = self.limits[label], self._shared.get(label)
            if last is None or last.is_due(now_s, limit, conns):
                self._shared[label] = _shared_again(last, now_s, limit, conns)
                caps |= self._shared[label].caps
        return caps


@dataclass(frozen=True)
class _Shared:
    """How a limit was shared out last: what each connection had sent, how fast, and its cap."""

    at_s: float
    limit: int
    sent: Mapping[Conn, int]
    per_s: Mapping[Conn, int]
    caps: Mapping[Conn, int]

    def is_due(self, now_s: float, limit: int, sent: Mapping[Conn, int]) -> bool:
        """Tell whether to share out again: after a second, or because there is something new to share."""
        return now_s - self.at_s >= SHARE_EVERY_S or limit != self.limit or sent.keys() != self.sent.keys()

    def per_s_of(self, conn: Conn, sent: int, now_s: float, fair: int) -> int:
        """Return how fast a connection sent since then; a moment is too short to tell."""
        elapsed_s = now_s - self.at_s
        if conn not in self.sent:
            return fair
        if elapsed_s < SHARE_EVERY_S / 3:
            return self.per_s[conn]
        # Slow connections send in bursts: a second alone would call a busy one idle, and the next idle one busy.
        return int((1 - _NEWS) * self.per_s[conn] + _NEWS * (sent - self.sent[conn]) / elapsed_s)


def _shared_again(last: _Shared | None, now_s: float, limit: int, sent: Mapping[Conn, int]) -> _Shared:
    """Share a limit out anew; a connection nobody has watched yet is taken for a busy one."""
    fair = limit // len(sent)
    per_s = {conn: fair if last is None else last.per_s_of(conn, count, now_s, fair) for conn, count in sent.items()}
    caps = pacing.shares(limit, per_s, last.caps if last is not None else None)
    return _Shared(now_s, limit, dict(sent), per_s, caps)
