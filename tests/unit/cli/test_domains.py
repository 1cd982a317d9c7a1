"""``keystead domain`` and ``keystead credential``: what they ask the service for, what they say, and how they end."""

from pathlib import Path
from typing import Any

from tests.support.commands import Run
from tests.support.service import Service

DOMAIN: dict[str, Any] = {
    "id": 7,
    "account_id": 1,
    "name": "one.com",
    "registration": {
        "provider": "namecheap",
        "expires_on": "2027-01-22",
        "renews_itself": False,
        "is_locked": True,
        "name_servers": ["dns1.parked.test"],
        "name_servers_at": "2026-11-21T16:00:00Z",
    },
    "zone": {"provider": "cloudflare", "status": "active", "name_servers": ["bob.ns.test"], "missing_since": None},
    "redirects": {"ours": ["www.one.com/* → https://one.com, 301", "b.one.com/* → https://one.com, 301"], "foreign": 3},
    "bulk_redirects": ["one.com/old → https://one.com/new, 301"],
    "dns": None,
    "findings": ["registrar-name-servers"],
    "note": None,
    "tags": ["shop"],
}
FINDING = {
    "domain": "one.com",
    "credential": None,
    "kind": "registrar-name-servers",
    "expected": ["bob.ns.test"],
    "seen": ["dns1.parked.test"],
    "since": "2026-11-21T16:00:00Z",
}
CREDENTIAL: dict[str, Any] = {
    "id": 3,
    "provider": "namecheap",
    "alias": "shop",
    "external_id": "myuser",
    "status": "active",
    "scope": {},
    "expires_at": None,
    "last_used_at": None,
    "created_at": "2026-11-21T16:00:00Z",
    "profile": None,
    "look": {"looked_at": "2026-11-21T16:00:00Z", "problem": None, "balance": "8.32", "lacking": None},
}


def test_a_list_narrows_and_shows_what_is_wrong(run: Run, service: Service) -> None:
    asked = "/v1/domains?q=on&expires_within=30&drifted=true&sort=expires&limit=500"
    service.will(f"GET {asked}", {"items": [DOMAIN], "next": None})

    said = run("domain", "list", "-s", "on", "--expires-within", "30", "--only", "drifted")

    assert said.code == 0
    assert "2027-01-22" in said.out
    assert "www.one.com/* → https://one.com, 301, 2 more, 3 of others" in said.out
    assert "registrar-name-servers" in said.out


def test_a_domain_is_found_by_its_name(run: Run, service: Service) -> None:
    service.will(
        "GET /v1/domains?q=one.com&limit=500", {"items": [{**DOMAIN, "name": "one.com.de"}, DOMAIN], "next": None}
    )
    service.will("GET /v1/domains/7", {**DOMAIN, "drift": [FINDING]})
    service.will("GET /v1/domains?q=two.com&limit=500", {"items": [], "next": None})

    shown, missing = run("domain", "show", "ONE.com."), run("domain", "show", "two.com")

    assert "! registrar-name-servers: dns1.parked.test instead of bob.ns.test" in shown.out
    assert missing.code == 5


def test_a_table_is_read_without_what_made_its_cells_safe(run: Run, service: Service, tmp_path: Path) -> None:
    table = tmp_path / "domains.csv"
    table.write_text('\ufeffTags,Name,note\n"shop eu",one.com,\'=1+1\n,two.com,"it\'s"\n', "utf-8")
    service.will("POST /v1/domains", {"added": 1, "changed": 1, "same": 0})

    said = run("domain", "import", str(table))

    assert said.out == "1 added, 1 changed, 0 as they were\n"
    assert service.asked[-1][1] == {
        "items": [
            {"name": "one.com", "note": "=1+1", "tags": ["shop", "eu"]},
            {"name": "two.com", "note": "it's", "tags": []},
        ]
    }


def test_a_table_without_names_is_refused(run: Run, service: Service, tmp_path: Path) -> None:
    table = tmp_path / "domains.csv"
    table.write_text("domain,note\none.com,x\n")

    said = run("domain", "import", str(table))

    assert (said.code, service.asked) == (3, [])
    assert "no column name" in said.err


def test_an_export_is_written_once(run: Run, service: Service, tmp_path: Path) -> None:
    service.will("GET /v1/domains?format=csv&accounts=own", b"account_id,name\r\n")
    file = tmp_path / "out.csv"

    first, second = run("domain", "export", str(file)), run("domain", "export", str(file))

    assert (first.code, file.read_bytes()) == (0, b"account_id,name\r\n")
    assert second.code == 1


def test_drift_and_looks_are_said(run: Run, service: Service) -> None:
    service.will("GET /v1/domains/drift?limit=500", {"items": [FINDING], "next": None})
    service.will("POST /v1/domains/look", {"credentials": [3]}, 202)

    drift, look = run("domain", "drift"), run("domain", "look")

    assert "bob.ns.test" in drift.out
    assert look.out.startswith("DNS and 1 credential are being looked at")


def test_credentials_are_listed_and_changed(run: Run, service: Service) -> None:
    service.will("GET /v1/credentials", {"items": [CREDENTIAL]})
    service.will("PATCH /v1/credentials/3", {**CREDENTIAL, "status": "revoked"})
    service.will("DELETE /v1/credentials/3", None, 204)
    service.will("POST /v1/credentials/3/balance", {"id": 3, "balance": "8.32"})

    listed, revoked = run("credential", "list"), run("credential", "revoke", "3")
    deleted, balance = run("credential", "rm", "3", "--yes"), run("credential", "balance", "3")

    assert "8.32" in listed.out
    assert "revoked" in revoked.out
    assert ("PATCH /v1/credentials/3", {"status": "revoked"}) in service.asked
    assert deleted.out == "credential 3 is deleted\n"
    assert balance.out == "8.32\n"


def test_a_credential_that_lost_permissions_says_which(run: Run, service: Service) -> None:
    look = {**CREDENTIAL["look"], "lacking": ["DNS Write", "Rules Write"]}
    service.will("GET /v1/credentials", {"items": [{**CREDENTIAL, "look": look}]})
    service.will("GET /v1/credentials/3", {**CREDENTIAL, "look": look})

    listed, shown = run("credential", "list"), run("credential", "show", "3")

    assert "lacks DNS Write, Rules Write" in listed.out
    assert "DNS Write, Rules Write" in shown.out


def test_a_secret_is_printed_with_its_reason_sent(run: Run, service: Service) -> None:
    secret = {"api_key": "k", "username": "u"}
    service.will("POST /v1/credentials/3/reveal", {"id": 3, "provider": "namecheap", "secret": secret})

    said = run("credential", "reveal", "3", "--reason", "moving")

    assert said.out == "api_key   k\nusername  u\n"
    assert service.asked == [("POST /v1/credentials/3/reveal", {"reason": "moving"})]
