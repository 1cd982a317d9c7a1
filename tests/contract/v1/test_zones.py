"""Zones and DNS records over the native API."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keystead.access.permissions import Permission
from keystead.db.session import Database
from tests.support.instance import InProcess, in_process
from tests.support.standins.cloudflare import MINE, Cloudflare, cloudflare

ZONES = "/v1/zones"
NOBODY = "0123456789abcdef0123456789abcdef"
A = {"type": "A", "name": "www", "content": "192.0.2.1"}


@dataclass
class Hosted:
    """An instance with a connected Cloudflare and a new zone."""

    instance: InProcess
    remote: Cloudflare
    zone: dict[str, Any]

    @property
    def path(self) -> str:
        return f"{ZONES}/{self.zone['id']}"

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.instance.operator.request(method, f"{self.path}{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def remote() -> Iterator[Cloudflare]:
    with cloudflare() as standin:
        yield standin


@pytest.fixture
async def hosted(database: Database, tmp_path: Path, remote: Cloudflare) -> AsyncIterator[Hosted]:
    async with in_process(database, tmp_path, provider_cloudflare_url=remote.url) as instance:
        owner = await instance.caller()
        body = {"cf_account_id": MINE, "bootstrap_token": remote.bootstrap().value}
        assert (await owner.post("/integrations/cloudflare/init", json=body)).status_code == 200
        made = await instance.operator.post(ZONES, json={"name": "New.example"})
        assert made.status_code == 201, made.text
        yield Hosted(instance, remote, made.json())


async def test_a_record_changed_elsewhere_is_named_found_in_the_table_and_accepted(hosted: Hosted) -> None:
    made = await hosted.ask("POST", "/records", A)
    never = await hosted.ask("GET", "/drift")
    first = await hosted.ask("POST", "/compare")
    hosted.remote.records[hosted.zone["remote_id"]][made["id"]]["content"] = "198.51.100.7"

    found = await hosted.ask("POST", "/compare")
    viewer = await hosted.instance.caller(Permission.VAULT_READ)
    shown = await viewer.get(f"{hosted.path}/drift")
    refused = await viewer.post(f"{hosted.path}/accept")
    accepted = await hosted.ask("POST", "/accept")
    [listed] = (await hosted.instance.operator.get("/v1/domains?q=new")).json()["items"]

    assert (never["seen_at"], first["records"], first["zone"]) == (None, None, "new.example")
    assert found["records"] == {
        "expected": ["A www.new.example: 192.0.2.1"],
        "seen": ["changed: A www.new.example: 198.51.100.7"],
    }
    assert (shown.json(), refused.status_code) == (found, 403)
    assert (accepted["records"], accepted["problem"]) == (None, None)
    assert listed["redirects"] == {"ours": [], "foreign": 0}


async def test_zones_are_made_found_checked_and_deleted(hosted: Hosted) -> None:
    operator, path = hosted.instance.operator, hosted.path
    hosted.remote.add_zones(2)

    again = await operator.post(ZONES, json={"name": "new.example", "credential_id": 1})
    wrong = await operator.post(ZONES, json={"name": "a b"})
    synced = (await operator.post(f"{ZONES}/sync", json={})).json()
    first = (await operator.get(f"{ZONES}?limit=2")).json()
    rest = (await operator.get(f"{ZONES}?limit=2&after={first['next']}")).json()
    named = (await operator.get(f"{ZONES}?name=NEW.example")).json()["items"]
    hosted.remote.zones[hosted.zone["remote_id"]]["status"] = "active"
    checked = await hosted.ask("POST", "/check")
    looked = await hosted.ask("POST", "/sync")
    deleted = await operator.delete(path)

    assert (hosted.zone["status"], hosted.zone["name_servers"]) == (
        "pending",
        ["bob.ns.cloudflare.com", "lola.ns.cloudflare.com"],
    )
    assert hosted.zone["check_at"] is not None
    assert (again.status_code, again.json()["code"]) == (409, "already_there")
    assert again.json()["detail"].endswith("new.example already exists")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "domain")
    assert synced == {"zones": 3, "domains": 3, "foreign": [], "problems": []}
    assert [one["name"] for one in (*first["items"], *rest["items"])] == [
        "new.example",
        "site-0000.example.com",
        "site-0001.example.com",
    ]
    assert [one["id"] for one in named] == [hosted.zone["id"]]
    assert (checked["status"], checked["check_at"], looked["status"]) == ("active", None, "active")
    assert deleted.status_code == 204
    assert (await operator.get(path)).json()["code"] == "zone_not_found"


async def test_records_are_changed_one_by_one_and_together(hosted: Hosted) -> None:
    operator, records = hosted.instance.operator, f"{hosted.path}/records"

    made = await hosted.ask("POST", "/records", {**A, "proxied": True})
    changed = await hosted.ask("PATCH", f"/records/{made['id']}", {"content": "192.0.2.2"})
    refused = [
        await operator.post(records, json={**A, "content": "192.0.2.2"}),
        await operator.patch(f"{records}/{NOBODY}", json={"ttl": 60}),
        await operator.patch(f"{records}/{NOBODY}", json={}),
        await operator.delete(f"{records}/{NOBODY}"),
        await operator.post(f"{records}/batch", json={}),
        await operator.delete(f"{records}/not-an-id"),
    ]
    whole = await hosted.ask(
        "POST",
        "/records/batch",
        {"create": [{**A, "name": "two"}], "update": [{"id": made["id"], "ttl": 60}]},
    )
    some = await hosted.ask("POST", "/records/batch", {"delete": [made["id"], NOBODY]})
    listed = (await hosted.ask("GET", "/records"))["items"]

    assert (made["name"], made["ttl"], made["proxied"]) == ("www.new.example", 1, True)
    assert changed["content"] == "192.0.2.2"
    assert [answer.status_code for answer in refused] == [409, 404, 422, 404, 422, 422]
    assert [(one["action"], one["detail"]) for one in whole["items"]] == [("update", None), ("create", None)]
    assert whole["items"][0]["record"]["ttl"] == 60
    assert (some["failed"], [one["detail"] is None for one in some["items"]]) == (1, [True, False])
    assert [one["name"] for one in listed] == ["two.new.example"]


async def test_zone_files_settings_and_caches(hosted: Hosted) -> None:
    operator, path = hosted.instance.operator, hosted.path
    zone_file = "www.new.example.\t300\tIN\tA\t192.0.2.1\n"

    imported = await hosted.ask("POST", "/records/import", {"zone_file": zone_file, "proxied": True})
    exported = (await hosted.ask("GET", "/records/export"))["zone_file"]
    set_ = await hosted.ask("PATCH", "/settings", {"settings": {"ssl": "strict", "polish": "lossy"}})
    shown = (await hosted.ask("GET", "/settings"))["settings"]
    refused = await operator.patch(f"{path}/settings", json={"settings": {"polish": "lossy"}})
    wrong = await operator.patch(f"{path}/settings", json={"settings": {"../x": "on"}})
    await hosted.ask("POST", "/purge", {})
    await hosted.ask("POST", "/purge", {"files": ["https://new.example/a.css"]})

    assert imported == {"added": 1, "parsed": 1}
    assert zone_file in exported
    assert set_ == {"settings": {"ssl": "strict"}, "refused": {"polish": "Not allowed to edit setting for polish"}}
    assert shown["ssl"] == "strict"
    assert (refused.status_code, refused.json()["code"]) == (502, "provider_rejected")
    assert wrong.status_code == 422
    assert [one.get("files") for one in hosted.remote.purged] == [None, ["https://new.example/a.css"]]


async def test_who_may_only_look_changes_nothing_and_nobody_elses_zone_is_there(hosted: Hosted) -> None:
    reader = await hosted.instance.caller(Permission.VAULT_READ)
    user = await hosted.instance.caller(Permission.VAULT_READ, Permission.VAULT_USE)

    assert (await reader.get(hosted.path)).status_code == 200
    assert (await reader.get(f"{hosted.path}/records")).status_code == 403
    assert (await reader.delete(hosted.path)).status_code == 403
    assert (await user.post(f"{hosted.path}/records", json=A)).status_code == 201
    assert (await user.get(f"{ZONES}/99/records")).status_code == 404
