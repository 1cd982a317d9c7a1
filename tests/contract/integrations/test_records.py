"""The endpoints of DNS records: one and many, and what of many fails."""

from typing import Any
from unittest.mock import ANY

import pytest

from tests.contract.integrations.conftest import Wire
from tests.contract.integrations.test_cloudflare_init import failure
from tests.contract.integrations.test_zones import made, told, words
from tests.support.standins.server import Fate

NOBODY = "0123456789abcdef0123456789abcdef"
GONE = words(81044, "Record does not exist.")
A = {"type": "A", "name": "www", "content": "192.0.2.1"}


@pytest.fixture
async def dns(wire: Wire) -> str:
    """Return the path of a new zone's records."""
    await wire.connect()
    return f"/zones/{(await made(wire))['id']}/dns"


async def test_records_are_made_changed_listed_and_deleted(wire: Wire, dns: str) -> None:
    created = await wire.owner.post(dns, json={**A, "proxied": True})
    record = created.json()["record"]
    again = await wire.owner.post(dns, json=A)
    changed = await wire.owner.patch(f"{dns}/{record['id']}", json={"content": "192.0.2.2"})
    listed = (await wire.owner.get(dns)).json()["records"]
    deleted = await wire.owner.delete(f"{dns}/{record['id']}")
    refused = [
        await wire.owner.delete(f"{dns}/{record['id']}"),
        await wire.owner.patch(f"{dns}/{NOBODY}", json={"ttl": 60}),
        await wire.owner.delete(f"{dns}/..%2f"),
    ]

    assert (record["name"], record["proxied"], record["ttl"]) == ("www.new.example", True, 1)
    exists = words(81058, "An identical record already exists.")
    assert told(again) == (409, failure("record_already_exists", **exists))
    assert changed.json()["record"]["content"] == "192.0.2.2"
    assert [one["id"] for one in listed] == [record["id"]]
    assert told(deleted) == (200, {"ok": True})
    assert {(answer.status_code, answer.json()["error"]) for answer in refused[:2]} == {(404, "record_not_found")}
    assert refused[2].status_code == 404
    changes = await wire.instance.records(verb="vault.records.change")
    assert [record.facts["changes"][0]["action"] for record in changes] == ["create", "update", "delete"]
    assert "192.0.2.1" not in str([record.facts for record in changes])


@pytest.mark.parametrize(
    ("method", "path", "body", "error"),
    [
        ("POST", "", {"name": "www"}, failure("record_type_required")),
        ("POST", "", {"type": "A"}, failure("record_name_required")),
        ("POST", "", [], failure("invalid_json")),
        ("PATCH", f"/{NOBODY}", {"id": "x"}, failure("nothing_to_change")),
        ("POST", "/batch", {}, failure("operations_required")),
        ("POST", "/batch", {"operations": [{"action": "drop"}]}, failure("invalid_action", index=0)),
        ("POST", "/batch", {"operations": [{"action": "delete"}]}, failure("record_id_required", index=0)),
        (
            "POST",
            "/batch",
            {"operations": [{"action": "create", "record": A}, {"action": "create", "record": {}}]},
            failure("record_type_required", index=1),
        ),
        (
            "POST",
            "/batch",
            {"operations": [{"action": "delete", "id": NOBODY}] * 101},
            failure("too_many_operations", context={"limit": 100}),
        ),
    ],
)
async def test_what_cannot_be_read_changes_nothing(
    wire: Wire, method: str, path: str, body: Any, error: dict[str, Any]
) -> None:
    answer = await wire.owner.request(method, f"/zones/1/dns{path}", json=body)

    assert told(answer) == (400, error)


async def test_many_changes_go_as_one_request_and_say_each_how_they_went(wire: Wire, dns: str) -> None:
    first, second = [
        (await wire.owner.post(dns, json={**A, "name": name})).json()["record"]["id"] for name in ("one", "two")
    ]
    operations = [
        {"action": "create", "record": {**A, "name": "three"}},
        {"action": "update", "id": first, "record": {"content": "192.0.2.9"}},
        {"action": "delete", "id": second},
    ]

    answer = (await wire.owner.post(f"{dns}/batch", json={"operations": operations})).json()

    assert (answer["ok"], answer["succeeded"], answer["failed"]) == (True, 3, 0)
    assert [one["action"] for one in answer["results"]] == ["create", "update", "delete"]
    assert [one["record"]["name"] for one in answer["results"]] == [f"{n}.new.example" for n in ("three", "one", "two")]
    assert len(wire.remote.asked("POST", "/batch")) == 1
    assert len(wire.remote.asked("POST", "/dns_records")) == 2


async def test_of_many_changes_those_that_can_be_made_are_made(wire: Wire, dns: str) -> None:
    operations = [
        {"action": "create", "record": A},
        {"action": "delete", "id": NOBODY},
        {"action": "update", "id": NOBODY, "record": {"ttl": 60}},
    ]

    answer = (await wire.owner.post(f"{dns}/batch", json={"operations": operations})).json()

    gone = {"ok": False, "error": "record_not_found", "recoverable": False}
    assert (answer["ok"], answer["succeeded"], answer["failed"]) == (False, 1, 2)
    assert answer["results"][0]["record"]["content"] == "192.0.2.1"
    assert answer["results"][1].items() >= gone.items()
    assert answer["results"][2] == {"action": "update", "id": NOBODY, **gone, **GONE}


async def test_changes_that_are_not_answered_stop_the_rest(wire: Wire, dns: str) -> None:
    wire.remote.fault("POST", "/dns_records", Fate.REFUSE, status=429, headers={"Retry-After": "60"})
    operations = [{"action": "delete", "id": NOBODY}, {"action": "create", "record": A}]
    operations.append({"action": "create", "record": {**A, "name": "two"}})

    answer = (await wire.owner.post(f"{dns}/batch", json={"operations": operations})).json()

    assert [one["error"] for one in answer["results"]] == ["record_not_found", "cf_unavailable", "cf_unavailable"]
    assert [one["recoverable"] for one in answer["results"]] == [False, True, True]
    assert len(wire.remote.asked("POST", "/dns_records")) == 1
    assert not any(wire.remote.records.values())


async def test_many_changes_whose_answer_was_lost_may_have_been_made(wire: Wire, dns: str) -> None:
    wire.remote.fault("POST", "/batch", Fate.LOSE_ANSWER)

    answer = await wire.owner.post(f"{dns}/batch", json={"operations": [{"action": "create", "record": A}]})

    assert told(answer) == (503, failure("cf_unavailable", recoverable=True, message=ANY))
    [unknown] = await wire.instance.records(verb="vault.intent.fail")
    assert unknown.facts == {
        "change": "records.change",
        "reason": "provider_unavailable",
        "may_have_landed": True,
    }
    assert len(wire.remote.asked("POST", "/batch")) == 1
