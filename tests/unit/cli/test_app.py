"""A plain ``serve`` does without the library of the command line, and means what that would have made of it."""

import sys
from pathlib import Path
from typing import Any

import pytest

from keystead.cli import app, commands, running

Ran = list[tuple[dict[str, Any], bool]]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Return what is served with, in place of serving."""
    noted: Ran = []

    def note(given: dict[str, Any], *, is_foreground: bool) -> None:
        noted.append(({name: str(value) for name, value in given.items()}, is_foreground))

    monkeypatch.setattr(running, "run", note)
    return noted


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve"],
        ["serve", "--foreground"],
        ["serve", "--data-dir", "there", "--foreground", "--port", "8100"],
        ["serve", "--host=::1", "--data-dir=/var/lib/keystead", "--port=8100"],
        ["serve", "--port", "8100", "--port", "8200"],
    ],
)
def test_a_plain_serve_is_read_as_the_tree_of_commands_reads_it(arguments: list[str], ran: Ran) -> None:
    with pytest.raises(SystemExit):
        commands.app(arguments)

    app.main(arguments)

    assert ran[1] == ran[0]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["migrate"],
        ["--data-dir", "there", "serve"],
        ["serve", "--help"],
        ["serve", "there"],
        ["serve", "--port"],
        ["serve", "--port", "http"],
        ["serve", "--host", "--foreground"],
        ["serve", "--foreground=yes"],
        ["serve", "--data-dir="],
        ["serve", "--", "there"],
    ],
)
def test_whatever_may_have_to_be_explained_goes_to_the_tree_of_commands(arguments: list[str]) -> None:
    assert app.plain_serve(arguments) is None


def test_without_arguments_those_of_the_process_are_read(monkeypatch: pytest.MonkeyPatch, ran: Ran) -> None:
    monkeypatch.setattr(sys, "argv", ["keystead", "serve", "--data-dir", str(Path("there"))])

    app.main()

    assert ran == [({"data_dir": "there"}, False)]
