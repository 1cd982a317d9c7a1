"""How a domain goes from stage to stage, whatever comes of the attempts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.vault import movevalue
from keystead.vault.movevalue import (
    ATTEMPTS_MAX,
    BY_HAND_MAX,
    WAITED_MAX,
    Direction,
    Item,
    Missed,
    Outcome,
    Passed,
    Previous,
    Refused,
    Stage,
    State,
    Waits,
)
from tests.support.clock import START

# On a machine that is busy with other things drawing takes long, and an example too.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
MOVE, UNDO = Direction.MOVE, Direction.UNDO
PATH = (Stage.ZONE, Stage.RECORDS, Stage.NAME_SERVERS, Stage.DELEGATION, Stage.ACTIVATION)
OUTCOMES = st.one_of(
    st.just(Passed()),
    st.builds(Waits, st.just("slow"), st.one_of(st.none(), st.floats(0, 3600)), st.one_of(st.none(), st.booleans())),
    st.builds(Missed, st.just("lost"), st.one_of(st.none(), st.floats(0, 3600)), st.one_of(st.none(), st.booleans())),
    st.builds(Refused, st.just("no"), st.one_of(st.none(), st.booleans())),
)


def item(**more: Any) -> Item:
    values = {
        "job": 1,
        "position": 0,
        "domain": "example.com",
        "state": State.WAITING,
        "stage": Stage.ZONE,
        "attempts": 0,
        "due_at": START,
        "since": START,
        "registrar_credential_id": 5,
    }
    return Item(**{**values, **more})


@PATIENT
@given(st.lists(st.tuples(OUTCOMES, st.floats(0, 86_400)), max_size=60))
def test_stages_are_passed_in_their_order_none_is_skipped_and_attempts_end(
    story: list[tuple[Outcome, float]],
) -> None:
    now, domain, passed = START, item(), 0
    for outcome, later_s in story:
        if domain.is_over:
            break
        now += timedelta(seconds=later_s)
        before, domain = domain, movevalue.follow(MOVE, domain, outcome, now)
        passed += isinstance(outcome, Passed)
        assert domain.due_at >= now
        assert domain.attempts < ATTEMPTS_MAX or domain.state is State.FAILED
        if isinstance(outcome, Waits):
            assert domain.attempts == before.attempts
        if not isinstance(outcome, Passed):
            assert domain.stage is before.stage
    path = PATH
    assert domain.stage is path[min(passed, len(path) - 1)]
    assert (domain.state is State.DONE) == (passed == len(path))


@PATIENT
@given(st.lists(OUTCOMES, min_size=1, max_size=30))
def test_a_retry_goes_on_from_the_stage_that_failed(outcomes: list[Outcome]) -> None:
    domain = item()
    for outcome in outcomes:
        domain = domain if domain.is_over else movevalue.follow(MOVE, domain, outcome, START)
    failed = replace(domain, state=State.FAILED)

    again = movevalue.again(failed, START + WAITED_MAX)

    assert (again.stage, again.state, again.attempts, again.problem) == (failed.stage, State.WAITING, 0, None)
    assert not movevalue.follow(MOVE, again, Waits("slow"), START + WAITED_MAX).is_over


def test_waiting_for_the_parent_has_an_end_that_says_what_was_waited_for() -> None:
    domain = item(stage=Stage.DELEGATION)

    within = movevalue.follow(MOVE, domain, Waits("old"), START + WAITED_MAX - timedelta(seconds=1))
    over = movevalue.follow(MOVE, domain, Waits("old"), START + WAITED_MAX)

    assert (within.state, over.state, over.problem) == (State.WAITING, State.FAILED, "not within 48 hours: old")


def test_a_person_has_two_weeks() -> None:
    domain = item(stage=Stage.BY_HAND, registrar_credential_id=None)

    within = movevalue.follow(MOVE, domain, Waits("old"), START + BY_HAND_MAX - timedelta(seconds=1))
    over = movevalue.follow(MOVE, domain, Waits("old"), START + BY_HAND_MAX)

    assert (within.state, over.state, over.problem) == (State.WAITING, State.FAILED, "not within 14 days: old")


@pytest.mark.parametrize(
    ("direction", "begun", "path"),
    [
        (MOVE, Stage.ZONE, (Stage.ZONE, Stage.RECORDS, Stage.BY_HAND, Stage.ACTIVATION)),
        (UNDO, Stage.BY_HAND, (Stage.BY_HAND, Stage.ZONE_REMOVAL)),
    ],
)
def test_a_domain_by_hand_passes_no_stage_at_a_registrar(
    direction: Direction, begun: Stage, path: tuple[Stage, ...]
) -> None:
    domain = item(
        stage=begun, registrar_credential_id=None, previous=Previous(("a.test",)), is_made=True, removes_zone=True
    )

    walked = []
    while not domain.is_over:
        walked.append(domain.stage)
        domain = movevalue.follow(direction, domain, Passed(), START)

    assert tuple(walked) == path == movevalue.path_of(direction, domain)


def test_waiting_for_a_limit_has_none() -> None:
    assert not movevalue.follow(MOVE, item(), Waits("limit", 60), START + 9 * WAITED_MAX).is_over


@pytest.mark.parametrize(("waited_s", "wait_s"), [(0, 5), (20, 5), (400, 100), (80_000, 600)])
def test_the_parent_is_asked_soon_at_first_and_seldom_later(waited_s: int, wait_s: int) -> None:
    now = START + timedelta(seconds=waited_s)

    waiting = movevalue.follow(MOVE, item(stage=Stage.DELEGATION), Waits("old"), now)

    assert waiting.due_at - now == timedelta(seconds=wait_s)


@pytest.mark.parametrize("is_making", [True, False])
def test_what_may_have_been_asked_for_is_known_until_it_is_known_better(is_making: bool) -> None:
    missed = movevalue.follow(MOVE, item(), Missed("lost", is_making=is_making), START)

    assert missed.is_making is is_making
    assert movevalue.follow(MOVE, missed, Missed("lost"), START).is_making is is_making
    assert not movevalue.follow(MOVE, missed, Refused("no", is_making=False), START).is_making


@pytest.mark.parametrize(
    ("previous", "is_made", "removes", "path"),
    [
        (None, False, True, ()),
        (None, True, False, ()),
        (None, True, True, (Stage.ZONE_REMOVAL,)),
        (Previous(("a.test",)), True, False, (Stage.RESTORE, Stage.RESTORED)),
        (Previous(("a.test",)), False, True, (Stage.RESTORE, Stage.RESTORED)),
        (Previous(("a.test",)), True, True, (Stage.RESTORE, Stage.RESTORED, Stage.ZONE_REMOVAL)),
    ],
)
def test_only_what_the_move_changed_is_undone(
    previous: Previous | None, is_made: bool, removes: bool, path: tuple[Stage, ...]
) -> None:
    domain = item(state=State.FAILED, previous=previous, is_made=is_made)

    begun = movevalue.undone(domain, START, removes_zone=removes)

    assert (None if begun is None else begun.stage) == (path[0] if path else None)
    walked = []
    while begun is not None and not begun.is_over:
        walked.append(begun.stage)
        begun = movevalue.follow(UNDO, begun, Passed(), START)
    assert tuple(walked) == path
