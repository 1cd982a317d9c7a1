"""``keystead zone`` and ``keystead record``: what they ask the service for, what they say, and how they end."""

from pathlib import Path
from typing import Any

from tests.support.commands import Run
from tests.support.service import Service

PATH = "/v1/zones"
NAMED = f"GET {PATH}?name=example.com&limit=500"
ZONE: dict[str, Any] = {
    "id": 7,
    "credential_id": 1,
    "remote_id": "0" * 32,
    "name": "example.com",
    "status": "pending",
    "plan": "free",
    "name_servers": ["bob.ns.cloudflare.com", "lola.ns.cloudflare.com"],
    "missing_since": None,
    "synced_at": "2026-11-29T08:00:00Z",
    "check_at": "2026-11-29T08:15:00Z",
}
RECORD: dict[str, Any] = {
    "id": "a" * 32,
    "type": "A",
    "name": "www.example.com",
    "content": "192.0.2.1",
    "ttl": 300,
    "proxied": True,
    "priority": None,
    "comment": None,
    "data": None,
}
RECORDS = f"{PATH}/7/records"


def page(*items: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(items), "next": None}


def test_a_zone_is_added_and_its_name_servers_are_told(run: Run, service: Service) -> None:
    service.will(f"POST {PATH}", ZONE, 201)

    said = run("zone", "add", "example.com", "--key", "1")

    assert said.out.splitlines() == [
        "zone 7, example.com: pending",
        "  name servers           bob.ns.cloudflare.com, lola.ns.cloudflare.com",
        "  plan                   free",
        "  key                    1",
        "  seen (UTC)             2026-11-29 08:00:00",
        "  looked at again (UTC)  2026-11-29 08:15:00",
    ]
    assert service.asked[-1][1] == {"name": "example.com", "credential_id": 1}


def test_what_differs_in_a_zone_is_said_and_accepted(run: Run, service: Service) -> None:
    told = {"expected": ["A www.example.com: 192.0.2.1"], "seen": ["changed: A www.example.com: 198.51.100.7"]}
    drift = {"zone": "example.com", "records": told, "redirects": None}
    service.will(f"POST {PATH}/7/compare", drift)
    service.will(f"POST {PATH}/7/accept", {**drift, "records": None})

    differs, accepted = run("zone", "compare", "7"), run("zone", "accept", "7")
    service.will(f"POST {PATH}/7/compare", {**drift, "records": None})
    same = run("zone", "compare", "7")

    assert differs.out.splitlines() == [
        "example.com: records are not as they should be",
        "  changed: A www.example.com: 198.51.100.7",
        "  should be",
        "  A www.example.com: 192.0.2.1",
    ]
    assert accepted.out == "example.com: what it holds now is right\n"
    assert same.out == "example.com: records and redirects are as they should be\n"


def test_a_zone_is_named_by_its_number_or_its_name(run: Run, service: Service) -> None:
    service.will(NAMED, page(ZONE))
    for action in ("check", "sync"):
        service.will(f"POST {PATH}/7/{action}", ZONE)
    service.will(f"DELETE {PATH}/7", None, 204)

    assert run("zone", "check", "example.com", "--json").json == ZONE
    assert run("zone", "sync", "7").code == 0
    assert run("zone", "rm", "example.com", "--yes").out == "zone example.com is deleted\n"
    service.will(NAMED, page())
    assert run("zone", "show", "example.com").code == 5
    service.will(NAMED, page(ZONE, {**ZONE, "id": 8}))
    several = run("zone", "show", "example.com")
    assert (several.code, "by its number: 7, 8" in several.err) == (1, True)


def test_all_zones_are_listed_and_read_again(run: Run, service: Service) -> None:
    service.will(f"GET {PATH}?limit=500", page(ZONE, {**ZONE, "id": 8, "missing_since": "2026-11-29T08:00:00Z"}))
    synced = {"zones": 3, "domains": 3, "foreign": ["x.example"], "problems": [{"credential_id": 2, "detail": "no"}]}
    service.will(f"POST {PATH}/sync", synced)

    listed, read = run("zone", "list"), run("zone", "sync")

    assert "gone at the provider" in listed.out
    assert read.out == "read: 3 zones, 3 domains\n  x.example is another account's\n  key 2: no\n"


def test_settings_are_shown_and_set_as_text_or_as_what_they_are(run: Run, service: Service) -> None:
    service.will(f"GET {PATH}/7/settings", {"settings": {"ssl": "full"}})
    service.will(f"PATCH {PATH}/7/settings", {"settings": {"ssl": "strict"}, "refused": {"polish": "Not allowed"}})

    shown = run("zone", "settings", "7")
    done = run("zone", "set", "7", "ssl=strict", "browser_cache_ttl=60", "polish=lossy")
    wrong = run("zone", "set", "7", "ssl")

    assert "ssl" in shown.out
    assert (done.code, done.out) == (1, "ssl: strict\npolish: refused, Not allowed\n")
    assert service.asked[-1][1] == {"settings": {"ssl": "strict", "browser_cache_ttl": 60, "polish": "lossy"}}
    assert wrong.code == 1


def test_a_cache_is_emptied_wholly_or_by_urls(run: Run, service: Service) -> None:
    service.will(f"POST {PATH}/7/purge", None, 204)

    assert run("zone", "purge", "7").out == "everything: out of the cache\n"
    assert run("zone", "purge", "7", "https://example.com/a.css").code == 0
    assert [body for _, body in service.asked] == [{}, {"files": ["https://example.com/a.css"]}]


def test_records_are_listed_added_set_and_deleted(run: Run, service: Service) -> None:
    service.will(NAMED, page(ZONE))
    service.will(f"GET {RECORDS}", page(RECORD))
    service.will(f"POST {RECORDS}", RECORD, 201)
    service.will(f"PATCH {RECORDS}/{RECORD['id']}", RECORD)
    service.will(f"DELETE {RECORDS}/{RECORD['id']}", None, 204)

    assert run("record", "list", "example.com", "--json").json == [RECORD]
    added = run("record", "add", "7", "a", "www", "192.0.2.1", "ttl=300", "proxied=true", "comment=1")
    assert added.out == f"record {RECORD['id']}: www.example.com 300 A 192.0.2.1, through the proxy\n"
    assert service.asked[-1][1] == {
        "type": "A",
        "name": "www",
        "content": "192.0.2.1",
        "ttl": 300,
        "proxied": True,
        "comment": "1",
    }
    assert run("record", "set", "7", RECORD["id"], "content=1", "ttl=60").code == 0
    assert service.asked[-1][1] == {"content": "1", "ttl": 60}
    assert run("record", "rm", "7", RECORD["id"], "--yes").code == 0


def test_a_zone_file_goes_out_and_in(run: Run, service: Service, tmp_path: Path) -> None:
    file = tmp_path / "zone.txt"
    zone_file = "www.example.com.\t300\tIN\tA\t192.0.2.1\n"
    service.will(f"GET {RECORDS}/export", {"zone_file": zone_file})
    service.will(f"POST {RECORDS}/import", {"added": 1, "parsed": 2})

    assert run("record", "export", "7").out == zone_file
    assert run("record", "export", "7", str(file)).code == 0
    assert run("record", "export", "7", str(file)).code == 1
    assert run("record", "import", "7", str(file), "--proxied").out == "1 of 2 records are added\n"
    assert service.asked[-1][1] == {"zone_file": zone_file, "proxied": True}
    assert run("record", "import", "7", str(tmp_path / "none")).code == 3
