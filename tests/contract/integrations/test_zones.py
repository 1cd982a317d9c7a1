"""The endpoints of zones and domains: what was seen, what is made, and every failure in this wire's words."""

from typing import Any
from unittest.mock import ANY

import httpx2
import pytest

from keystead.access.permissions import Permission
from keystead.kit.errors import StorageFailed
from keystead.vault import zones as vault_zones
from tests.contract.integrations.conftest import Wire
from tests.contract.integrations.test_cloudflare_init import account_of_another, failure
from tests.contract.integrations.test_namecheap import end
from tests.support.standins.cloudflare import OTHER
from tests.support.standins.server import Fate

FIELDS = [
    "id",
    "account_id",
    "key_id",
    "cf_zone_id",
    "root_domain",
    "status",
    "plan",
    "ns_expected",
    "verified",
    "missing_since",
    "last_sync_at",
]
NOT_FOUND = failure("zone_not_found")


def told(answer: httpx2.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


def words(code: int, message: str) -> dict[str, Any]:
    return {"context": {"code": code, "message": message, "cf_code": code, "cf_message": message}}


async def zones(wire: Wire, query: str = "") -> list[dict[str, Any]]:
    answer = await wire.owner.get(f"/zones{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["zones"]  # type: ignore[no-any-return]


async def made(wire: Wire, name: str = "new.example") -> dict[str, Any]:
    answer = await wire.owner.post("/zones", json={"root_domain": name})
    assert answer.status_code == 200, answer.text
    return answer.json()["zone"]  # type: ignore[no-any-return]


async def test_zones_and_domains_are_listed_by_name_over_all_pages(wire: Wire) -> None:
    wire.remote.add_zones(120)
    wire.remote.add_zones(1, account_id=OTHER)
    await wire.connect()

    listed = await zones(wire)
    domains = (await wire.owner.get("/domains")).json()["domains"]

    assert [one["root_domain"] for one in listed] == [f"site-{number:04d}.example.com" for number in range(120)]
    assert {tuple(one) for one in listed} == {tuple(FIELDS)}
    assert (listed[0]["status"], listed[0]["verified"], listed[0]["plan"]) == ("active", True, "free")
    assert listed[0]["ns_expected"] == "bob.ns.cloudflare.com,lola.ns.cloudflare.com"
    assert [await zones(wire, query) for query in ("?status=pending", "?key_id=2")] == [[], []]
    assert len(await zones(wire, "?status=active&key_id=1")) == 120
    assert (await wire.owner.get(f"/zones/{listed[0]['id']}")).json()["zone"] == listed[0]
    assert {(one["role"], one["blocked"], one["key_id"]) for one in domains} == {("reserve", False, 1)}
    assert len(domains) == 120


async def test_a_zone_is_made_checked_looked_at_and_deleted(wire: Wire) -> None:
    await wire.connect()

    zone = await made(wire, "Пример.example")
    path = f"/zones/{zone['id']}"
    again = await wire.owner.post("/zones", json={"root_domain": "xn--e1afmkfd.example", "key_id": 1})
    wire.remote.zones[zone["cf_zone_id"]]["status"] = "active"
    checked = await wire.owner.post(f"{path}/check-activation")
    wire.remote.zones[zone["cf_zone_id"]]["status"] = "moved"
    looked = await wire.owner.post(f"{path}/sync")
    deleted = await wire.owner.delete(path)

    assert (zone["root_domain"], zone["status"], zone["verified"]) == ("xn--e1afmkfd.example", "pending", False)
    exists = words(1061, "xn--e1afmkfd.example already exists")
    assert told(again) == (409, failure("zone_already_exists", **exists))
    assert checked.json()["zone"]["status"] == "active"
    assert looked.json()["zone"]["status"] == "error"
    assert told(deleted) == (200, {"ok": True})
    assert told(await wire.owner.get(path)) == (404, NOT_FOUND)
    assert wire.remote.zones == {}
    [domain] = (await wire.owner.get("/domains")).json()["domains"]
    assert (domain["domain_name"], domain["zone_id"]) == ("xn--e1afmkfd.example", None)
    intents = [record.facts["change"] for record in await wire.instance.records(verb="vault.intent")]
    assert sorted(intents) == ["zone.check", "zone.create", "zone.create", "zone.remove"]
    [refused] = await wire.instance.records(verb="vault.intent.fail")
    assert refused.facts == {"change": "zone.create", "reason": "already_there", "may_have_landed": False}


async def test_a_zone_whose_answer_was_lost_is_there_once(wire: Wire) -> None:
    await wire.connect()
    wire.remote.fault("POST", "/zones", Fate.LOSE_ANSWER)

    zone = await made(wire)

    assert list(wire.remote.zones) == [zone["cf_zone_id"]]
    assert len(wire.remote.asked("POST", "/zones")) == 1


async def test_a_zone_that_is_gone_is_said_to_be(wire: Wire) -> None:
    await wire.connect()
    zone = await made(wire)
    wire.remote.zones.clear()
    path = f"/zones/{zone['id']}"

    looked = (await wire.owner.post(f"{path}/sync")).json()["zone"]
    refused = [
        await wire.owner.post(f"{path}/check-activation"),
        await wire.owner.get(f"{path}/settings"),
        await wire.owner.get(f"{path}/dns"),
    ]

    assert looked["missing_since"].endswith("Z")
    assert {(answer.status_code, answer.json()["error"]) for answer in refused} == {(404, "zone_not_found")}
    assert told(await wire.owner.delete(path)) == (200, {"ok": True})


async def test_zones_are_read_again_with_an_empty_body(wire: Wire) -> None:
    await wire.connect()
    wire.remote.add_zones(3)
    wire.remote.add_zones(1, account_id=OTHER)

    everything = await wire.owner.post("/zones/sync")
    one_key = await wire.owner.post("/zones/sync", json={"key_id": 1})
    unknown = await wire.owner.post("/zones/sync", json={"key_id": 7})
    wire.remote.fault("GET", "/zones", Fate.REFUSE, status=429, headers={"Retry-After": "90"})
    limited = await wire.owner.post("/zones/sync")
    blocked = await wire.owner.post("/zones/sync", json={"key_id": 1})

    assert told(everything) == told(one_key) == (200, {"ok": True, "zones_synced": 3, "domains_synced": 3})
    assert told(unknown) == (404, failure("key_not_found"))
    assert limited.json() == {"ok": True, "zones_synced": 0, "domains_synced": 0, "errors": ["key 1: cf_unavailable"]}
    assert (blocked.status_code, blocked.json()["error"], blocked.json()["recoverable"]) == (
        503,
        "cf_unavailable",
        True,
    )
    assert blocked.headers["retry-after"] == "90"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "domain_required"),
        ({"root_domain": " "}, "domain_required"),
        ({"root_domain": "a b"}, "invalid_domain"),
        ({"root_domain": "new.example", "key_id": "x"}, "key_id_required"),
        ({"root_domain": "new.example"}, "key_id_required"),
        ([], "invalid_json"),
    ],
)
async def test_what_makes_no_zone_is_said_in_a_word(wire: Wire, body: Any, error: str) -> None:
    answer = await wire.owner.post("/zones", json=body)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert wire.remote.came == []


async def test_several_roots_are_made_and_each_says_how_it_went(wire: Wire) -> None:
    await wire.connect()
    await made(wire, "old.example")

    answer = await wire.owner.post("/domains/zones/batch", json={"domains": ["one.example", "old.example", "a b"]})
    many = await wire.owner.post("/domains/zones/batch", json={"domains": ["x.example"] * 11})
    none = await wire.owner.post("/domains/zones/batch", json={"domains": []})

    body = answer.json()
    assert (body["ok"], body["succeeded"], body["failed"]) == (False, 1, 2)
    assert [one.get("error") for one in body["results"]] == [None, "zone_already_exists", "invalid_domain"]
    assert body["results"][0]["zone"]["root_domain"] == "one.example"
    assert told(many) == (400, failure("too_many_domains", context={"limit": 10}))
    assert told(none) == (400, failure("domains_required"))


async def test_several_domains_are_written_down_and_each_says_how_it_went(wire: Wire) -> None:
    first = await wire.owner.post("/domains/batch", json={"domains": ["One.example", {"domain_name": "two.example"}]})
    again = await wire.owner.post("/domains/batch", json={"domains": ["one.example", "a b"]})
    many = await wire.owner.post("/domains/batch", json={"domains": ["x.example"] * 11})
    wrong = [await wire.owner.post("/domains/batch", json={"domains": one}) for one in ([], "x.example", [{}], [7])]
    listed = (await wire.owner.get("/domains")).json()["domains"]

    assert (first.status_code, [one["added"] for one in first.json()["results"]]) == (200, [True, True])
    body = again.json()
    assert (body["ok"], body["succeeded"], body["failed"], body["results"][0]["added"]) == (False, 1, 1, False)
    assert (body["results"][1]["domain"], body["results"][1]["error"]) == ("a b", "invalid_domain")
    assert told(many) == (400, failure("too_many_domains", context={"limit": 10}))
    words_of = [one.json()["error"] for one in wrong]
    assert words_of == ["domains_required", "domains_required", "domain_required", "domains_required"]
    assert sorted(one["domain_name"] for one in listed) == ["one.example", "two.example"]
    assert wire.remote.came == []


async def test_settings_are_shown_set_and_refused_each_by_itself(wire: Wire) -> None:
    await wire.connect()
    path = f"/zones/{(await made(wire))['id']}/settings"

    shown = (await wire.owner.get(path)).json()
    done = await wire.owner.patch(path, json={"ssl": "strict", "always_use_https": "on"})
    some = await wire.owner.patch(path, json={"settings": {"brotli": "off", "polish": "lossy"}})
    refused = await wire.owner.patch(path, json={"polish": "lossy"})
    empty = await wire.owner.patch(path, json={})
    wrong = await wire.owner.patch(path, json={"../ssl": "on"})

    assert (shown["settings"]["ssl"], shown["read_only"]) == ("full", ["advanced_ddos", "polish"])
    assert told(done) == (200, {"ok": True, "settings": {"ssl": "strict", "always_use_https": "on"}})
    reason = words(1006, "Not allowed to edit setting for polish")
    error = {"error": "cf_rejected", "recoverable": False, **reason}
    assert some.json() == {"ok": False, "settings": {"brotli": "off"}, "errors": {"polish": error}}
    assert told(refused) == (400, failure("cf_rejected", **reason))
    assert told(empty) == (400, failure("settings_required"))
    assert told(wrong) == (400, failure("invalid_settings", fields=["../ssl"]))


async def test_settings_after_a_silence_are_not_asked_for(wire: Wire) -> None:
    await wire.connect()
    path = f"/zones/{(await made(wire))['id']}/settings"
    wire.remote.fault("PATCH", "/settings/brotli", Fate.REFUSE, times=3, status=502)

    answer = await wire.owner.patch(path, json={"ssl": "strict", "brotli": "off", "always_use_https": "on"})

    silent = {"error": "cf_unavailable", "recoverable": True, "message": ANY}
    assert answer.json() == {
        "ok": False,
        "settings": {"ssl": "strict"},
        "errors": {"brotli": silent, "always_use_https": silent},
    }
    assert wire.remote.asked("PATCH", "/settings/always_use_https") == []


async def test_a_zone_that_could_not_be_written_down_may_be_there(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    await wire.connect()

    def fail(*_: object) -> bool:
        raise StorageFailed("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(vault_zones, "_put", fail)  # nothing else makes the database refuse this one row
        refused = await wire.owner.post("/zones", json={"root_domain": "new.example"})
    synced = await wire.owner.post("/zones/sync")

    assert (refused.status_code, refused.json()["error"]) == (500, "storage_failed")
    [record] = await wire.instance.records(verb="vault.intent.fail")
    assert record.facts["may_have_landed"] is True
    assert synced.json()["zones_synced"] == 1


async def test_a_cache_is_emptied_wholly_or_by_urls(wire: Wire) -> None:
    await wire.connect()
    path = f"/zones/{(await made(wire))['id']}/purge-cache"

    answers = [
        await wire.owner.post(path),
        await wire.owner.post(path, json={"purge_everything": True}),
        await wire.owner.post(path, json={"files": ["https://new.example/a.css"]}),
    ]
    wrong = await wire.owner.post(path, json={"files": [7]})
    many = await wire.owner.post(path, json={"files": ["https://new.example/"] * 501})

    assert [told(answer) for answer in answers] == [(200, {"ok": True})] * 3
    assert [one.get("files") for one in wire.remote.purged] == [None, None, ["https://new.example/a.css"]]
    assert told(wrong) == (400, failure("invalid_files"))
    assert told(many) == (400, failure("too_many_files", context={"limit": 500}))


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"purge_everything": False}, "files_required"),
        ({"hosts": ["www.new.example"]}, "files_required"),
        ({"files": None}, "files_required"),
        ({"purge_everything": "no"}, "invalid_purge_everything"),
        ({"purge_everything": True, "files": ["https://new.example/"]}, "invalid_files"),
    ],
)
async def test_a_cache_is_not_emptied_by_a_body_that_does_not_say_so(
    wire: Wire, given: dict[str, Any], error: str
) -> None:
    await wire.connect()

    answer = await wire.owner.post(f"/zones/{(await made(wire))['id']}/purge-cache", json=given)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert wire.remote.purged == []


@pytest.mark.parametrize("given", [[], "ssl", 7, None])
async def test_settings_are_an_object(wire: Wire, given: object) -> None:
    await wire.connect()
    asked = len(wire.remote.came)

    answer = await wire.owner.patch(f"/zones/{(await made(wire))['id']}/settings", json={"settings": given})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_settings")
    assert [came.method for came in wire.remote.came[asked:]] == ["POST"]


@pytest.mark.parametrize(("status", "error"), [("revoked", "key_revoked"), ("expired", "key_expired")])
async def test_a_key_that_is_not_active_asks_nothing(wire: Wire, status: str, error: str) -> None:
    await wire.connect()
    path = f"/zones/{(await made(wire))['id']}"
    if status == "revoked":
        await wire.owner.patch("/integrations/keys/1", json={"status": "revoked"})
    else:
        await end(wire)
    asked = len(wire.remote.came)

    answers = [
        await wire.owner.get(f"{path}/dns"),
        await wire.owner.post(f"{path}/sync"),
        await wire.owner.delete(path),
    ]

    assert [told(answer) for answer in answers] == [(400, failure(error))] * 3
    assert len(wire.remote.came) == asked


ROUTES = [
    ("GET", "", None),
    ("DELETE", "", None),
    ("POST", "/sync", None),
    ("POST", "/check-activation", None),
    ("GET", "/dns", None),
    ("POST", "/dns", {"type": "A", "name": "www", "content": "192.0.2.1"}),
    ("PATCH", "/dns/0123456789abcdef0123456789abcdef", {"content": "192.0.2.1"}),
    ("DELETE", "/dns/0123456789abcdef0123456789abcdef", None),
    ("POST", "/dns/batch", {"operations": [{"action": "delete", "id": "0123456789abcdef0123456789abcdef"}]}),
    ("GET", "/settings", None),
    ("PATCH", "/settings", {"ssl": "full"}),
    ("POST", "/purge-cache", None),
]


async def test_another_accounts_zones_are_no_more_there_than_those_of_nobody(wire: Wire) -> None:
    await wire.connect()
    zone = await made(wire)
    other = await account_of_another(wire)
    asked = len(wire.remote.came)

    for method, path, body in ROUTES:
        for ident in (zone["id"], 99, "x", 2**63):
            answer = await other.request(method, f"/zones/{ident}{path}", json=body)
            assert told(answer) == (404, NOT_FOUND), (method, path, ident)
    for path, named in (("/zones", {"root_domain": "x.example"}), ("/zones/sync", {})):
        answer = await other.post(path, json={"key_id": zone["key_id"], **named})
        assert told(answer) == (404, failure("key_not_found"))
    batch = await other.post("/domains/zones/batch", json={"domains": ["x.example"], "key_id": zone["key_id"]})

    assert batch.json()["results"][0]["error"] == "key_not_found"
    assert [(await other.get(path)).json() for path in ("/zones", "/domains")] == [
        {"ok": True, "zones": []},
        {"ok": True, "domains": []},
    ]
    assert len(wire.remote.came) == asked


async def test_who_is_nobody_is_told_to_sign_in_and_who_may_not_that_owners_may(wire: Wire) -> None:
    stranger = wire.instance.stranger()
    viewer = await wire.instance.caller(Permission.VAULT_READ)
    everything = [(method, f"/zones/1{path}") for method, path, _ in ROUTES]
    everything += [("GET", "/zones"), ("POST", "/zones"), ("POST", "/zones/sync")]
    everything += [("GET", "/domains"), ("POST", "/domains/batch"), ("POST", "/domains/zones/batch")]

    for method, path in everything:
        answer = await stranger.request(method, path, json=None if method in ("GET", "DELETE") else {})
        assert told(answer) == (401, failure("unauthorized", reason="token_missing")), (method, path)
        assert answer.headers["www-authenticate"] == "Bearer"
    wrong = await stranger.get("/zones", headers={"authorization": "Bearer nobody"})
    refused = await viewer.post("/zones", json={"root_domain": "x.example"})

    assert told(wrong) == (401, failure("unauthorized", reason="token_invalid"))
    assert told(refused) == (403, failure("owner_required", reason="role"))
    assert (await viewer.get("/zones")).status_code == 200
