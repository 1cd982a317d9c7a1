"""Moments of the wall clock by the clock that never goes back, and what remains of them when the clock is set."""

import math

import pytest

from keystead.keeper.wall import Wall
from tests.support.clock import ManualClock


def second(clock: ManualClock) -> int:
    return int(clock.now().timestamp())


def test_a_second_is_over_a_moment_later_however_long_ago_it_was() -> None:
    clock = ManualClock()
    wall = Wall(clock)
    clock.advance(10)
    at_s, noted = clock.monotonic_s(), second(clock)
    clock.advance(3600)

    placed = wall.placed({"192.0.2.1": {"k1-1": noted, "k2-1": None}})["192.0.2.1"]

    assert at_s + 1 <= placed["k1-1"] <= at_s + 2
    assert placed["k2-1"] == math.inf


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_what_was_noted_before_the_clock_was_set_is_not_placed_too_early(step_s: float) -> None:
    clock = ManualClock()
    wall = Wall(clock)
    clock.advance(10)
    at_s, noted = clock.monotonic_s(), second(clock)
    clock.advance(10)
    clock.step_wall(step_s)

    assert wall.placed({"": {"k1-1": noted}})[""]["k1-1"] > at_s + 1


def test_what_is_noted_after_the_clock_was_set_counts_again() -> None:
    clock = ManualClock()
    wall = Wall(clock)
    clock.step_wall(3600)
    wall.check()
    clock.advance(5)
    at_s, noted = clock.monotonic_s(), second(clock)
    clock.advance(5)

    assert at_s + 1 <= wall.latest_s(noted) <= at_s + 2
