"""A rotation is looked at while it runs, and looking at it never stops it."""

import threading
from collections.abc import Mapping

import pytest

from keystead.cli import rotating
from keystead.kit.errors import Unavailable


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotating, "_POLL_S", 0.001)  # a person looks less often


def test_it_is_asked_about_until_it_has_ended_whatever_is_answered(capfd: pytest.CaptureFixture[str]) -> None:
    answers, asked_thrice = [1, 0, 2], threading.Event()

    def ask() -> Mapping[str, int]:
        if not answers:
            asked_thrice.set()
            return {"total": 3000, "resealed": 3000}
        if not (resealed := answers.pop()):
            raise Unavailable("the service is busy")
        return {"total": 3000, "resealed": resealed * 1000}

    with rotating.shown(ask, is_quiet=True):
        assert asked_thrice.wait(10)

    assert answers == []
    assert capfd.readouterr().out == ""


def test_what_it_says_is_for_people() -> None:
    assert rotating._said({"total": 100_000, "resealed": 20_010}) == "sealed again: 20,010 of 100,000"
