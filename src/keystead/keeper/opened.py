"""One connection as the table keeps it, and what a label has carried over all of its own; used by ``connections``.

Pure, and made for being gone through every second: there are tens of thousands.
"""

import math

from keystead.keeper.carrying import Connection, LabelCarried
from keystead.keeper.diag import Socket

# What a connection carries and the engine never counts, measured with Xray-core v26.7.28: REALITY's handshake with
# Vision's padding took 4,200 to 5,000 bytes up and 1,400 to 4,600 down, growing with the certificate of the target;
# without Vision 1,900 and 800. TLS records add 22 bytes to 8,192 where nothing is passed on untouched.
HANDSHAKE_UPLINK = 5_500
HANDSHAKE_DOWNLINK = 7_000
_RECORDS_SHIFT = 8

STILL = (0, 0)


class Open:
    """A connection of the last dump or the one before it.

    ``counted`` is what its label was given of its bytes; ``shown_s`` is the last dump that had it, ``made_after_s`` the
    last moment at which it was not there for certain.
    """

    __slots__ = (
        "countable",
        "counted",
        "first_seen_s",
        "is_certain",
        "label",
        "made_after_s",
        "moved_s",
        "per_s",
        "seen",
        "shown_s",
        "socket",
        "tag",
    )

    def __init__(self, found: Socket, now_s: float, made_after_s: float = -math.inf) -> None:
        self.socket = found
        self.made_after_s = made_after_s
        self.label: str | None = None
        self.tag: str | None = None
        self.is_certain = False
        self.first_seen_s = self.moved_s = self.shown_s = now_s
        self.per_s = STILL
        self.countable = self.counted = (0, 0)
        self.seen = 0

    def view(self) -> Connection:
        """Return it as people see it."""
        found = self.socket
        return Connection(
            found,
            self.label,
            self.first_seen_s,
            self.moved_s,
            found.received,
            found.acked,
            self.per_s[0],
            self.per_s[1],
            tag=self.tag,
        )


class Account:
    """What one label carried, and its open connections by cookie."""

    __slots__ = ("downlink", "open_downlink", "open_uplink", "opened", "uplink")

    def __init__(self) -> None:
        self.uplink = self.downlink = self.open_uplink = self.open_downlink = 0
        self.opened: dict[int, Open] = {}

    def carry(self, one: Open, uplink: int, downlink: int) -> None:
        """Count bytes of an open connection."""
        self.uplink += uplink
        self.downlink += downlink
        self.open_uplink += uplink
        self.open_downlink += downlink
        one.counted = (one.counted[0] + uplink, one.counted[1] + downlink)

    def carried(self) -> LabelCarried:
        """Return what was carried."""
        return LabelCarried(self.uplink, self.downlink, self.open_uplink, self.open_downlink)

    def enter(self, one: Open) -> None:
        """Take a connection as one of the label's."""
        self.opened[one.socket.cookie] = one

    def leave(self, one: Open) -> None:
        """Let go of a connection; what it was counted with stays."""
        del self.opened[one.socket.cookie]
        self.open_uplink -= one.counted[0]
        self.open_downlink -= one.counted[1]
        one.counted = (0, 0)


def countable(found: Socket) -> tuple[int, int]:
    """Return what a connection carried up and down beyond its handshake."""
    uplink, downlink = found.received - HANDSHAKE_UPLINK, found.acked - HANDSHAKE_DOWNLINK
    return (
        uplink - (uplink >> _RECORDS_SHIFT) if uplink > 0 else 0,
        downlink - (downlink >> _RECORDS_SHIFT) if downlink > 0 else 0,
    )


def per_s(found: Socket, before: tuple[int, int], elapsed_s: float) -> tuple[int, int]:
    """Return how fast a connection received and sent since it had carried so much."""
    return int((found.received - before[0]) / elapsed_s), int((found.acked - before[1]) / elapsed_s)
