"""VPN keys over the native API."""

import asyncio
import base64
import threading
from functools import wraps

import pytest

from keystead.access.permissions import VPN_PERMISSIONS
from keystead.access.work import Work
from keystead.dialects.v1 import schemas, traffic_schemas
from keystead.engines.xray.state import Counters
from keystead.vpn import keys
from keystead.vpn.keyvalue import VpnKey
from keystead.vpn.links import parse_link
from tests.support.instance import InProcess

KEYS = "/v1/vpn/keys"


async def issue(instance: InProcess, **body: object) -> schemas.Key:
    answer = await instance.operator.post(KEYS, json=body)
    assert answer.status_code == 201, answer.text
    return schemas.Key.model_validate_json(answer.content)


async def test_a_key_is_what_was_asked_for(instance: InProcess) -> None:
    key = await issue(instance, name="anna")

    assert (key.number, key.name, key.placement, key.is_active) == (1, "anna", "shared", True)
    assert key.server_name == "site.test"
    assert len(instance.engine.users["shared"]) == 1


async def test_a_create_needs_no_body(instance: InProcess) -> None:
    answer = await instance.operator.post(KEYS)

    assert answer.status_code == 201
    assert answer.json()["name"] is None


async def test_a_key_is_found_by_id_number_and_uuid(instance: InProcess) -> None:
    key = await issue(instance)

    found = [(await instance.operator.get(f"{KEYS}/{ident}")).json() for ident in (key.id, key.number, key.uuid)]

    assert [body["id"] for body in found] == [key.id] * 3


async def test_a_list_is_paged_by_number(instance: InProcess) -> None:
    keys = [await issue(instance, name=str(count)) for count in range(5)]

    names, after = [], 0
    while after is not None:
        answer = await instance.operator.get(KEYS, params={"limit": 2, "after": after})
        page = schemas.KeyList.model_validate_json(answer.content)
        names += [key.name for key in page.items]
        after = page.next

    assert names == [key.name for key in keys]
    assert page.total == 5


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"after": -1}, {"after": 2**63}, {"placement": "moon"}]
)
async def test_a_bad_page_is_refused_by_the_name_of_its_field(instance: InProcess, query: dict[str, object]) -> None:
    answer = await instance.operator.get(KEYS, params=query)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == list(query)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": 7}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"nmae": "anna"}, "nmae"),
        ({"placement": "nowhere"}, "placement"),
        ([], "body"),
    ],
)
async def test_a_bad_body_creates_nothing(instance: InProcess, body: object, field: str) -> None:
    answer = await instance.operator.post(KEYS, json=body)

    assert answer.status_code == 422
    assert field in {error["field"] for error in answer.json()["errors"]}
    assert (await instance.operator.get(KEYS)).json()["total"] == 0


async def test_a_key_is_renamed_and_disabled_at_once(instance: InProcess) -> None:
    key = await issue(instance, name="anna")

    answer = await instance.operator.patch(f"{KEYS}/{key.id}", json={"name": None, "is_active": False})

    changed = schemas.Key.model_validate_json(answer.content)
    assert (changed.name, changed.is_active) == (None, False)
    assert instance.engine.users["shared"] == {}


async def test_what_a_change_leaves_out_stays(instance: InProcess) -> None:
    key = await issue(instance, name="anna")

    answer = await instance.operator.patch(f"{KEYS}/{key.id}", json={})

    assert answer.json() == key.model_dump(mode="json")


async def test_an_enabled_key_is_in_the_engine_again(instance: InProcess) -> None:
    key = await issue(instance)
    await instance.operator.patch(f"{KEYS}/{key.id}", json={"is_active": False})

    answer = await instance.operator.patch(f"{KEYS}/{key.id}", json={"is_active": True})

    assert answer.json()["is_active"] is True
    assert len(instance.engine.users["shared"]) == 1


async def test_a_revoked_key_is_gone(instance: InProcess) -> None:
    key = await issue(instance)

    answer = await instance.operator.delete(f"{KEYS}/{key.id}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await instance.operator.get(f"{KEYS}/{key.id}")).status_code == 404
    assert instance.engine.users["shared"] == {}


async def test_a_reissued_key_keeps_everything_but_its_uuid(instance: InProcess) -> None:
    key = await issue(instance, name="anna")

    answer = await instance.operator.post(f"{KEYS}/{key.id}/reissue")

    after = schemas.Key.model_validate_json(answer.content)
    assert after.uuid != key.uuid
    assert after.model_copy(update={"uuid": key.uuid}) == key
    assert [user.uuid for user in instance.engine.users["shared"].values()] == [after.uuid]


async def test_a_link_holds_the_key(instance: InProcess) -> None:
    key = await issue(instance, name="anna")

    body = schemas.Link.model_validate_json((await instance.operator.get(f"{KEYS}/{key.id}/link")).content)

    link = parse_link(body.link)
    assert (body.id, link.uuid, link.host) == (key.id, key.uuid, "vpn.example.com")


@pytest.mark.parametrize(("form", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
async def test_a_link_is_drawn(instance: InProcess, form: str, begins: bytes) -> None:
    key = await issue(instance)

    answer = await instance.operator.get(f"{KEYS}/{key.id}/qr.{form}")

    assert answer.content.startswith(begins)
    assert answer.headers["content-type"].startswith(f"image/{form}")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_reset_answers_what_it_ended_and_keeps_the_lifetime(instance: InProcess) -> None:
    key = await issue(instance)
    instance.engine.counters[f"k{key.number}-1"] = Counters(3, 4)

    ended = await instance.operator.post(f"{KEYS}/{key.id}/traffic/reset")

    now = await instance.operator.get(f"{KEYS}/{key.id}/traffic")
    figures = (
        traffic_schemas.Traffic.model_validate_json(ended.content),
        traffic_schemas.Traffic.model_validate_json(now.content),
    )
    assert [(usage.upload, usage.download, usage.total) for usage in figures] == [(3, 4, 7), (0, 0, 0)]
    assert figures[1].lifetime_total == figures[1].billed.total == figures[1].live.total == 7
    assert (figures[1].estimated.total, figures[1].quality) == (0, "counted")


async def test_history_adds_up_to_what_is_billed(instance: InProcess) -> None:
    key = await issue(instance)
    instance.engine.counters[f"k{key.number}-1"] = Counters(3, 4)
    await instance.operator.get(f"{KEYS}/{key.id}/traffic")

    by_step = [
        traffic_schemas.TrafficHistory.model_validate_json(
            (await instance.operator.get(f"{KEYS}/{key.id}/traffic/history", params={"step": step})).content
        )
        for step in ("hour", "day")
    ]

    assert [[(item.upload, item.download, item.total) for item in found.items] for found in by_step] == [
        [(3, 4, 7)]
    ] * 2


async def test_history_is_given_as_comma_separated_values(instance: InProcess) -> None:
    key = await issue(instance)
    instance.engine.counters[f"k{key.number}-1"] = Counters(3, 4)
    await instance.operator.get(f"{KEYS}/{key.id}/traffic")

    answer = await instance.operator.get(f"{KEYS}/{key.id}/traffic/history", params={"step": "day", "format": "csv"})

    header, row, rest = answer.text.split("\r\n")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert (header, row.partition("T")[2], rest) == ("start,upload,download,total", "00:00:00Z,3,4,7", "")


@pytest.mark.parametrize(
    "query",
    [
        {"step": "week"},
        {"from": "yesterday"},
        {"from": "2026-03-01T00:00:00"},
        {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
        {"format": "xml"},
    ],
)
async def test_a_history_that_cannot_be_is_refused(instance: InProcess, query: dict[str, str]) -> None:
    key = await issue(instance)

    answer = await instance.operator.get(f"{KEYS}/{key.id}/traffic/history", params=query)

    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_deleted_keys_stay_in_the_total_of_the_account(instance: InProcess) -> None:
    keys = [await issue(instance) for _ in range(2)]
    for key in keys:
        instance.engine.counters[f"k{key.number}-1"] = Counters(3, 4)
        await instance.operator.get(f"{KEYS}/{key.id}/traffic")

    await instance.operator.delete(f"{KEYS}/{keys[0].id}")

    answer = await instance.operator.get("/v1/vpn/traffic")
    found = traffic_schemas.AccountTraffic.model_validate_json(answer.content)
    assert found.deleted is not None
    assert (found.billed.total, found.deleted.keys, found.deleted.billed.total) == (7, 1, 7)


async def test_a_confined_token_is_told_of_its_own_keys_traffic_only(instance: InProcess) -> None:
    key = await issue(instance)
    instance.engine.counters[f"k{key.number}-1"] = Counters(3, 4)
    await instance.operator.get(f"{KEYS}/{key.id}/traffic")
    made = await instance.token(*VPN_PERMISSIONS, is_confined=True)

    answer = await instance.bearer(made.secret.reveal()).get("/v1/vpn/traffic")

    found = traffic_schemas.AccountTraffic.model_validate_json(answer.content)
    assert (found.billed.total, found.deleted) == (0, None)


async def test_a_subscription_is_the_same_until_it_is_replaced(instance: InProcess) -> None:
    key = await issue(instance)
    first = (await instance.operator.get(f"{KEYS}/{key.id}/subscription")).json()["url"]
    again = (await instance.operator.get(f"{KEYS}/{key.id}/subscription")).json()["url"]

    replaced = (await instance.operator.post(f"{KEYS}/{key.id}/subscription/replace")).json()["url"]

    assert first == again != replaced
    old, new = [await instance.stranger().get(url) for url in (first, replaced)]
    assert (old.status_code, new.status_code) == (404, 200)
    assert parse_link(base64.b64decode(new.content).decode().split()[0]).uuid == key.uuid


async def test_a_closed_subscription_leads_nowhere(instance: InProcess) -> None:
    key = await issue(instance)
    url = (await instance.operator.get(f"{KEYS}/{key.id}/subscription")).json()["url"]

    answer = await instance.operator.delete(f"{KEYS}/{key.id}/subscription")

    assert answer.status_code == 204
    assert (await instance.stranger().get(url)).status_code == 404
    assert (await instance.operator.get(f"{KEYS}/{key.id}")).status_code == 200


async def test_a_repeated_create_is_answered_once(instance: InProcess) -> None:
    headers = {"idempotency-key": "order-7"}
    first = await instance.operator.post(KEYS, json={"name": "anna"}, headers=headers)

    again = await instance.operator.post(KEYS, json={"name": "anna"}, headers=headers)
    other = await instance.operator.post(KEYS, json={"name": "bert"}, headers=headers)

    assert (again.status_code, again.json()) == (201, first.json())
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert (await instance.operator.get(KEYS)).json()["total"] == 1


async def test_an_engine_that_is_down_leaves_no_key_behind(
    instance: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keystead.operations.vpn.keys.ISSUE_TIMEOUT_S", 0.3)  # nobody has to wait 15 s for a refusal
    instance.engine.is_down = True

    answer = await instance.operator.post(KEYS, json={})

    assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert (await instance.operator.get(KEYS)).json()["total"] == 0


async def test_a_create_where_no_dial_comes_back_says_so_and_leaves_no_key_behind(
    instance: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keystead.operations.vpn.keys.ISSUE_TIMEOUT_S", 0.3)  # nobody has to wait 15 s for a refusal
    instance.engine.cold_reason = "no dial has come back yet through the inbound shared, whose target is a.example:443"

    answer = await instance.operator.post(KEYS, json={})

    assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")
    assert answer.json()["detail"].endswith(f"nothing was created: {instance.engine.cold_reason}")
    assert (await instance.operator.get(KEYS)).json()["total"] == 0


async def test_a_caller_who_is_gone_while_a_create_is_committed_leaves_no_key_behind(
    instance: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end, really = asyncio.Event(), threading.Event(), keys.issue
    loop = asyncio.get_running_loop()

    @wraps(really)
    def slowly(work: Work, **wanted: object) -> VpnKey:
        issued = really(work, **wanted)  # type: ignore[arg-type]  # as it was called
        loop.call_soon_threadsafe(begun.set)
        assert may_end.wait(60)
        return issued

    monkeypatch.setattr(keys, "issue", slowly)
    asking = asyncio.create_task(instance.operator.post(KEYS, json={"name": "anna"}))
    await begun.wait()
    asking.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await instance.parts.vpn.undoing.finish()

    assert [record.verb for record in await instance.records()][-2:] == ["vpn.key.issue", "vpn.key.issue.undo"]
    assert (await instance.operator.get(KEYS)).json()["total"] == 0


async def test_a_confined_token_sees_its_own_keys_only(instance: InProcess) -> None:
    theirs = await issue(instance)
    made = await instance.token(*VPN_PERMISSIONS, is_confined=True)
    bot = instance.bearer(made.secret.reveal())

    own = (await bot.post(KEYS, json={"name": "own"})).json()

    assert [key["id"] for key in (await bot.get(KEYS)).json()["items"]] == [own["id"]]
    assert (await bot.get(f"{KEYS}/{theirs.id}")).status_code == 404
    assert (await bot.delete(f"{KEYS}/{theirs.id}")).status_code == 404
