"""The table of connections: owners, figures, ends, cuts; times and dumps are made up."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.keeper import connections
from keystead.keeper.carrying import LabelCarried, canonical
from keystead.keeper.condemned import Condemned
from keystead.keeper.connections import Table
from keystead.keeper.diag import Socket
from keystead.keeper.hunting import Hunted, Told
from keystead.keeper.opened import HANDSHAKE_DOWNLINK, HANDSHAKE_UPLINK

HOST = "192.0.2.1"


def sock(
    cookie: int = 1, *, peer: int = 5000, up: int = 0, down: int = 0, port: int = 443, host: str = HOST, inode: int = -1
) -> Socket:
    """Return a socket that carried so much beyond its handshake."""
    inode = 1000 + cookie if inode < 0 else inode
    return Socket(port, host, peer, inode, cookie, down + HANDSHAKE_DOWNLINK, up + HANDSHAKE_UPLINK)


def test_a_line_before_the_dump_gives_the_connection_its_owner() -> None:
    table = Table()

    table.note_access(HOST, 5000, None, "k1-1", 0.2)
    table.take_dump([sock(up=10, down=20)], 1.0)

    assert table.carried() == {"k1-1": LabelCarried(10, 20, 10, 20)}
    assert [one.label for one in table.live()] == ["k1-1"]


def test_a_line_after_the_dump_gives_what_was_carried_before_it_too() -> None:
    table = Table()

    table.take_dump([sock(up=10, down=20)], 1.0)
    table.note_access(HOST, 5000, None, "k1-1", 1.5)

    assert table.carried() == {"k1-1": LabelCarried(10, 20, 10, 20)}


def test_a_line_after_the_end_counts_what_the_connection_carried() -> None:
    table = Table()
    table.take_dump([sock(up=10, down=20)], 1.0)
    table.take_dump([], 2.0)
    table.take_dump([], 3.0)

    table.note_access(HOST, 5000, None, "k1-1", 3.5)
    table.note_access(HOST, 5000, None, "k1-1", 3.6)

    assert table.carried() == {"k1-1": LabelCarried(10, 20, 0, 0)}


def test_what_a_closed_connection_carried_stays_and_is_open_no_more() -> None:
    table = Table()
    table.note_access(HOST, 5000, None, "k1-1", 0.0)
    table.take_dump([sock(down=20)], 1.0)

    table.take_dump([], 2.0)
    missed_once = table.carried()
    table.take_dump([], 3.0)

    assert missed_once == {"k1-1": LabelCarried(0, 20, 0, 20)}
    assert table.carried() == {"k1-1": LabelCarried(0, 20, 0, 0)}
    assert list(table.live()) == []


def test_a_connection_that_one_dump_missed_goes_on_where_it_was() -> None:
    table = Table()
    table.note_access(HOST, 5000, None, "k1-1", 0.0)
    table.take_dump([sock(down=20)], 1.0)
    table.take_dump([], 2.0)

    table.take_dump([sock(down=50)], 3.0)

    assert table.carried() == {"k1-1": LabelCarried(0, 50, 0, 50)}


def test_a_peer_seen_with_a_new_socket_is_a_new_connection() -> None:
    table = Table()
    table.note_access(HOST, 5000, None, "k1-1", 0.0)
    table.take_dump([sock(1, down=20)], 1.0)
    table.note_access(HOST, 5000, None, "k2-1", 1.5)

    table.take_dump([sock(2, down=7)], 2.0)

    assert table.carried() == {"k1-1": LabelCarried(0, 20, 0, 0), "k2-1": LabelCarried(0, 7, 0, 7)}


def test_a_successor_of_the_same_owner_inherits_the_line_between_the_dumps() -> None:
    table = Table()
    table.note_access(HOST, 5000, None, "k1-1", 0.0)
    table.take_dump([sock(1, down=20)], 1.0)
    table.note_access(HOST, 5000, None, "k1-1", 1.5)

    table.take_dump([sock(2, down=7)], 2.0)

    assert table.carried() == {"k1-1": LabelCarried(0, 27, 0, 7)}


def test_an_old_line_does_not_give_a_later_connection_away() -> None:
    table = Table()
    table.note_access(HOST, 5000, None, "k1-1", 0.0)
    for second in range(1, 13):
        table.take_dump([], float(second))

    table.take_dump([sock()], 13.0)

    assert [one.label for one in table.live()] == [None]


def test_a_line_that_was_someone_elses_is_outweighed_by_the_connections_own() -> None:
    table = Table()
    table.note_access(HOST, 5000, None, "k1-1", 0.0)
    for second in range(1, 5):
        table.take_dump([], float(second))
    table.take_dump([sock(down=5)], 5.0)

    table.note_access(HOST, 5000, None, "k2-1", 5.1)
    table.take_dump([sock(down=9)], 6.0)

    assert table.carried() == {"k1-1": LabelCarried(0, 5, 0, 0), "k2-1": LabelCarried(0, 4, 0, 4)}


def test_equal_peers_at_two_ports_are_told_apart_by_the_tag() -> None:
    table = Table({"shared": 443, "k2": 8443})
    table.note_access(HOST, 5000, "k2", "k2-1", 0.0)
    table.note_access(HOST, 5000, "shared", "k1-1", 0.1)

    table.take_dump([sock(1, port=443, down=1), sock(2, port=8443, down=2)], 1.0)

    assert {one.socket.local_port: one.label for one in table.live()} == {443: "k1-1", 8443: "k2-1"}


def test_an_outside_hint_owns_a_connection_only_when_it_is_old_and_the_hint_is_alone() -> None:
    table = Table()
    table.take_dump([sock(1), sock(2, host="192.0.2.2", peer=1)], 1.0)
    too_early = table.attribute({HOST: ["k1-1"]}, 2.0)
    share_before = table.ownerless_share(7.0)

    given_now = table.attribute({"::ffff:192.0.2.1": ["k1-1"], "192.0.2.2": ["k1-1", "k2-1"]}, 7.0)

    assert (too_early, given_now, share_before) == (0, 1, 1.0)
    assert {one.socket.peer_host: one.label for one in table.live()} == {HOST: "k1-1", "192.0.2.2": None}


def test_the_share_without_owner_counts_only_connections_old_enough() -> None:
    table = Table()
    table.take_dump([sock(1), sock(2, peer=1)], 0.0)
    table.note_access(HOST, 1, None, "k1-1", 0.5)
    table.take_dump([sock(1), sock(2, peer=1), sock(3, peer=2)], 5.0)

    assert table.ownerless_share(5.0) == 0.5
    assert table.ownerless_share(1.0) == 0.0


def test_a_condemned_label_is_cut_now_and_whenever_a_connection_of_it_turns_up() -> None:
    condemned = Condemned()
    table = Table(condemned=condemned)
    table.note_access(HOST, 5000, None, "k1-1", 0.0)
    table.take_dump([sock(1), sock(2, peer=1), sock(3, peer=2)], 1.0)

    condemned.add(["k1-1"], 1.0)
    at_once = table.to_cut()
    table.note_access(HOST, 1, None, "k1-1", 3600.0)
    later = table.to_cut()

    assert [one.cookie for one in at_once] == [1]
    assert sorted(one.cookie for one in later) == [1, 2]


def test_a_pardoned_label_is_not_cut() -> None:
    condemned = Condemned()
    table = Table(condemned=condemned)
    table.note_access(HOST, 5000, None, "k1-1", 0.0)
    table.take_dump([sock()], 1.0)
    condemned.add(["k1-1"], 1.0)

    condemned.pardon(["k1-1"])

    assert table.to_cut() == []


def test_the_oldest_orders_to_cut_are_forgotten_beyond_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keystead.keeper.condemned.CONDEMNED_MAX", 2)
    condemned = Condemned()

    condemned.add(["k1-1", "k2-1", "k1-1", "k3-1"], 1.0)

    assert condemned.among(["k1-1", "k2-1", "k3-1"]) == ["k1-1", "k3-1"]


def test_a_line_of_a_connection_that_is_there_outweighs_one_from_before_it() -> None:
    table = Table()
    table.note_access(HOST, 5000, None, "k1-1", 0.9)
    table.take_dump([sock(1)], 1.0)

    table.note_access(HOST, 5000, None, "k2-1", 1.1)

    assert [one.label for one in table.live()] == ["k2-1"]


class Hunting:
    """A table of which k1-1 is removed at second 10, and connections from one address that no line told about."""

    def __init__(self, *sockets: Socket) -> None:
        self.condemned = Condemned()
        self.table = Table(condemned=self.condemned)
        self.sockets = list(sockets)
        self.counted: dict[str, int] = {}
        self.elsewhere: dict[str, dict[str, float]] = {}
        self.table.take_dump(self.sockets, 9.0)

    def remove(self) -> None:
        self.condemned.add(["k1-1"], 10.0)

    def hunt(self, *online: str, now_s: float, **last_s: float) -> Hunted:
        """Hunt while these labels are online; ``last_s`` is when each was last known to connect."""
        self.table.notice(now_s)
        self.table.take_dump(self.sockets, now_s, is_rated=False)
        here = {label: last_s.get(label[:2], math.inf) for label in online}
        return self.table.hunt(Told({HOST: here, **self.elsewhere}, self.counted))

    def cut(self) -> list[int]:
        """Cut what is to be cut; return the cookies."""
        cookies = [one.cookie for one in self.table.to_cut() if one in self.sockets]
        self.sockets = [one for one in self.sockets if one.cookie not in cookies]
        return cookies


def test_ownerless_connections_are_the_removed_labels_where_nobody_else_is_online() -> None:
    on = Hunting(sock(1, down=500), sock(2, peer=1, down=500), sock(3, peer=2, host="192.0.2.9", down=500))
    on.remove()

    hunted = on.hunt("k1-1", now_s=10.1)

    assert (hunted, on.cut()) == (Hunted(2, is_over=False), [1, 2])
    assert on.hunt(now_s=10.3) == Hunted(0, is_over=True)


def test_nothing_is_cut_at_an_address_where_the_removed_label_is_not_online() -> None:
    on = Hunting(sock(1, down=500))
    on.remove()

    hunted = on.hunt("k2-1", now_s=10.1)

    assert (hunted, on.cut()) == (Hunted(0, is_over=True), [])


def test_the_only_ownerless_connection_is_the_removed_labels_if_the_core_says_twice_that_it_is_there() -> None:
    on = Hunting(sock(1, down=500), sock(2, peer=1, down=500))
    on.table.note_access(HOST, 1, None, "k2-1", 9.5)
    on.remove()

    on.hunt("k1-1", "k2-1", now_s=10.1)
    at_once = on.cut()
    on.hunt("k1-1", "k2-1", now_s=10.6)

    assert (at_once, on.cut()) == ([], [1])


def test_the_only_ownerless_connection_is_left_alone_when_the_core_was_late_to_see_the_removed_labels_end() -> None:
    on = Hunting(sock(1, down=500))
    on.remove()

    on.hunt("k1-1", "k2-1", now_s=10.1)
    on.hunt("k2-1", now_s=10.4)
    after = on.hunt("k2-1", now_s=10.9)

    assert (after, on.cut()) == (Hunted(0, is_over=True), [])


def test_a_handshake_beside_the_only_ownerless_connection_may_be_the_removed_labels() -> None:
    on = Hunting(sock(1, down=500), sock(2, peer=1))
    on.remove()

    on.hunt("k1-1", "k2-1", now_s=10.1)
    on.hunt("k1-1", "k2-1", now_s=10.9)

    assert on.cut() == []


def test_of_several_in_doubt_none_is_cut_and_the_label_is_told() -> None:
    on = Hunting(sock(1, down=500), sock(2, peer=1, down=500), sock(3, peer=2, down=500))
    on.remove()

    for tenths in range(1, 30):
        hunted = on.hunt("k1-1", "k2-1", now_s=10 + tenths / 10)

    assert (hunted, on.cut()) == (Hunted(0, is_over=False, doubtful=("k1-1",)), [])


class Later(Hunting):
    """The same, with a connection that was made at second 8 beside one from before second 4."""

    def __init__(self) -> None:
        super().__init__()
        for second in range(1, 11):
            self.sockets = [sock(1, down=500), sock(2, peer=1, down=500)][: 1 if second < 8 else 2]
            self.table.take_dump(self.sockets, 9.0 + second)
        self.condemned.add(["k1-1"], 19.0)


def test_what_was_made_after_the_others_connected_last_is_the_removed_labels() -> None:
    on = Later()

    on.hunt("k1-1", "k2-1", now_s=19.1, k1=17.5, k2=14.0)

    assert on.cut() == [2]


def test_what_was_made_after_the_removed_label_connected_last_is_not_its_own() -> None:
    on = Later()

    on.hunt("k1-1", "k2-1", now_s=19.1, k1=14.0, k2=17.5)
    on.hunt("k1-1", "k2-1", now_s=19.7, k1=14.0, k2=17.5)

    assert on.cut() == [1]


def test_moments_that_are_too_close_prove_nothing() -> None:
    on = Later()

    for tenths in range(1, 30):
        on.hunt("k1-1", "k2-1", now_s=19 + tenths / 10, k1=16.5, k2=16.5)

    assert on.cut() == []


class Counting(Hunting):
    """The same two connections all along; the core tells what it has counted from the removed label."""

    def __init__(self) -> None:
        super().__init__(sock(1, up=50_000, down=500), sock(2, peer=1, up=50_000, down=500))
        self.now_s = 10.0
        self.remove()
        self.counted["k1-1"] = 40_000
        self.step(0)
        self.step(0)

    def step(self, counted: int, *received: int) -> list[int]:
        """Let a moment pass in which both received so much and the core counted so much; return what is cut then."""
        added = dict(zip((1, 2), received, strict=False))
        self.table.notice(self.now_s)
        self.now_s += 0.3
        self.sockets = [one._replace(received=one.received + added.get(one.cookie, 0)) for one in self.sockets]
        self.counted["k1-1"] += counted
        self.hunt("k1-1", "k2-1", now_s=self.now_s)
        return self.cut()


def test_what_alone_can_have_received_what_the_core_counted_is_the_removed_labels() -> None:
    on = Counting()

    once, twice = on.step(900, 400, 950), on.step(5_000, 0, 5_200)

    assert (once, twice) == ([], [2])


def test_one_window_is_one_however_many_addresses_a_label_is_online_at() -> None:
    on = Counting()
    on.sockets += [sock(number, peer=number, host="192.0.2.9", down=500) for number in (3, 4)]
    on.table.take_dump(on.sockets, on.now_s)
    on.elsewhere = {"192.0.2.9": {"k1-1": math.inf, "k2-1": math.inf}}
    on.step(0)
    on.step(0)

    assert (on.step(900, 0, 950), on.step(900, 0, 950)) == ([], [2])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((900, 400, 950), (900, 950, 400)),
        ((900, 950, 950), (900, 950, 950)),
        ((900, 0, 800), (900, 0, 800)),
        ((900, 0, 90_000), (900, 0, 90_000)),
        ((0, 0, 950), (0, 0, 950)),
    ],
    ids=["one each", "both", "too little", "far too much", "nothing counted"],
)
def test_what_may_be_chance_or_somebody_elses_bytes_proves_nothing(
    first: tuple[int, int, int], second: tuple[int, int, int]
) -> None:
    on = Counting()

    assert [on.step(*first), on.step(*second)] == [[], []]


def test_bytes_that_waited_to_be_read_may_be_what_the_core_counts_next() -> None:
    on = Counting()
    on.sockets[0] = on.sockets[0]._replace(waiting=10_000)
    on.step(0)
    on.step(0)

    assert [on.step(900, 0, 950), on.step(900, 0, 950)] == [[], []]


def test_an_end_in_between_proves_nothing_by_what_was_counted() -> None:
    on = Counting()
    on.sockets.append(sock(3, peer=2, up=900))
    on.table.take_dump(on.sockets, on.now_s)
    on.step(0)
    on.step(900, 0, 950)
    del on.sockets[2]
    on.table.take_dump(on.sockets, on.now_s + 0.1)
    on.table.take_dump(on.sockets, on.now_s + 0.2)
    on.now_s += 0.2

    assert on.step(900, 0, 950) == []


def test_a_label_that_is_online_by_a_connection_of_its_own_has_no_other_for_certain() -> None:
    on = Hunting(sock(1, down=500), sock(2, peer=1, down=500))
    on.table.note_access(HOST, 5000, None, "k1-1", 9.5)
    on.remove()

    on.hunt("k1-1", now_s=10.0)
    own = on.cut()
    on.hunt("k1-1", now_s=10.1)
    too_soon = on.cut()
    on.hunt("k1-1", now_s=10.6)

    assert (own, too_soon, on.cut()) == ([1], [], [2])


def test_a_handshake_under_way_and_what_came_after_the_removal_are_left_alone() -> None:
    on = Hunting(sock(1))
    on.remove()
    on.sockets.append(sock(2, peer=1, down=500))
    on.table.take_dump(on.sockets, 12.0)

    hunted = on.hunt("k1-1", now_s=12.1)

    assert (hunted, on.cut()) == (Hunted(0, is_over=True), [])


def test_a_dump_in_between_brings_bytes_and_leaves_rates_and_ends_to_the_next_one() -> None:
    table = Table()
    table.note_access(HOST, 5000, None, "k1-1", 0.0)
    table.note_access(HOST, 5001, None, "k1-1", 0.0)
    table.take_dump([sock(down=1000)], 1.0)
    table.take_dump([sock(down=2000)], 2.0)

    table.take_dump([sock(down=5000), sock(2, peer=5001, down=300)], 2.1, is_rated=False)
    table.take_dump([], 2.2, is_rated=False)
    between = table.carried_of("k1-1"), table.downlink_per_s("k1-1")[1001]
    table.take_dump([sock(down=5000), sock(2, peer=5001, down=300)], 4.0)

    assert between == (LabelCarried(0, 5280, 0, 5280), 1000)
    assert table.carried_of("k9-1") is None
    assert table.downlink_per_s("k1-1") == {1001: 1500, 1002: (300 + HANDSHAKE_DOWNLINK) // 2}


def test_rates_are_per_second_and_by_inode() -> None:
    table = Table()
    table.note_access(HOST, 5000, None, "k1-1", 0.0)
    table.note_access(HOST, 1, None, "k1-1", 0.0)
    table.take_dump([sock(1), sock(2, peer=1)], 1.0)

    table.take_dump([sock(1, down=3000), sock(2, peer=1, inode=0)], 3.0)

    assert table.downlink_per_s("k1-1") == {1001: 1500}
    assert table.downlink_per_s("k9-1") == {}
    (moved, idle) = table.live("k1-1")
    assert (moved.moved_s, moved.downlink_per_s) == (3.0, 1500)
    assert (idle.moved_s, idle.first_seen_s) == (1.0, 1.0)


def test_what_is_kept_without_a_partner_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINES_MAX", 10)
    table = Table()

    for peer in range(100):
        table.note_access(HOST, peer, None, "k1-1", 0.0)
    table.take_dump([sock(cookie, peer=1000 + cookie) for cookie in range(100)], 1.0)
    table.take_dump([], 2.0)
    table.take_dump([], 3.0)

    assert (len(table._lines), len(table._ownerless)) == (10, 10)
    table.take_dump([], 100.0)
    assert (len(table._lines), len(table._ownerless)) == (0, 0)


def test_labels_are_connected_while_a_connection_of_theirs_is_open() -> None:
    table = Table()
    for peer_port in (5000, 5001):
        table.note_access(HOST, peer_port, None, "k1-1", 0.0)
    table.take_dump([sock(), sock(2, peer=5001)], 1.0)
    both = set(table.connected)
    for now_s in (2.0, 3.0):
        table.take_dump([sock()], now_s)
    one = set(table.connected)
    for now_s in (4.0, 5.0):
        table.take_dump([], now_s)

    assert both == one == {"k1-1"}
    assert table.connected == set()


def test_a_label_is_forgotten_when_it_is_unknown_silent_and_without_connections() -> None:
    table = Table()
    for number, label in enumerate(("open-1", "known-1", "late-1", "gone-1")):
        table.note_access(HOST, 5000 + number, None, label, 0.0)
    table.take_dump([sock(1 + number, peer=5000 + number) for number in range(4)], 1.0)
    for now_s in (2.0, 3.0):
        table.take_dump([sock()], now_s)
    table.note_access(HOST, 6000, None, "late-1", 50.0)

    was_any = table.forget(["known-1"], 40.0)
    is_any = table.forget(["known-1"], 40.0)

    assert (was_any, is_any) == (True, False)
    assert table.carried().keys() == {"open-1", "known-1", "late-1"}
    assert table.seen(0.0).keys() == {"open-1", "known-1", "late-1"}


@pytest.mark.parametrize(
    ("given_host", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[2001:DB8:0::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_addresses_have_one_form(given_host: str, expected: str) -> None:
    assert canonical(given_host) == expected


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("line"), st.integers(0, 4), st.integers(0, 2)),
        st.tuples(st.just("open"), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("close"), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("carry"), st.integers(0, 4), st.integers(0, 10**6)),
        st.tuples(st.just("dump"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("attribute"), st.integers(0, 2), st.just(0)),
    ),
    max_size=80,
)


@settings(max_examples=300)
@given(EVENTS)
def test_in_any_order_figures_never_fall_and_never_exceed_what_was_carried(events: list[tuple[str, int, int]]) -> None:
    table, now_s, cookies = Table(), 0.0, 0
    opened: dict[int, Socket] = {}
    carried_in_all = 0
    before: dict[str, LabelCarried] = {}
    for what, number, amount in events:
        now_s += 0.7
        if what == "line":
            table.note_access(HOST, number, None, f"k{amount}", now_s)
        elif what == "open":
            cookies += 1
            opened[number] = Socket(443, HOST, number, 1000 + cookies, cookies, 0, 0)
        elif what == "close":
            opened.pop(number, None)
        elif what == "carry" and number in opened:
            opened[number] = opened[number]._replace(acked=opened[number].acked + amount)
            carried_in_all += amount
        elif what == "dump":
            table.take_dump([one for peer, one in opened.items() if number or peer != 0], now_s)
        elif what == "attribute":
            table.attribute({HOST: [f"k{number}"]}, now_s)
        after = table.carried()
        for label, was in before.items():
            assert after[label].downlink >= was.downlink
        assert all(0 <= one.open_downlink <= one.downlink for one in after.values())
        before = after

    assert sum(one.downlink for one in before.values()) <= carried_in_all
    for _ in range(2):
        now_s += 1
        table.take_dump([], now_s)
    assert all((one.open_uplink, one.open_downlink) == (0, 0) for one in table.carried().values())
    assert (table._by_peer, table._opened) == ({}, {})


def test_a_label_is_seen_when_a_line_names_it_and_when_its_bytes_move() -> None:
    table = Table()
    table.note_access(HOST, 5000, None, "k1-1", 0.2)
    table.note_access(HOST, 6000, None, "k2-1", 0.3)
    table.take_dump([sock(up=10)], 1.0)
    table.take_dump([sock(up=20)], 9.0)
    table.take_dump([sock(up=20)], 10.0)

    assert table.seen(0.0) == {"k1-1": 9.0, "k2-1": 0.3}
    assert table.seen(5.0) == {"k1-1": 9.0}


def test_a_connection_is_unowned_when_its_line_is_overdue() -> None:
    table = Table()
    table.take_dump([sock()], 1.0)
    early = table.unowned(2.0)
    late = table.unowned(1.0 + connections.OWNER_WITHIN_S)
    table.attribute({HOST: ["k1-1"]}, 20.0)

    assert (early, late, table.unowned(20.0), table.size) == (0, 1, 0, 1)


def test_a_line_of_an_inbound_behind_others_owns_a_connection_at_any_port() -> None:
    table = Table({"shared": 443, "behind": 0})
    table.take_dump([sock(1), sock(2, peer=6000, port=444)], 1.0)

    table.note_access(HOST, 5000, "behind", "k1-1", 1.5)
    table.note_access(HOST, 6000, "behind", "k2-1", 1.5)

    assert {(one.label, one.tag, one.socket.local_port) for one in table.live()} == {
        ("k1-1", "behind", 443),
        ("k2-1", "behind", 444),
    }


def test_the_newest_line_owns_a_connection_whichever_inbound_told_it() -> None:
    table = Table({"shared": 443, "behind": 0})
    table.note_access(HOST, 5000, "shared", "k1-1", 0.1)
    table.note_access(HOST, 5000, "behind", "k2-1", 0.9)

    table.take_dump([sock()], 1.0)

    assert [one.label for one in table.live()] == ["k2-1"]


def test_labels_are_seen_by_side_and_when_their_bytes_move() -> None:
    table = Table({"shared": 443, "behind": 0})
    table.note_access(HOST, 5000, "behind", "k1-1", 1.0)
    table.note_access(HOST, 6000, "shared", "k2-1", 1.0)
    table.take_dump([sock(1), sock(2, peer=6000)], 1.5)

    table.take_dump([sock(1, down=50), sock(2, peer=6000)], 9.0)

    assert table.seen(5.0, is_behind=True) == {"k1-1": 9.0}
    assert table.seen(0.0, is_behind=False) == {"k2-1": 1.5}
    assert table.seen(0.0) == {"k1-1": 9.0, "k2-1": 1.5}


def test_sides_cost_nothing_where_nothing_stands_behind() -> None:
    table = Table({"shared": 443})

    table.note_access(HOST, 5000, "shared", "k1-1", 1.0)

    assert table.seen(0.0, is_behind=False) == {}
    assert table.seen(0.0) == {"k1-1": 1.0}
