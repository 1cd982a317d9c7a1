"""``keystead domain move``: what it asks the service for, what it says, and how it ends."""

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Run
from tests.support.service import Service

MOVES = "/v1/domain-moves"
FORESEEN: dict[str, Any] = {
    "domain": "a.com",
    "fate": "change",
    "makes_zone": True,
    "registrar_credential_id": 5,
    "registrar": "namesilo",
    "by_hand": False,
    "source": None,
    "name_servers": [],
    "delegated": ["ns1.old.net"],
    "note": None,
}
BY_HAND = {**FORESEEN, "domain": "c.com", "registrar_credential_id": None, "registrar": None, "by_hand": True}
REFUSED = {**FORESEEN, "domain": "b.com", "fate": "refused", "note": "its registration has expired; renew it first"}
PLAN: dict[str, Any] = {
    "digest": "d1",
    "change": 2,
    "same": 0,
    "refused": 1,
    "zones_made": 2,
    "by_hand": 1,
    "items": [FORESEEN, BY_HAND, REFUSED],
}
MOVE: dict[str, Any] = {
    "id": 3,
    "direction": "move",
    "undoes": None,
    "state": "done",
    "total": 1,
    "done": 1,
    "states": {"done": 1, "refused": 1, "failed": 0},
    "stages": {},
    "message": None,
    "asked_by": "operator",
    "created_at": "2026-11-29T00:00:00Z",
    "ended_at": None,
}


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    file = tmp_path / "domains.csv"
    file.write_text("domain,zone_key,source,by_hand\na.com,3,,\nb.com,,t.com,\nc.com,,,yes\n")
    return file


def test_a_plan_is_shown_with_what_cannot_be_moved(run: Run, service: Service, listed: Path) -> None:
    service.will(f"POST {MOVES}", PLAN)

    said = run("domain", "move", "plan", str(listed), "registrar-key=5")

    assert said.out == (
        "2 domains are moved, 2 zones made; 0 are so already\n"
        "1 of them no registrar here has: you set their name servers, and are told which\n"
        "  a.com  a zone is made; name servers at namesilo with key 5; delegated to ns1.old.net\n"
        "  c.com  a zone is made; you set its name servers at its registrar; delegated to ns1.old.net\n"
        "1 cannot be moved:\n"
        "  b.com  its registration has expired; renew it first\n"
        "digest d1\n"
    )
    assert service.asked[-1][1] == {
        "domains": [
            {"domain": "a.com", "zone_credential_id": 3},
            {"domain": "b.com", "source": "t.com"},
            {"domain": "c.com", "by_hand": True},
        ],
        "registrar_credential_id": 5,
        "dry_run": True,
    }


def test_a_list_without_a_head_is_a_domain_a_line(run: Run, service: Service, tmp_path: Path) -> None:
    service.will(f"POST {MOVES}", PLAN)
    (tmp_path / "list").write_text("# ours\na.com\n\nb.com\n")
    (tmp_path / "records.json").write_text('[{"type":"A","name":"@","content":"192.0.2.1"}]')

    run("domain", "move", "plan", str(tmp_path / "list"), f"records={tmp_path / 'records.json'}", "source=t.com")

    asked = service.asked[-1][1]
    assert asked["domains"] == [{"domain": "a.com"}, {"domain": "b.com"}]
    assert (asked["records"][0]["type"], asked["source"]) == ("A", "t.com")


def test_a_column_that_says_nothing_here_is_named(run: Run, service: Service, tmp_path: Path) -> None:
    service.will(f"POST {MOVES}", PLAN)
    (tmp_path / "list").write_text("domain,sauce,source\na.com,t.com,\n")

    said = run("domain", "move", "plan", str(tmp_path / "list"))

    assert "not taken from it: sauce; columns are domain, source, " in said.err
    assert service.asked[-1][1]["domains"] == [{"domain": "a.com"}]


def test_nothing_is_moved_where_nobody_can_be_asked_and_nothing_was_approved(
    run: Run, service: Service, listed: Path
) -> None:
    service.will(f"POST {MOVES}", PLAN)

    said = run("domain", "move", "apply", str(listed), stdin="n\n")

    assert (
        said.code,
        "Move 2 domains? There is no terminal to ask at, so nothing was done; add --yes" in said.err,
    ) == (1, True)
    assert [asked.get("dry_run") for _, asked in service.asked] == [True]


@pytest.mark.parametrize("argument", ["colour=red", "source=", "zone-key=x", "by-hand=perhaps"])
def test_a_setting_that_is_none_is_wrong_usage(run: Run, listed: Path, argument: str) -> None:
    assert run("domain", "move", "plan", str(listed), argument).code == 2


def test_a_move_is_watched_and_ends_with_1_when_a_domain_failed(run: Run, service: Service) -> None:
    service.will(f"GET {MOVES}/3", {**MOVE, "states": {"done": 0, "failed": 1}})

    said = run("domain", "move", "watch", "3")

    assert said.code == 1
    assert said.out == "move 3 is done: 1 failed\nwhich ones, and why: keystead domain move show 3\n"


@pytest.mark.parametrize("act", ["pause", "continue", "cancel", "retry"])
def test_a_move_is_acted_on(run: Run, service: Service, act: str) -> None:
    service.will(f"POST {MOVES}/3/{act}", MOVE)

    assert run("domain", "move", act, "3").out == "move 3 is done: 1 done, 1 refused\n"


def test_what_waits_for_a_person_is_shown_with_what_is_to_be_set(run: Run, service: Service) -> None:
    service.will(f"GET {MOVES}/3", {**MOVE, "state": "running", "stages": {"by-hand": 1, "delegation": 1}})
    waiting = [
        {"domain": "c.com", "stage": "by-hand", "reason": "set its name servers to x.test, y.test at its registrar"},
        {"domain": "d.com", "stage": "delegation", "reason": None},
    ]
    service.will(f"GET {MOVES}/3/results?state=failed&limit=500", {"items": [], "next": None})
    service.will(f"GET {MOVES}/3/results?state=waiting&limit=500", {"items": waiting, "next": None})

    said = run("domain", "move", "show", "3")

    assert "1 wait for you:\n  c.com  set its name servers to x.test, y.test at its registrar\n" in said.out


def test_undoing_says_what_it_does(run: Run, service: Service) -> None:
    service.will(f"POST {MOVES}/3/undo", {**MOVE, "name_servers": 4, "by_hand": 1, "zones": 2})

    said = run("domain", "move", "undo", "3", "--zones", "--yes")

    assert said.code == 0
    assert [body for _, body in service.asked] == [{"removes_zones": True, "dry_run": True}, {"removes_zones": True}]


def test_results_are_a_table(run: Run, service: Service, tmp_path: Path) -> None:
    result = {
        **dict.fromkeys(("zone_id", "made_zone", "attempts")),
        "domain": "a.com",
        "state": "failed",
        "stage": "delegation",
        "reason": "not within 48 hours",
        "previous": ["ns1.old.net", "ns2.old.net"],
        "name_servers": [],
    }
    service.will(f"GET {MOVES}/3/results?limit=500", {"items": [result], "next": None})

    run("domain", "move", "results", "3", "--csv", str(tmp_path / "results.csv"))

    [row] = csv.DictReader((tmp_path / "results.csv").read_text().splitlines())
    assert (row["domain"], row["reason"], row["previous"]) == (
        "a.com",
        "not within 48 hours",
        "ns1.old.net ns2.old.net",
    )
