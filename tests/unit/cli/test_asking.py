"""Who is asked before something is done that cannot be taken back, and what happens where nobody can be asked."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from keystead.cli import asking, commands
from keystead.kit.errors import NeedsConfirmation
from tests.support.commands import Run
from tests.support.service import Service

# A word of a command that takes something away for good.
FOR_GOOD = {"rm", "delete", "remove", "revoke", "reissue", "retire", "monitor-rm", "totp-off", "undo", "set-hosts"}
# What these words do can be taken back: ``credential activate``.
REVERSIBLE = {("credential", "revoke")}
PLAN = {
    "digest": "d1",
    "change": 2,
    "action": "change",
    "is_needed": True,
    "losses": [],
    "text": "",
    "scope": "xray/main",
}
ROLLOUT = {
    "id": 3,
    "state": "planned",
    "outcomes": {"planned": 1},
    "digest": "d1",
    "total": 1,
    "done": 0,
    "message": None,
}
UNDO = {"name_servers": 4, "by_hand": 0, "zones": 0}

AT_ONCE: dict[tuple[str, ...], tuple[object, ...]] = {
    ("credential", "rm"): (3,),
    ("domain", "rm"): ("example.com",),
    ("provider", "monitor-rm"): (7, "3f2504e0"),
    ("provider", "namecheap", "set-hosts"): (7, "example.com", "hosts.json"),
    ("provider", "relay", "rm"): ("namecheap",),
    ("record", "rm"): (7, "a1"),
    ("redirect", "bulk", "rm"): (7, "example.com/old"),
    ("redirect", "rm"): (7, "example.com"),
    ("template", "rm"): ("parking",),
    ("token", "revoke"): (3,),
    ("user", "remove"): (4,),
    ("user", "totp-off"): (4,),
    ("vpn", "devices", "forget"): (7,),
    ("vpn", "key", "reissue"): (7,),
    ("vpn", "key", "rm"): (7,),
    ("vpn", "key", "subscription"): (7, "--revoke"),
    ("vpn", "plan", "rm"): ("gold",),
    ("webhook", "rm"): (1,),
    ("zone", "rm"): (7,),
}
PLANNED: dict[tuple[str, ...], tuple[object, ...]] = {
    ("domain", "move", "apply"): ("domains.csv",),
    ("domain", "move", "undo"): (3,),
    ("engine", "restart"): (),
    ("engine", "upgrade"): (),
    ("template", "apply"): ("parking", "all"),
    ("vpn", "bulk", "delete"): ("all",),
    ("vpn", "bulk", "disable"): ("all",),
    ("vpn", "bulk", "enable"): ("all",),
    ("vpn", "bulk", "extend"): (30, "all"),
    ("vpn", "bulk", "move"): ("own-port", "all"),
    ("vpn", "bulk", "topup"): ("10GB", "all"),
    ("vpn", "pair", "retire"): (),
    ("vpn", "pair", "revert"): (),
    ("vpn", "pair", "rotate"): (),
}


def leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that does something, with its words."""
    for name, below in getattr(group, "commands", {}).items():
        if hasattr(below, "commands"):
            yield from leaves(below, (*path, name))
        else:
            yield (*path, name), below


def asking_commands() -> set[tuple[str, ...]]:
    tree = get_command(commands.app)
    return {path for path, command in leaves(tree) if "--yes" in {name for one in command.params for name in one.opts}}


@pytest.fixture(autouse=True)
def files(data_dir: Path) -> None:
    data_dir.parent.joinpath("hosts.json").write_text('{"items": []}')
    data_dir.parent.joinpath("domains.csv").write_text("example.com\n")


def test_whatever_takes_something_away_for_good_asks() -> None:
    taking = {path for path, _ in leaves(get_command(commands.app)) if path[-1] in FOR_GOOD}

    assert taking - REVERSIBLE <= asking_commands()


def test_every_command_that_asks_is_tried_below() -> None:
    assert asking_commands() == AT_ONCE.keys() | PLANNED.keys()


@pytest.mark.parametrize("path", AT_ONCE, ids=" ".join)
def test_where_nobody_can_be_asked_nothing_is_done(run: Run, service: Service, path: tuple[str, ...]) -> None:
    said = run(*path, *AT_ONCE[path], "--json")

    assert (said.code, said.out) == (1, "")
    assert said.err.endswith("There is no terminal to ask at, so nothing was done; add --yes\n")
    assert service.asked == []


@pytest.mark.parametrize("path", PLANNED, ids=" ".join)
def test_where_nobody_can_be_asked_a_plan_stays_one(run: Run, service: Service, path: tuple[str, ...]) -> None:
    for place in ("/v1/vpn/bulk", "/v1/vpn/pair", "/v1/engines/xray/main/replacement", "/v1/domain-moves"):
        service.will(f"POST {place}", PLAN)
    service.will("POST /v1/domain-moves/3/undo", UNDO)
    service.will("POST /v1/rollouts", ROLLOUT)

    said = run(*path, *PLANNED[path], "--json")

    assert (said.code, said.out) == (1, "")
    assert "There is no terminal to ask at, so nothing was done; add --yes" in said.err
    assert len(service.asked) == 1
    assert path == ("template", "apply") or service.asked[0][1]["dry_run"] is True


def test_at_a_terminal_a_person_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("y\n"))

    asking.confirm("Delete it?", is_given=False)


def test_a_plan_that_was_not_agreed_to_says_by_which_digest_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    with pytest.raises(NeedsConfirmation, match="--yes, or --approve d1"):
        asking.confirm("Do it?", is_given=False, digest="d1")
