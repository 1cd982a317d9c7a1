"""The rule of address limits: who is refused, who never is; moments are made up, a look each second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.keeper.addresses import ACTIVE_S, LET_IN_AFTER_S, AddressLimits, Use, counted_as

LABEL = "k1-1"


class Looks:
    """A label with a limit, looked at once a second; connections stay open when they carry nothing."""

    def __init__(self, limit: int = 1) -> None:
        self.limits = AddressLimits()
        self.limits.change({LABEL: limit})
        self.now_s = 100.0
        self.moved: dict[str, float] = {}

    def look(self, *carrying: str) -> set[str]:
        """Let a second pass in which these addresses carried something; return who is refused."""
        self.now_s += 1.0
        self.moved |= dict.fromkeys(carrying, self.now_s)
        refused = self.limits.judge(LABEL, self.moved, self.now_s)
        self.moved = {address: at_s for address, at_s in self.moved.items() if address not in refused}
        return set(refused)

    def use(self) -> Use | None:
        return self.limits.use([LABEL], self.now_s).get(LABEL)


def test_the_newest_address_is_refused_when_both_carry_on() -> None:
    on = Looks()
    on.look("a")

    refused = [on.look("a", "b"), on.look("a", "b"), on.look("a", "b")]

    assert refused == [set(), set(), {"b"}]
    assert on.use() == Use(1, 1, ["b"])


def test_a_refused_address_stays_refused_while_the_other_is_in_use() -> None:
    on = Looks()
    on.look("a")

    refused = [on.look("a", "b") for _ in range(300)]

    assert refused[2:] == [{"b"}] * 298


def test_an_address_that_changed_is_not_refused_although_the_old_connection_is_still_open() -> None:
    on = Looks()
    for _ in range(10):
        on.look("wifi")

    refused = [on.look("mobile") for _ in range(120)]

    assert refused == [set()] * 120
    assert on.use() == Use(1, 1, [])


def test_an_address_that_changed_back_and_forth_is_not_refused() -> None:
    on = Looks()

    refused = [on.look(address) for address in ("wifi", "mobile") * 20 for _ in range(5)]

    assert not set().union(*refused)


def test_the_old_address_has_a_minute_to_come_back_to_its_place() -> None:
    on = Looks()
    on.look("a")
    for _ in range(int(ACTIVE_S) - 5):
        on.look("b")

    refused = [on.look("a", "b") for _ in range(3)]

    assert refused[-1] == {"b"}


def test_after_a_minute_of_silence_the_old_address_is_the_newest() -> None:
    on = Looks()
    on.look("a")
    for _ in range(int(ACTIVE_S) + 2):
        on.look("b")

    refused = [on.look("a", "b") for _ in range(3)]

    assert refused[-1] == {"a"}


def test_a_refused_address_is_let_in_when_the_other_has_been_silent_for_a_while() -> None:
    on = Looks()
    on.look("a")
    for _ in range(5):
        on.look("a", "b")

    refused = [on.look("b") for _ in range(int(LET_IN_AFTER_S) + 5)]

    assert refused[0] == {"b"}
    assert refused[-1] == set()


def test_a_limit_of_two_holds_for_the_third() -> None:
    on = Looks(2)
    on.look("a")
    on.look("a", "b")

    refused = [on.look("a", "b", "c") for _ in range(5)]

    assert refused[-1] == {"c"}
    assert on.use() == Use(2, 2, ["c"])


def test_a_lower_limit_is_in_force_at_once_and_one_taken_away_too() -> None:
    on = Looks(2)
    for _ in range(3):
        on.look("a", "b")

    on.limits.change({LABEL: 1})
    lowered = [on.look("a", "b") for _ in range(2)]
    on.limits.keep_only({})

    assert lowered[-1] == {"b"}
    assert on.use() is None


def test_what_nobody_is_connected_with_any_more_is_forgotten() -> None:
    on = Looks()
    on.look("a")

    on.limits.forget_old(on.now_s + ACTIVE_S + 1)

    assert on.limits.use(None, on.now_s) == {}


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
    ],
)
def test_an_address_counts_as_itself_or_as_its_64(host: str, counted: str) -> None:
    assert counted_as(host) == counted


@given(st.integers(1, 4), st.lists(st.sets(st.sampled_from("abcdef")), max_size=60))
def test_never_more_than_the_limit_carry_on_and_never_is_anybody_refused_below_it(
    limit: int, seconds: list[set[str]]
) -> None:
    on = Looks(limit)

    for carrying in seconds:
        refused = on.look(*carrying)
        use = on.use()
        if len(set().union(*seconds)) <= limit:
            assert not refused
        assert use is None or use.limit == limit

    together = [f"x{number}" for number in range(limit + 2)]
    for _ in range(int(ACTIVE_S) + 5):
        on.look(*together)
    assert len(set(together) - on.look(*together)) == limit
