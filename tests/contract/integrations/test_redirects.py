"""The endpoints of a zone's redirects."""

import copy
from typing import Any

import pytest

from keystead.access.permissions import Permission
from tests.contract.integrations.conftest import Wire
from tests.contract.integrations.test_cloudflare_init import failure
from tests.contract.integrations.test_zones import made, told
from tests.support.standins.server import Fate

WWW = {"host": "www.new.example", "target_url": "https://new.example", "preserve_path": True}


@pytest.fixture
async def redirects(wire: Wire) -> str:
    """Return the path of a new zone's redirects."""
    await wire.connect()
    return f"/zones/{(await made(wire))['id']}/redirects"


async def test_redirects_are_set_changed_listed_and_deleted_and_others_are_left(wire: Wire, redirects: str) -> None:
    [zone] = wire.remote.zones
    foreign = copy.deepcopy(wire.remote.add_foreign_rule(zone))
    owner = wire.owner

    first = (await owner.post(redirects, json=WWW)).json()["redirect"]
    again = (await owner.post(redirects, json={**WWW, "status_code": 308})).json()["redirect"]
    listed = await owner.get(redirects)
    deleted = await owner.delete(f"{redirects}/{first['id']}")
    refused = [await owner.delete(f"{redirects}/{ident}") for ident in (first["id"], foreign["ref"], "x")]

    assert first == {
        "id": first["id"],
        "source": "www.new.example/*",
        "host": "www.new.example",
        "path": "/*",
        "target_url": "https://new.example",
        "status_code": 301,
        "preserve_query_string": True,
        "preserve_path": True,
        "enabled": True,
    }
    assert told(listed) == (200, {"ok": True, "redirects": [{**first, "status_code": 308}], "foreign": 1})
    assert again == {**first, "status_code": 308}
    assert told(deleted) == (200, {"ok": True})
    assert {(answer.status_code, answer.json()["error"]) for answer in refused} == {(404, "redirect_not_found")}
    assert wire.remote.rules(zone) == [foreign]
    records = await wire.instance.records(verb="vault.redirect.set")
    assert [record.facts["is_new"] for record in records] == [True, False]


WRONG: list[tuple[Any, dict[str, Any]]] = [
    ([], failure("invalid_json")),
    ({"target_url": "https://x.org"}, failure("host_required")),
    ({"host": "new.example"}, failure("target_url_required")),
    ({**WWW, "preserve_path": 1}, failure("invalid_redirect", fields=["preserve_path"])),
    ({**WWW, "target_url": "ftp://x.org"}, failure("invalid_redirect", fields=["target_url"])),
    ({**WWW, "status_code": 300}, failure("invalid_redirect", fields=["status_code"])),
    ({**WWW, "path": "old"}, failure("invalid_redirect", fields=["path"])),
    ({**WWW, "host": "other.example"}, failure("invalid_redirect", fields=["host"])),
]


async def test_what_cannot_be_a_redirect_changes_nothing(wire: Wire, redirects: str) -> None:
    answers = [await wire.owner.post(redirects, json=body) for body, _ in WRONG]

    assert {answer.status_code for answer in answers} == {400}
    assert [{**answer.json(), "message": None} for answer in answers] == [
        {**error, "message": None} for _, error in WRONG
    ]
    assert not wire.remote.asked("POST", "/rulesets")


async def test_a_zone_that_is_not_there_has_no_redirects(wire: Wire, redirects: str) -> None:
    wire.remote.zones.clear()

    gone = await wire.owner.get(redirects)
    nobody = await wire.owner.get("/zones/77/redirects")

    assert (gone.status_code, gone.json()["error"]) == (404, "zone_not_found")
    assert told(nobody)[0] == 404


async def test_a_reader_sets_nothing_and_a_lost_answer_makes_no_second_rule(wire: Wire, redirects: str) -> None:
    reader = await wire.instance.caller(Permission.VAULT_READ)
    wire.remote.fault("POST", "/rulesets", Fate.LOSE_ANSWER)

    refused = await reader.post(redirects, json=WWW)
    answer = await wire.owner.post(redirects, json=WWW)

    assert (refused.status_code, refused.json()["error"]) == (403, "owner_required")
    assert answer.status_code == 200
    [zone] = wire.remote.zones
    assert len(wire.remote.rules(zone)) == 1
