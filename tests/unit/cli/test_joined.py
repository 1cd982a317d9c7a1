"""``keystead provider`` for providers that a secret alone connects: what it asks the service for, and what it says."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Run
from tests.support.service import Service

PATH = "/v1/providers"
KEY = f"{PATH}/namesilo/credentials/7"
METRICA = f"{PATH}/yandex_metrica/credentials/8/counters"
MADE = {"id": 7, "alias": "namesilo-1f2e3d4c", "account": {"balance": "355.75"}}


def provider(name: str, field: str, *, is_json: bool = False) -> dict[str, Any]:
    ways = [[{"name": field, "hint": "The secret", "is_json": is_json}]]
    return {"id": name, "title": name, "capabilities": ["list domains"], "ways": ways}


@pytest.fixture
def known(service: Service) -> Service:
    items = [provider("namesilo", "api_key"), provider("google", "service_account", is_json=True)]
    service.will(f"GET {PATH}", {"items": items})
    return service


def test_a_secret_is_piped_in_and_is_on_no_command_line(run: Run, known: Service) -> None:
    known.will(f"POST {PATH}/namesilo/credentials", MADE, 201)

    said = run("provider", "connect", "namesilo", stdin="k123\n")

    assert (said.code, said.out) == (0, "key 7: namesilo-1f2e3d4c (balance 355.75)\n")
    assert known.asked[-1][1] == {"secret": {"api_key": "k123"}, "alias": None}


def test_a_secret_of_many_lines_is_read_whole(run: Run, known: Service, tmp_path: Path) -> None:
    known.will(f"POST {PATH}/google/credentials", {"id": 9, "alias": "main", "account": {}}, 201)
    file = tmp_path / "account.json"
    file.write_text('{\n "type": "service_account"\n}\n', "utf-8")

    said = run("provider", "connect", "google", "--secret-file", file, "--alias", "main")

    assert said.out == "key 9: main\n"
    assert known.asked[-1][1] == {
        "secret": {"service_account": '{\n "type": "service_account"\n}'},
        "alias": "main",
    }


def test_a_provider_that_is_none_is_not_found(run: Run, known: Service) -> None:
    said = run("provider", "connect", "nobody", stdin="x\n")

    assert said.code == 5
    assert "namesilo" in said.err


def test_nothing_given_is_refused(run: Run, known: Service) -> None:
    assert run("provider", "connect", "namesilo").code == 1
    assert run("provider", "connect", "google").code == 1


@pytest.mark.parametrize(
    ("status", "message", "code", "out"),
    [
        ("active", None, 0, "key 7 is active (balance 2.00)\n"),
        ("refused", "Invalid API Key", 1, "key 7 is refused: Invalid API Key (balance 2.00)\n"),
        ("revoked", None, 1, "key 7 is revoked (balance 2.00)\n"),
    ],
)
def test_a_status_is_said_and_is_the_exit_code(
    run: Run, service: Service, status: str, message: str | None, code: int, out: str
) -> None:
    found = {"credential_id": 7, "status": status, "problem": message and "secret_refused", "message": message}
    service.will(f"GET {KEY}/status", {**found, "account": {"balance": "2.00"}})

    said = run("provider", "status", "namesilo", "7")

    assert (said.code, said.out) == (code, out)


def test_domains_are_listed_and_pointed(run: Run, service: Service) -> None:
    servers = ["a.ns.test", "b.ns.test"]
    service.will(f"GET {KEY}/domains", {"items": [{"name": "example.com", "expires_on": "2027-01-22"}]})
    service.will(f"GET {KEY}/domains/example.com/name-servers", {"domain": "example.com", "name_servers": servers})
    service.will(f"PUT {KEY}/domains/example.com/name-servers", {"domain": "example.com", "name_servers": servers})

    listed = run("provider", "domains", "namesilo", "7")
    shown = run("provider", "name-servers", "namesilo", "7", "example.com")
    put = run("provider", "name-servers", "namesilo", "7", "example.com", *servers)

    assert "example.com" in listed.out
    assert shown.out == put.out == "example.com: a.ns.test b.ns.test\n"
    assert service.asked[-1][1] == {"name_servers": servers}


def test_counters_visits_and_goals_are_listed(run: Run, service: Service) -> None:
    counter = {"id": 5, "site": "example.com", "name": "Main", "status": "Active", "permission": "own"}
    service.will(f"GET {METRICA}", {"items": [counter]})
    service.will(f"GET {METRICA}/5/visits?first=2026-11-01", {"items": [{"day": "2026-11-01", "visits": 14234}]})
    service.will(f"GET {METRICA}/5/goals", {"items": [{"id": 1, "name": "Thanks", "kind": "url"}]})

    assert "example.com" in run("provider", "counters", "8").out
    assert "14234" in run("provider", "visits", "8", "5", "--first", "2026-11-01").out
    assert run("provider", "goals", "8", "5", "--json").json == [{"id": 1, "name": "Thanks", "kind": "url"}]


def test_what_may_be_connected_is_listed(run: Run, known: Service) -> None:
    said = run("provider", "list")

    assert "namesilo" in said.out
    assert "api_key" in said.out
