"""``keystead provider cloudflare`` and ``namecheap``: what they ask the service for, and what they say."""

from pathlib import Path
from typing import Any

from tests.support.commands import Run
from tests.support.service import Service

CLOUDFLARE, NAMECHEAP = "/v1/providers/cloudflare/credentials", "/v1/providers/namecheap/credentials"
ACCOUNT = "0123456789abcdef0123456789abcdef"
MADE: dict[str, Any] = {
    "id": 7,
    "alias": "Main",
    "external_id": ACCOUNT,
    "is_rotation": False,
    "synced": {"zones": 1200, "domains": 1200, "foreign": []},
    "sync_problem": None,
    "warnings": [],
}


def test_an_account_is_connected_with_a_bootstrap_token_that_is_piped_in(run: Run, service: Service) -> None:
    service.will(f"POST {CLOUDFLARE}", MADE, 201)

    said = run("provider", "cloudflare", "connect", ACCOUNT, "--alias", "Main", "--replace", stdin="boot\n")

    assert said.out == f"key 7, Main: account {ACCOUNT} is connected\n1,200 zones and 1,200 domains were read\n"
    assert service.asked[-1][1] == {
        "account_id": ACCOUNT,
        "bootstrap_token": "boot",
        "alias": "Main",
        "profile": "documented",
        "may_replace": True,
    }


def test_a_token_is_rotated_and_what_is_left_is_said(run: Run, service: Service, tmp_path: Path) -> None:
    left = {"is_rotation": True, "synced": None, "warnings": ["old_token_not_deleted"]}
    service.will(f"POST {CLOUDFLARE}/7/rotate", MADE | left)
    file = tmp_path / "bootstrap"
    file.write_text("boot\n", "utf-8")

    said = run("provider", "cloudflare", "rotate", 7, "--profile", "dns-only", "--secret-file", file)

    assert said.out == (
        f"key 7, Main: account {ACCOUNT} has a new token\n"
        "warning: the former token is still at Cloudflare; deleting it is tried again\n"
    )
    assert service.asked[-1][1] == {"bootstrap_token": "boot", "profile": "dns-only"}


def test_zones_that_are_read_later_are_told(run: Run, service: Service) -> None:
    service.will(f"POST {CLOUDFLARE}", MADE | {"synced": None, "sync_problem": "cf_unavailable"}, 201)

    said = run("provider", "cloudflare", "connect", ACCOUNT, stdin="boot\n")

    assert "zones could not be read now, and are read later: cf_unavailable" in said.out


def test_a_namecheap_user_is_connected(run: Run, service: Service) -> None:
    service.will(f"POST {NAMECHEAP}", {"id": 8, "alias": "namecheap-anna", "account": {"balance": "8.32"}}, 201)

    said = run("provider", "namecheap", "connect", "anna", stdin="k123\n")

    assert said.out == "key 8: namecheap-anna (balance 8.32)\n"
    assert service.asked[-1][1] == {"username": "anna", "api_key": "k123", "alias": None}


def test_the_general_command_names_the_one_that_is_meant(run: Run, service: Service) -> None:
    service.will("GET /v1/providers", {"items": []})

    said = run("provider", "connect", "cloudflare", stdin="boot\n")

    assert said.code == 1
    assert "keystead provider cloudflare connect" in said.err


HOSTS = {
    "items": [{"name": "@", "type": "A", "address": "192.0.2.1", "ttl_s": 1800, "preference": 10}],
    "email_type": "FWD",
    "version": "0123456789abcdef",
}


def test_hosts_are_written_out_changed_and_put_back(run: Run, service: Service, tmp_path: Path) -> None:
    path = f"{NAMECHEAP}/8/domains/example.com/hosts"
    service.will(f"GET {path}", HOSTS)
    service.will(f"PUT {path}", HOSTS)
    file = tmp_path / "hosts.json"

    shown = run("provider", "namecheap", "hosts", 8, "example.com")
    file.write_text(run("provider", "namecheap", "hosts", 8, "example.com", "--json").out, "utf-8")
    put = run("provider", "namecheap", "set-hosts", 8, "example.com", file, "--yes")

    assert "192.0.2.1" in shown.out
    assert (put.code, service.asked[-1][1]) == (0, HOSTS)


def test_a_file_that_holds_no_hosts_is_refused_before_anything_is_asked(
    run: Run, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "hosts.json"
    for text, said in (("@ A 192.0.2.1", "is not JSON"), ("[]", "hosts --json writes")):
        file.write_text(text, "utf-8")
        refused = run("provider", "namecheap", "set-hosts", 8, "example.com", file)
        assert (refused.code, said in refused.err) == (1, True)
    assert service.asked == []
