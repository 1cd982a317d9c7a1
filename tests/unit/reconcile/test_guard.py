"""The guard lets explained removals pass, whatever their number, and holds back unexplained masses."""

from keystead.reconcile import guard
from keystead.reconcile.plan import Plan, Risk, Step, Verb


def removal(number: int) -> Step:
    return Step("user", f"k{number}-1", Verb.REMOVE, "held", "", "not wanted", Risk.HOT)


def addition(number: int) -> Step:
    return Step("user", f"k{number}-1", Verb.ADD, "", "wanted", "missing", Risk.HOT)


def judge(steps: list[Step], explained: set[str], held_objects: int) -> guard.Verdict:
    return guard.judge(Plan("xray/main", tuple(steps)), explained=explained, held_objects=held_objects)


def test_a_few_unexplained_removals_pass() -> None:
    assert judge([removal(n) for n in range(3)], set(), 100).held == ()


def test_explained_removals_pass_in_any_number() -> None:
    steps = [removal(n) for n in range(500)]

    assert judge(steps, {step.subject for step in steps}, 500).held == ()


def test_more_than_ten_unexplained_removals_are_held_and_the_rest_runs() -> None:
    steps = [*(removal(n) for n in range(11)), addition(99)]

    verdict = judge(steps, set(), 1000)

    assert len(verdict.held) == 11
    assert verdict.allowed == (addition(99),)


def test_more_than_a_third_of_many_is_held() -> None:
    assert len(judge([removal(n) for n in range(5)], set(), 12).held) == 5


def test_a_third_of_a_few_passes() -> None:
    assert judge([removal(n) for n in range(3)], set(), 4).held == ()
