"""Runs that share the suite take every module once, and each as much time as it is meant to."""

import random

import pytest

from tests.support.shares import Share, chosen_share, expected_s, module_of, modules_of


def suite() -> list[tuple[str, float]]:
    folders = ["tests/e2e", "tests/engines/xray", "tests/contract/v1", "tests/unit/vpn"]
    names = [f"{folder}/test_{n}.py::test_{m}" for folder in folders for n in range(9) for m in range(n + 3)]
    return [(name, expected_s(name, is_slow=False)) for name in names]


def test_every_module_is_in_exactly_one_share_whatever_the_order() -> None:
    tests = suite()
    shuffled = random.sample(tests, len(tests))

    most, rest = modules_of(Share.MOST, tests, 2.0), modules_of(Share.REST, shuffled, 2.0)

    assert most | rest == {module_of(name) for name, _ in tests}
    assert most & rest == set()
    assert modules_of(Share.ALL, tests, 2.0) == most | rest


@pytest.mark.parametrize("most_to_rest", [1.0, 2.0, 3.0])
def test_most_takes_so_many_times_as_long_as_the_rest(most_to_rest: float) -> None:
    tests = suite()

    taken = {
        share: sum(seconds for name, seconds in tests if module_of(name) in modules_of(share, tests, most_to_rest))
        for share in (Share.MOST, Share.REST)
    }

    assert 0.9 < taken[Share.MOST] / taken[Share.REST] / most_to_rest < 1.1


def test_a_share_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYSTEAD_TEST_SHARE", "half")

    with pytest.raises(RuntimeError, match="set it to most or rest"):
        chosen_share()
