"""``keystead redirect``, ``template`` and ``rollout``: what they ask, what they say, and how they end."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Run
from tests.support.service import Service

PATH = "/v1/zones/7/redirects"
BULK = "/v1/credentials/1/redirects"
REDIRECT: dict[str, Any] = {
    "id": "keystead-1",
    "source": "www.example.com/*",
    "host": "www.example.com",
    "path": "/*",
    "target": "https://example.com",
    "status": 301,
    "keep_path": True,
    "keep_query": True,
    "is_enabled": True,
    "template": None,
    "expression": None,
}
ROLLOUT: dict[str, Any] = {
    "id": 3,
    "template": "parking",
    "state": "planning",
    "digest": None,
    "done": 0,
    "total": 1,
    "create": 0,
    "change": 0,
    "delete": 0,
    "left": 0,
    "outcomes": {"waiting": 1},
    "unsafe": [],
    "message": None,
    "created_at": "2026-11-29T08:00:00Z",
}
PLANNED = {**ROLLOUT, "state": "planned", "digest": "d1", "outcomes": {"planned": 1}, "unsafe": ["example.com: 2 of 3"]}
DONE = {**PLANNED, "state": "done", "outcomes": {"done": 1}, "unsafe": []}
ZONE: dict[str, Any] = {
    "position": 0,
    "zone_id": 7,
    "zone": "example.com",
    "outcome": "planned",
    "create": 1,
    "change": 0,
    "delete": 1,
    "left": 2,
    "reason": None,
    "steps": [
        {
            "verb": "delete",
            "kind": "record",
            "subject": "MX example.com",
            "before": "mx.example.net",
            "after": None,
            "reason": "the template says it no more",
        },
        {
            "verb": "create",
            "kind": "record",
            "subject": "A example.com",
            "before": None,
            "after": "192.0.2.1",
            "reason": None,
        },
    ],
}


def test_a_redirect_is_set_listed_and_deleted(run: Run, service: Service) -> None:
    service.will(f"PUT {PATH}", REDIRECT)
    service.will(f"GET {PATH}", {"items": [REDIRECT], "foreign": 2})
    service.will(f"DELETE {PATH}/keystead-1", None, 204)

    made = run("redirect", "set", "7", "www.example.com", "https://example.com", "--keep-path")
    asked = service.asked[-1][1]
    listed = run("redirect", "list", "7")
    gone = run("redirect", "rm", "7", "www.example.com", "--yes")
    none = run("redirect", "rm", "7", "example.org", "--yes")

    assert made.out == "www.example.com/* leads to https://example.com (301)\n"
    assert asked == {
        "host": "www.example.com",
        "path": "/*",
        "target": "https://example.com",
        "status": 301,
        "keep_path": True,
        "keep_query": True,
    }
    assert "and 2 rules of others, which are never touched" in listed.out
    assert (gone.code, none.code) == (0, 5)


def test_bulk_redirects_are_put_from_a_table(run: Run, service: Service, tmp_path: Path) -> None:
    table = tmp_path / "redirects.csv"
    table.write_text(
        "source,target,status,keep_query\na.example/old,https://b.example,302,yes\nc.example,https://d.example,,\n"
    )
    service.will(f"PUT {BULK}", {"added": 2, "changed": 0, "same": 0, "total": 2})

    said = run("redirect", "bulk", "put", "1", table)

    assert said.out == "2 added, 0 changed, 0 as they were; 2 in all\n"
    assert service.asked[-1][1] == {
        "redirects": [
            {"source": "a.example/old", "target": "https://b.example", "status": 302, "keep_query": True},
            {"source": "c.example", "target": "https://d.example"},
        ]
    }


def test_bulk_redirects_are_compared_and_accepted(run: Run, service: Service) -> None:
    found: dict[str, Any] = {"credential_id": 1, "credential": "main", "problem": None, "redirects": None}
    drift = {
        "expected": ["a.example/: https://b.example, 301"],
        "seen": ["removed: a.example/: https://b.example, 301"],
    }
    service.will(f"POST {BULK}/compare", {**found, "redirects": drift})
    service.will(f"POST {BULK}/accept", found)

    differing = run("redirect", "bulk", "compare", "1").out
    accepted = run("redirect", "bulk", "accept", "1").out
    service.will(f"POST {BULK}/compare", found)
    same = run("redirect", "bulk", "compare", "1").out

    assert differing.splitlines() == [
        "main: bulk redirects are not as they should be",
        "  removed: a.example/: https://b.example, 301",
        "  should be",
        "  a.example/: https://b.example, 301",
    ]
    assert accepted == "main: the bulk redirects there are right\n"
    assert same == "main: bulk redirects are as they should be\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from,to\na,b\n", "names columns"),
        ("source,target\na,\n", "line 2"),
        ("source,target,status\na,b,x\n", "is no status"),
        ("source,target,keep_query\na,b,maybe\n", "is yes or no"),
    ],
)
def test_a_table_that_is_wrong_is_told_and_nothing_is_sent(run: Run, tmp_path: Path, text: str, told: str) -> None:
    table = tmp_path / "redirects.csv"
    table.write_text(text)

    said = run("redirect", "bulk", "put", "1", table)

    assert said.code == 1
    assert told in said.err


def test_a_template_is_planned_shown_and_carried_out(run: Run, service: Service) -> None:
    service.will("POST /v1/rollouts", ROLLOUT, 202)
    service.will("GET /v1/rollouts/3", PLANNED)
    service.will("GET /v1/rollouts/3/zones?limit=500", {"items": [ZONE], "next": None})
    service.will("POST /v1/rollouts/3/start", DONE, 202)

    said = run(
        "template", "apply", "parking", "example.com", "--set", "ip=192.0.2.1", "--force", "example.com", "--yes"
    )

    assert said.out.splitlines() == [
        "example.com (planned): 1 new, 0 changed, 1 deleted, 2 left alone",
        "  delete MX example.com: was mx.example.net (the template says it no more)",
        "  create A example.com: → 192.0.2.1",
        "rollout 3 is planned: 1 planned",
        "unsafe: example.com: 2 of 3",
        "digest d1",
        "rollout 3 is done: 1 done",
    ]
    bodies = [body for line, body in service.asked if line.startswith("POST")]
    assert bodies == [
        {"template": "parking", "values": {"ip": "192.0.2.1"}, "zones": ["example.com"]},
        {"digest": "d1", "force": ["example.com"]},
    ]


def test_a_dry_run_starts_nothing_and_a_failure_is_the_exit_code(run: Run, service: Service) -> None:
    service.will("POST /v1/rollouts", PLANNED, 202)
    service.will("GET /v1/rollouts/3/zones?limit=500", {"items": [ZONE], "next": None})
    dry = run("template", "apply", "parking", "all", "--dry-run", "--json")
    service.will("POST /v1/rollouts/3/start", {**DONE, "outcomes": {"failed": 1}}, 202)

    failed = run("template", "apply", "parking", "all", "--yes")

    assert dry.json == PLANNED
    assert failed.code == 1


def test_templates_and_rollouts_are_shown(run: Run, service: Service, tmp_path: Path) -> None:
    template = {
        "name": "parking",
        "records": [{"type": "A", "name": "@", "content": "{ip}"}],
        "redirects": [REDIRECT],
        "placeholders": ["ip"],
        "created_at": "2026-11-29T08:00:00Z",
        "changed_at": "2026-11-29T08:00:00Z",
    }
    file = tmp_path / "parking.json"
    file.write_text('{"records": []}')
    service.will("PUT /v1/templates/parking", template)
    service.will("GET /v1/templates", {"items": [template]})
    service.will("DELETE /v1/templates/parking", None, 204)
    service.will("GET /v1/rollouts?limit=20", {"items": [DONE], "next": None})
    service.will("POST /v1/rollouts/3/cancel", {**DONE, "state": "cancelled"})

    said = [
        run("template", "set", "parking", file).out,
        run("template", "list").out,
        run("template", "rm", "parking", "--yes").out,
        run("rollout", "list").out,
        run("rollout", "cancel", "3").out,
    ]

    assert "needs values for: ip" in said[0]
    assert "parking" in said[1]
    assert said[2] == "template parking is deleted\n"
    assert "2026-11-29" in said[3]
    assert said[4].startswith("rollout 3 is cancelled")
    assert run("template", "set", "parking", tmp_path / "none.json").code == 3
