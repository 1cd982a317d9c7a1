"""Shares of a speed limit: properties over many ticks, with connections that want what they want."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.keeper.pacing import FLOOR_BYTES_PER_S, shares

ENDLESS = 10**9
LIMIT = 1_000_000


def play(limit: int, wanted: list[int], caps: dict[int, int], ticks: int = 8) -> tuple[dict[int, int], list[int]]:
    """Let each connection carry what it wants within its cap; return the last caps and each second's sum."""
    sums = []
    for _ in range(ticks):
        carried = {number: min(want, caps.get(number, ENDLESS)) for number, want in enumerate(wanted)}
        sums.append(sum(carried.values()))
        caps = shares(limit, carried, caps)
    return caps, sums


@pytest.mark.parametrize("count", [1, 4, 16])
def test_busy_connections_carry_the_limit_from_the_second_second_on(count: int) -> None:
    caps, sums = play(LIMIT, [ENDLESS] * count, {})

    assert all(abs(carried - LIMIT) < LIMIT * 0.01 for carried in sums[1:])
    assert max(caps.values()) - min(caps.values()) <= 1


@pytest.mark.parametrize("count", [1, 4, 16])
def test_connections_that_all_wake_exceed_the_limit_for_one_second_only(count: int) -> None:
    idle, _ = play(LIMIT, [0] * count, {})

    _, sums = play(LIMIT, [ENDLESS] * count, idle)

    assert sums[0] <= LIMIT * max(1.0, count**0.5)
    assert all(abs(carried - LIMIT) < LIMIT * 0.01 for carried in sums[1:])


def test_one_of_many_idle_connections_has_the_whole_limit_after_a_second() -> None:
    idle, _ = play(LIMIT, [0] * 100, {})

    _, sums = play(LIMIT, [0] * 99 + [ENDLESS], idle)

    assert sums[0] >= LIMIT / 10
    assert sums[1] >= LIMIT * 0.99


def test_what_a_light_connection_leaves_goes_to_the_busy_ones() -> None:
    caps, sums = play(LIMIT, [200_000, ENDLESS, ENDLESS], {})

    assert caps[1] == caps[2] == 400_000
    assert sums[-1] == LIMIT


def test_a_new_connection_takes_its_share_from_the_others_at_once() -> None:
    caps, _ = play(LIMIT, [ENDLESS], {})

    _, sums = play(LIMIT, [ENDLESS, ENDLESS], caps, ticks=2)

    assert sums[1] <= LIMIT


def test_no_share_is_below_the_floor_and_none_is_given_to_nobody() -> None:
    assert set(shares(1, dict.fromkeys(range(50), ENDLESS)).values()) == {FLOOR_BYTES_PER_S}
    assert shares(LIMIT, {}) == {}


WANTED = st.lists(st.one_of(st.just(0), st.just(ENDLESS), st.integers(1, 3_000_000)), min_size=1, max_size=40)


@settings(max_examples=300)
@given(st.integers(1_000_000, 20_000_000), WANTED, WANTED)
def test_after_any_change_the_sum_settles_at_the_limit_and_stays(
    limit: int, before: list[int], wanted: list[int]
) -> None:
    caps, _ = play(limit, before, {})

    settled, sums = play(limit, wanted, caps, ticks=10)

    assert all(carried <= limit * 1.001 for carried in sums[3:])
    assert sums[-1] >= min(sum(wanted), limit) * 0.74
    if all(want == ENDLESS for want in wanted):
        assert sums[-1] >= limit * 0.99
    assert play(limit, wanted, settled)[0] == settled
