"""What the doctor says of each trick with connections: whether it works, why not, and what is left."""

from dataclasses import replace

import pytest

from keystead.engines.xray.state import WatchState
from keystead.keeper.proving import Trick, Tricks, Way
from keystead.operations.instance import guarantees
from keystead.operations.instance.doctor import Status

ALL_WORK = WatchState({trick.value: None for trick in Trick}, Way.DESTROY, 5, 2, 0.0)


def found(state: WatchState, *, is_ready: bool = True) -> dict[str, tuple[Status, str]]:
    checks = guarantees.checks("core", state, is_ready=is_ready)
    return {check.name.removeprefix("core "): (check.status, check.message) for check in checks}


def without(*tricks: str) -> WatchState:
    left = Tricks(**dict.fromkeys(tricks, "not permitted"))
    return replace(ALL_WORK, tricks=vars(left), cut=left.way)


def test_where_everything_works_nothing_has_to_be_done() -> None:
    checks = guarantees.checks("core", ALL_WORK, is_ready=True)

    assert {check.status for check in checks} == {Status.OK}
    assert [check.next for check in checks] == [None] * len(checks)


@pytest.mark.parametrize(
    ("tricks", "status", "begins"),
    [
        (("destroy",), Status.OK, "reset: "),
        (("destroy", "reset"), Status.WARN, "shutdown: "),
        (("destroy", "borrow"), Status.WARN, "none: "),
        (("dump",), Status.WARN, "none: "),
    ],
)
def test_the_way_to_cut_says_what_it_guarantees(tricks: tuple[str, ...], status: Status, begins: str) -> None:
    said = found(without(*tricks))["cut"]

    assert said[0] is status
    assert said[1].startswith(begins)


def test_removed_keys_that_could_not_be_cut_without_doubt_are_told() -> None:
    status, said = found(replace(ALL_WORK, doubtful=2))["cut"]

    assert status is Status.WARN
    assert said.startswith("destroy: ")
    assert "except 2 removed keys" in said
    assert found(replace(ALL_WORK, doubtful=0))["cut"][0] is Status.OK


@pytest.mark.parametrize(
    ("trick", "name"), [("dump", "socket table"), ("borrow", "borrowed sockets"), ("pace", "speed limits")]
)
def test_a_trick_that_fails_is_told_with_its_reason(trick: str, name: str) -> None:
    status, said = found(without(trick))[name]

    assert status is Status.WARN
    assert said.startswith("not permitted: ")


def test_lines_that_are_not_understood_show_once_the_core_has_been_dialled() -> None:
    silent = replace(ALL_WORK, lines=0)

    assert found(silent, is_ready=False)["access lines"][0] is Status.OK
    assert found(silent, is_ready=True)["access lines"][0] is Status.WARN


def test_a_keeper_from_before_the_setting_is_told() -> None:
    checks = guarantees.checks("core", ALL_WORK, is_ready=True, without=("destroy", "lines"))

    assert checks[-1].status is Status.WARN
    assert checks[-1].message.endswith("named destroy")


def test_every_trick_and_every_way_has_its_words() -> None:
    assert set(guarantees.works(ALL_WORK)) == {guarantees.LINES, *Trick}
    assert set(guarantees.WAYS) == set(Way)
    assert all(found(replace(ALL_WORK, cut=way))["cut"] for way in Way)
