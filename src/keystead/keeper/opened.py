"""An open connection as a table of them keeps it, and the account of the label it belongs to."""

from keystead.keeper.carrying import LabelCarried
from keystead.keeper.diag import Socket

STILL = (0, 0)


class Open:
    """A connection of the last dump or the one before it; ``counted`` is what its label was given of its bytes."""

    __slots__ = (
        "countable",
        "counted",
        "first_seen_s",
        "is_certain",
        "label",
        "moved_s",
        "per_s",
        "seen",
        "socket",
        "tag",
    )

    def __init__(self, found: Socket, now_s: float) -> None:
        self.socket = found
        self.label: str | None = None
        self.tag: str | None = None
        self.is_certain = False
        self.first_seen_s = self.moved_s = now_s
        self.per_s = STILL
        self.countable = self.counted = (0, 0)
        self.seen = 0


class Account:
    """What one label carried, and its open connections by cookie."""

    __slots__ = ("downlink", "open_downlink", "open_uplink", "opened", "uplink")

    def __init__(self) -> None:
        self.uplink = self.downlink = self.open_uplink = self.open_downlink = 0
        self.opened: dict[int, Open] = {}

    def carry(self, one: Open, uplink: int, downlink: int) -> None:
        self.uplink += uplink
        self.downlink += downlink
        self.open_uplink += uplink
        self.open_downlink += downlink
        one.counted = (one.counted[0] + uplink, one.counted[1] + downlink)

    def carried(self) -> LabelCarried:
        return LabelCarried(self.uplink, self.downlink, self.open_uplink, self.open_downlink)

    def enter(self, one: Open) -> None:
        self.opened[one.socket.cookie] = one

    def leave(self, one: Open) -> None:
        del self.opened[one.socket.cookie]
        self.open_uplink -= one.counted[0]
        self.open_downlink -= one.counted[1]
        one.counted = (0, 0)
