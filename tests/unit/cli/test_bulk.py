"""What commands ask about bulks: conditions, keys and tables in; a plan, a question, and codes out."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Run
from tests.support.service import Service

PLAN = {
    "action": "disable",
    "digest": "0123456789abcdef",
    "change": 2,
    "same": 1,
    "refused": 1,
    "sample": [{"number": 7, "name": "anna"}, {"number": 8, "name": "\x1b[31mberta"}],
    "refusals": [{"number": None, "key": "9", "reason": "no such key"}],
}
DONE = {
    "id": 3,
    "action": "disable",
    "state": "done",
    "total": 2,
    "done": 2,
    "outcomes": {"done": 2, "same": 1, "refused": 1},
    "message": None,
    "asked_by": "operator",
    "created_at": None,
    "ended_at": None,
}
ORDERS = "POST /v1/vpn/bulk"


def posted(service: Service) -> list[Any]:
    return [body for request, body in service.asked if request == ORDERS]


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("plan=gold", "state=expired", "name=batch-*"), {"plan": "gold", "state": "expired", "name": "batch-*"}),
        (("created-after=2027-01-01",), {"created_after": "2027-01-01T00:00:00+00:00"}),
        (("12", "13"), {"keys": ["12", "13"]}),
        (("all",), {"every": True}),
    ],
)
def test_which_keys_are_said_by_conditions_by_name_or_by_all(
    run: Run, service: Service, words: tuple[str, ...], where: dict[str, object]
) -> None:
    service.will(ORDERS, PLAN)

    said = run("vpn", "bulk", "disable", *words, "--dry-run")

    assert said.code == 0, said.err
    assert posted(service) == [{"action": "disable", "where": where, "dry_run": True}]
    assert "disable: 2 keys; 1 is so already" in said.out
    assert "9  no such key" in said.out
    assert "digest 0123456789abcdef" in said.out
    assert "\x1b" not in said.out


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ("id,key\na,12\nb,13\n", ["12", "13"]),
        ("12\n13\n", ["12", "13"]),
        ("\ufeffUUID;x\r\na;b\r\n", ["a"]),
        ('"name"\t"number"\n"x"\t12\n', ["12"]),
        ("x;y\n", ["x;y"]),
        ("number,name\n\n12,a\n,,\n  ,\n13,b\n", ["12", "13"]),
    ],
)
def test_keys_are_read_from_a_table(run: Run, service: Service, tmp_path: Path, table: str, keys: list[str]) -> None:
    file = tmp_path / "keys.csv"
    file.write_text(table, "utf-8")
    service.will(ORDERS, PLAN)

    said = run("vpn", "bulk", "delete", "--csv", file, "--dry-run")

    assert said.code == 0, said.err
    assert posted(service)[0]["where"] == {"keys": keys}


@pytest.mark.parametrize(
    ("command", "order"),
    [
        (("extend", "30"), {"action": "extend", "days": 30}),
        (("extend", "30d"), {"action": "extend", "days": 30}),
        (("topup", "10GB"), {"action": "top-up", "bytes": 10_000_000_000}),
        (("disable",), {"action": "disable"}),
        (("enable",), {"action": "enable"}),
        (("delete",), {"action": "delete"}),
        (("move", "own-port"), {"action": "move", "placement": "own-port"}),
    ],
)
def test_what_was_planned_is_what_is_asked_for(
    run: Run, service: Service, command: tuple[str, ...], order: dict[str, object]
) -> None:
    service.will(ORDERS, {**PLAN, **DONE})

    said = run("vpn", "bulk", *command, "all", "--yes", "--json")

    assert said.code == 0, said.err
    where = {"every": True}
    assert posted(service) == [
        {**order, "where": where, "dry_run": True},
        {**order, "where": where, "digest": PLAN["digest"]},
    ]
    assert said.json["bulk"]["outcomes"] == DONE["outcomes"]


def test_a_digest_approves_the_plan_that_was_reviewed(run: Run, service: Service) -> None:
    service.will(ORDERS, {**PLAN, **DONE})

    run("vpn", "bulk", "disable", "all", "--approve", "feedfeedfeedfeed")

    assert posted(service)[1]["digest"] == "feedfeedfeedfeed"


def test_a_plan_that_changes_nothing_is_not_begun(run: Run, service: Service) -> None:
    service.will(ORDERS, {**PLAN, "change": 0, "sample": []})

    said = run("vpn", "bulk", "disable", "all", "--yes")

    assert (said.code, len(posted(service))) == (0, 1)


@pytest.mark.parametrize("end", [{"state": "failed"}, {"state": "cancelled"}, {"outcomes": {"done": 1, "refused": 2}}])
def test_what_was_not_done_as_planned_is_a_code(run: Run, service: Service, end: dict[str, object]) -> None:
    service.will(ORDERS, {**PLAN, **DONE, **end})

    assert run("vpn", "bulk", "disable", "all", "--yes").code == 1


def test_a_bulk_is_watched_until_it_has_ended(run: Run, service: Service) -> None:
    service.will(ORDERS, {**PLAN, **DONE, "state": "waiting", "done": 0})
    service.will("GET /v1/vpn/bulk/3", DONE)

    said = run("vpn", "bulk", "disable", "all", "--yes")

    assert said.code == 0, said.err
    assert "bulk 3 is done: 2 done, 1 refused, 1 same" in said.out


def test_keys_are_created_and_their_links_written(run: Run, service: Service, tmp_path: Path) -> None:
    service.will(ORDERS, {**DONE, "action": "create", "outcomes": {"done": 2}}, 202)
    service.will("GET /v1/vpn/bulk/3/links?format=csv", b"number,link\n1,vless://x\n")
    links = tmp_path / "links.csv"
    given = ("--count", "2", "--name", "batch-{n}", "--plan", "gold", "--links", links)

    said = run("vpn", "bulk", "create", "placement=own-port", "first=501", "subscriptions=yes", *given)
    again = run("vpn", "bulk", "create", *given)

    assert said.code == 0, said.err
    create = {"count": 2, "name": "batch-{n}", "plan": "gold", "placement": "own-port", "first": 501}
    assert posted(service) == [{"action": "create", "create": {**create, "subscriptions": True}}]
    assert links.read_bytes() == b"number,link\n1,vless://x\n"
    assert links.stat().st_mode & 0o077 == 0
    assert (again.code, "exists" in again.err) == (1, True)


def test_names_are_read_from_a_table(run: Run, service: Service, tmp_path: Path) -> None:
    file = tmp_path / "names.csv"
    file.write_text("since,name\n2020,anna\n2021,berta\n", "utf-8")
    service.will(ORDERS, {**DONE, "outcomes": {"done": 2}}, 202)

    run("vpn", "bulk", "create", "--csv", file)

    assert posted(service) == [{"action": "create", "create": {"names": ["anna", "berta"]}}]


@pytest.mark.parametrize(
    "words",
    [
        ("disable",),
        ("disable", "colour=red"),
        ("disable", "created-after=soon"),
        ("create",),
        ("create", "--count", "0"),
        ("create", "--count", "2", "speed=5"),
        ("create", "--count", "2", "subscriptions=perhaps"),
        ("topup", "much", "all"),
    ],
)
def test_what_cannot_be_read_asks_nothing(run: Run, service: Service, words: tuple[str, ...]) -> None:
    assert run("vpn", "bulk", *words).code == 2
    assert service.asked == []


@pytest.mark.parametrize(
    ("table", "code", "said_of_it"),
    [
        ("", 1, "names nothing; it should have a column key"),
        ("number,name\n", 1, "names nothing"),
        ("number,name\n12,a\n,b\n13,c\n ,d\n", 1, "has no number in line 3, 5"),
        ('number,name\n12,"a\n13,b\n', 3, "unexpected end of data"),
    ],
)
def test_a_table_that_would_lose_rows_asks_nothing(
    run: Run, service: Service, tmp_path: Path, table: str, code: int, said_of_it: str
) -> None:
    file = tmp_path / "keys.csv"
    file.write_text(table, "utf-8")

    said = run("vpn", "bulk", "delete", "--csv", file, "--yes")

    assert (said.code, said_of_it in said.err) == (code, True), said.err
    assert service.asked == []


def test_names_that_were_kept_from_being_formulas_are_read_as_they_were(
    run: Run, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "names.csv"
    file.write_text("name\n'=anna\n'berta\n", "utf-8")
    service.will(ORDERS, {**DONE, "outcomes": {"done": 2}}, 202)

    run("vpn", "bulk", "create", "--csv", file)

    assert posted(service) == [{"action": "create", "create": {"names": ["=anna", "'berta"]}}]


def test_a_table_that_is_not_there_is_said(run: Run, service: Service, tmp_path: Path) -> None:
    said = run("vpn", "bulk", "disable", "--csv", tmp_path / "none.csv")

    assert (said.code, "cannot be read" in said.err) == (3, True)


def test_bulks_are_listed_shown_paused_and_cancelled(run: Run, service: Service, tmp_path: Path) -> None:
    service.will("GET /v1/vpn/bulk?limit=20", {"items": [DONE], "next": None})
    service.will("GET /v1/vpn/bulk/3", DONE)
    item = {"position": 2, "number": None, "id": None, "name": None, "key": "9", "outcome": "refused", "reason": "none"}
    service.will("GET /v1/vpn/bulk/3/results?outcome=refused&limit=100", {"items": [item], "next": None})
    for act in ("pause", "continue", "cancel"):
        service.will(f"POST /v1/vpn/bulk/3/{act}", {**DONE, "state": "cancelled"})
    service.will("GET /v1/vpn/bulk/3/links?format=csv", b"number,link\n")

    said = [run("vpn", "bulk", *words) for words in (("list",), ("show", "3"), ("cancel", "3"))]
    said += [run("vpn", "bulk", act, "3") for act in ("pause", "continue")]
    links = run("vpn", "bulk", "links", "3", tmp_path / "links.csv")

    assert {one.code for one in (*said, links)} == {0}
    assert "disable" in said[0].out
    assert "9  none" in said[1].out
    assert "bulk 3 is cancelled" in said[2].out


def test_a_refusal_is_told_once(run: Run, service: Service) -> None:
    unknown = "no plan is called 'gold'"
    service.refuse(ORDERS, 422, "unknown_plan", unknown, {"field": "plan", "message": unknown})

    said = run("vpn", "bulk", "create", "--count", "1", "--plan", "gold")

    assert (said.code, said.err) == (1, f"keystead: {unknown}\n")
