"""One budget per label: connections of several processes that want what they want, looked at every second."""

from collections.abc import Mapping

from keystead.keeper.budgets import Budgets, Conn
from keystead.keeper.pacing import FLOOR_BYTES_PER_S

ENDLESS = 10**9
LIMIT = 1_000_000
OLD, NEW = ("old-process", 7), ("new-process", 7)


class Line:
    """Connections of one label on a line without an end; each sends what it wants within its cap."""

    def __init__(self, limit: int | None = LIMIT) -> None:
        self.budgets = Budgets()
        self.now_s = 0.0
        self.sent: dict[Conn, int] = {}
        self.caps: dict[Conn, int | None] = {}
        if limit is not None:
            self.budgets.limits["k1-1"] = limit

    def look(self) -> dict[Conn, int | None]:
        is_limited = bool(self.sent) and "k1-1" in self.budgets.limits
        told = self.budgets.share({"k1-1": self.sent} if is_limited else {}, self.now_s)
        self.caps |= told
        return told

    def play(self, wants: Mapping[Conn, int], seconds: int = 10) -> dict[Conn, int]:
        """Let so many seconds pass, and return what each connection sent in the last of them."""
        self.sent = {conn: self.sent.get(conn, 0) for conn in wants}
        self.look()
        carried = dict[Conn, int]()
        for _ in range(seconds):
            carried = {conn: min(want, self.caps.get(conn) or ENDLESS) for conn, want in wants.items()}
            self.sent = {conn: self.sent[conn] + carried[conn] for conn in wants}
            self.now_s += 1
            self.look()
        return carried


def test_busy_connections_in_two_processes_carry_the_limit_together() -> None:
    carried = Line().play({OLD: ENDLESS, NEW: ENDLESS})

    assert carried == {OLD: LIMIT // 2, NEW: LIMIT // 2}


def test_a_connection_in_another_process_takes_its_share_at_once() -> None:
    line = Line()
    line.play({OLD: ENDLESS})

    carried = line.play({OLD: ENDLESS, NEW: ENDLESS}, seconds=1)

    assert sum(carried.values()) <= LIMIT


def test_what_is_idle_in_the_old_process_leaves_the_limit_to_the_new_one() -> None:
    carried = Line().play({OLD: 0, NEW: ENDLESS})

    assert carried[NEW] >= LIMIT * 0.99


def test_the_last_connection_has_the_whole_limit_as_soon_as_the_other_process_has_ended() -> None:
    line = Line()
    line.play({OLD: ENDLESS, NEW: ENDLESS})

    carried = line.play({NEW: ENDLESS}, seconds=2)

    assert carried == {NEW: LIMIT}


def test_lifting_a_limit_lifts_the_caps_in_every_process_once() -> None:
    line = Line()
    line.play({OLD: ENDLESS, NEW: ENDLESS})

    del line.budgets.limits["k1-1"]

    assert line.look() == {OLD: None, NEW: None}
    assert line.look() == {}


def test_another_limit_is_shared_out_at_once_and_the_same_one_after_a_second() -> None:
    line = Line()
    line.play({OLD: ENDLESS, NEW: ENDLESS})

    line.now_s += 0.1
    unchanged = line.look()
    line.budgets.limits["k1-1"] = LIMIT // 2
    changed = line.look()

    assert unchanged == {}
    assert changed == {OLD: LIMIT // 4, NEW: LIMIT // 4}


def test_nothing_is_told_of_labels_without_a_limit_and_no_cap_is_below_the_floor() -> None:
    assert Line(limit=None).play({OLD: ENDLESS}) == {OLD: ENDLESS}
    assert Line(limit=1).play({OLD: ENDLESS, NEW: ENDLESS}) == {OLD: FLOOR_BYTES_PER_S, NEW: FLOOR_BYTES_PER_S}
