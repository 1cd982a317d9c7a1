"""Terms and plans over the native API."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from keystead.access.permissions import Permission
from keystead.dialects.v1 import schemas, term_schemas
from keystead.vpn.accounting import Bytes
from tests.support.instance import InProcess

KEYS, PLANS = "/v1/vpn/keys", "/v1/vpn/plans"


async def sold(instance: InProcess, **terms: object) -> schemas.Key:
    answer = await instance.operator.post(KEYS, json={"name": "anna", "terms": terms})
    assert answer.status_code == 201, answer.text
    return schemas.Key.model_validate_json(answer.content)


async def carry(instance: InProcess, key: schemas.Key, total: int) -> schemas.Key:
    """Let a key have carried so much, and the loop look."""
    instance.figures.carried[f"k{key.number}-1"] = Bytes(0, total)
    await instance.enforcing.look()
    return schemas.Key.model_validate_json((await instance.operator.get(f"{KEYS}/{key.id}")).content)


async def test_a_key_without_terms_says_so(instance: InProcess) -> None:
    made = (await instance.operator.post(KEYS, json={})).json()

    assert (made["terms"], made["state"], made["is_enabled"]) == (None, "active", True)


async def test_terms_are_shown_as_they_were_given(instance: InProcess) -> None:
    ends = datetime.now(UTC) + timedelta(days=30)
    wanted = {
        "quota_bytes": 50_000_000_000,
        "at_limit": "slow",
        "slow_to_bytes_s": 125_000,
        "warn_at": [95, 50],
        "speed_bytes_s": 2_500_000,
        "address_limit": 2,
        "reset": "month",
        "reset_day": 31,
        "time_zone": "Europe/Moscow",
        "expires_at": ends.isoformat(),
        "device_limit": 3,
    }

    key = await sold(instance, **wanted)

    terms = key.terms
    assert terms is not None
    given = terms.model_dump(mode="json", include=set(wanted))
    assert given == {**wanted, "warn_at": [50, 95], "expires_at": given["expires_at"]}
    assert (terms.used_bytes, terms.left_bytes, terms.expires_at) == (0, 50_000_000_000, ends)
    assert terms.next_reset_at is not None
    shown = (await instance.operator.get(f"{KEYS}/{key.id}", params={"addresses": "false"})).json()
    assert shown == key.model_dump(mode="json")


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"quota_bytes": 0}, "terms.quota_bytes"),
        ({"quota_bytes": "5"}, "terms.quota_bytes"),
        ({"qouta": 5}, "terms.qouta"),
        ({"at_limit": "explode"}, "terms.at_limit"),
        ({"reset": "month", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"reset": "rolling"}, "reset_days"),
        ({"at_limit": "slow"}, "slow_to_bytes_s"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00"}, "terms.expires_at"),
        ({"warn_at": [100]}, "terms.warn_at.0"),
        ({"address_limit": 0}, "terms.address_limit"),
    ],
)
async def test_terms_that_cannot_be_create_nothing(instance: InProcess, terms: dict[str, object], field: str) -> None:
    answer = await instance.operator.post(KEYS, json={"terms": terms})

    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await instance.operator.get(KEYS)).json()["total"] == 0


async def test_a_quota_that_is_used_up_cuts_and_a_top_up_brings_back(instance: InProcess) -> None:
    key = await sold(instance, quota_bytes=1000)

    cut = await carry(instance, key, 1000)

    assert (cut.is_active, cut.is_enabled, cut.state) == (False, True, "cut")
    assert cut.terms is not None
    assert (cut.terms.used_bytes, cut.terms.left_bytes, cut.terms.limit_reached_at is None) == (1000, 0, False)
    await until_users(instance, 0)
    assert (await instance.operator.get(f"{KEYS}/{key.id}/link")).status_code == 200

    answer = await instance.operator.post(f"{KEYS}/{key.id}/top-up", json={"bytes": 500})

    back = schemas.Key.model_validate_json(answer.content)
    assert (back.is_active, back.state) == (True, "active")
    assert back.terms is not None
    assert (back.terms.topped_up_bytes, back.terms.left_bytes) == (500, 500)
    assert len(instance.engine.users["shared"]) == 1


async def until_users(instance: InProcess, count: int) -> None:
    """Wait until the engine holds so many users."""
    async with asyncio.timeout(5):
        while len(instance.engine.users["shared"]) != count:
            await asyncio.sleep(0.01)


async def test_a_reset_lifts_a_cut(instance: InProcess) -> None:
    key = await sold(instance, quota_bytes=1000)
    assert (await carry(instance, key, 1000)).is_active is False
    instance.figures.carried.clear()

    await instance.operator.post(f"{KEYS}/{key.id}/traffic/reset")

    assert (await instance.operator.get(f"{KEYS}/{key.id}")).json()["state"] == "active"
    assert len(instance.engine.users["shared"]) == 1


async def test_enabling_a_key_that_was_cut_is_a_conflict_with_its_remedy(instance: InProcess) -> None:
    key = await sold(instance, quota_bytes=1000)
    await carry(instance, key, 1000)

    answer = await instance.operator.patch(f"{KEYS}/{key.id}", json={"is_active": True})

    assert (answer.status_code, answer.json()["code"]) == (409, "key_stopped")
    assert "top it up" in answer.json()["detail"]


@pytest.mark.parametrize(("path", "body"), [("extend", {"days": 30}), ("top-up", {"bytes": 1000})])
async def test_a_grant_with_an_id_is_made_once(instance: InProcess, path: str, body: dict[str, int]) -> None:
    key = await sold(instance, quota_bytes=1000, duration_s=60)
    headers = {"idempotency-key": "order-7"}

    first = await instance.operator.post(f"{KEYS}/{key.id}/{path}", json=body, headers=headers)
    again = await instance.operator.post(f"{KEYS}/{key.id}/{path}", json=body, headers=headers)
    other = await instance.operator.post(f"{KEYS}/{key.id}/{path}", json={next(iter(body)): 7}, headers=headers)

    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


async def test_a_grant_that_has_no_ground_is_a_conflict(instance: InProcess) -> None:
    key = await sold(instance, speed_bytes_s=1000)

    answers = [
        await instance.operator.post(f"{KEYS}/{key.id}/{path}", json=body)
        for path, body in (("extend", {"days": 1}), ("top-up", {"bytes": 1}))
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "nothing_to_grant")] * 2


async def test_an_engine_that_is_away_keeps_what_was_sold(instance: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keystead.operations.vpn.terms.SETTLE_TIMEOUT_S", 0.2)  # nobody has to wait for it here
    key = await sold(instance, quota_bytes=1000)
    instance.engine.is_down = True
    headers = {"idempotency-key": "order-8"}
    first = await instance.operator.post(f"{KEYS}/{key.id}/top-up", json={"bytes": 500}, headers=headers)
    instance.engine.is_down = False

    again = await instance.operator.post(f"{KEYS}/{key.id}/top-up", json={"bytes": 500}, headers=headers)

    assert (first.status_code, first.json()["code"]) == (503, "terms_pending")
    assert (again.status_code, again.json()["terms"]["topped_up_bytes"]) == (200, 500)


async def test_terms_are_changed_one_by_one(instance: InProcess) -> None:
    key = await sold(instance, quota_bytes=1000, speed_bytes_s=5)

    answer = await instance.operator.patch(f"{KEYS}/{key.id}/terms", json={"speed_bytes_s": None, "reset": "day"})

    terms = answer.json()["terms"]
    assert (terms["quota_bytes"], terms["speed_bytes_s"], terms["reset"]) == (1000, None, "day")


async def test_a_plan_is_made_shown_changed_and_removed(instance: InProcess) -> None:
    made = await instance.operator.post(PLANS, json={"name": "50 GB", "quota_bytes": 50, "duration_s": 60})
    changed = await instance.operator.patch(f"{PLANS}/50 GB", json={"starts": "issue", "quota_bytes": 60})
    shown = await instance.operator.get(f"{PLANS}/50 GB")
    listed = await instance.operator.get(PLANS)
    removed = await instance.operator.delete(f"{PLANS}/50 GB")

    assert made.status_code == 201
    assert term_schemas.Plan.model_validate_json(made.content).starts.value == "first_use"
    assert changed.json() == shown.json() == listed.json()["items"][0]
    assert (shown.json()["starts"], shown.json()["quota_bytes"], shown.json()["duration_s"]) == ("issue", 60, 60)
    assert removed.status_code == 204
    assert (await instance.operator.get(f"{PLANS}/50 GB")).status_code == 404


async def test_a_key_of_a_plan_keeps_its_terms(instance: InProcess) -> None:
    await instance.operator.post(PLANS, json={"name": "gold", "quota_bytes": 50})
    key = (await instance.operator.post(KEYS, json={"plan": "gold"})).json()
    await instance.operator.delete(f"{PLANS}/gold")

    again = (await instance.operator.post(KEYS, json={"plan": "gold"})).json()

    terms = (await instance.operator.get(f"{KEYS}/{key['id']}")).json()["terms"]
    assert (terms["plan"], terms["quota_bytes"]) == ("gold", 50)
    assert (again["status"], again["code"], again["errors"][0]["field"]) == (422, "unknown_plan", "plan")


async def test_a_plan_s_name_is_used_once(instance: InProcess) -> None:
    await instance.operator.post(PLANS, json={"name": "gold"})

    answer = await instance.operator.post(PLANS, json={"name": "gold"})

    assert (answer.status_code, answer.json()["code"]) == (409, "already_exists")


async def test_who_may_only_read_keys_sees_terms_without_usage(instance: InProcess) -> None:
    key = await sold(instance, quota_bytes=1000)
    bot = await instance.caller(Permission.VPN_KEYS_READ)

    shown = (await bot.get(f"{KEYS}/{key.id}")).json()["terms"]
    listed = (await bot.get(KEYS)).json()["items"][0]["terms"]

    assert (shown["quota_bytes"], shown["used_bytes"], shown["left_bytes"]) == (1000, None, None)
    assert listed == shown


async def test_who_may_only_issue_keys_may_issue_them_with_a_plan(instance: InProcess) -> None:
    await instance.operator.post(PLANS, json={"name": "gold", "quota_bytes": 50})
    bot = await instance.caller(Permission.VPN_KEYS_ISSUE)

    answer = await bot.post(KEYS, json={"plan": "gold"})

    assert (answer.status_code, answer.json()["terms"]["plan"]) == (201, "gold")


async def test_a_subscription_tells_quota_and_end(instance: InProcess) -> None:
    ends = datetime.now(UTC) + timedelta(days=30)
    key = await sold(instance, quota_bytes=1000, expires_at=ends.isoformat())
    url = (await instance.operator.get(f"{KEYS}/{key.id}/subscription")).json()["url"]

    answer = await instance.stranger().get(url)

    told = answer.headers["subscription-userinfo"]
    assert told == f"upload=0; download=0; total=1000; expire={int(ends.timestamp())}"


async def test_what_was_done_is_recorded_with_its_figure(instance: InProcess) -> None:
    key = await sold(instance, quota_bytes=1000)
    await carry(instance, key, 850)
    await carry(instance, key, 1200)

    told: list[dict[str, Any]] = [
        {"verb": record.verb, **record.facts} for record in await instance.records() if "terms" in record.verb
    ]

    figures = {"quota_bytes": 1000, "topped_up_bytes": 0}
    assert told == [
        {"verb": "vpn.terms.warn", "used": 850, "percent": 80, **figures},
        {"verb": "vpn.terms.limit", "used": 1200, "at_limit": "cut", **figures},
    ]


async def test_a_list_is_narrowed_to_a_state(instance: InProcess) -> None:
    ends = datetime.now(UTC) + timedelta(hours=1)
    active, disabled, cut, expired = [
        await sold(instance, **terms)
        for terms in (
            {"quota_bytes": 10},
            {},
            {"quota_bytes": 10},
            {"expires_at": ends.isoformat(), "quota_bytes": 10},
        )
    ]
    await instance.operator.patch(f"{KEYS}/{disabled.id}", json={"is_active": False})

    states = {}
    with time_machine.travel(ends, tick=True):
        await carry(instance, cut, 10)
        for state in ("active", "disabled", "expired", "cut"):
            page = (await instance.operator.get(KEYS, params={"state": state})).json()
            states[state] = ([item["number"] for item in page["items"]], {item["state"] for item in page["items"]})

    numbered = {"active": active, "disabled": disabled, "expired": expired, "cut": cut}
    assert states == {state: ([key.number], {state}) for state, key in numbered.items()}
    refused = await instance.operator.get(KEYS, params={"state": "odd"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "state")


async def test_an_engine_that_is_away_when_a_key_expires_is_told_when_it_is_back(instance: InProcess) -> None:
    ends = datetime.now(UTC) + timedelta(hours=1)
    key = await sold(instance, expires_at=ends.isoformat())
    instance.engine.is_down = True
    with time_machine.travel(ends, tick=True):
        await instance.enforcing.look()
    assert (await instance.operator.get(f"{KEYS}/{key.id}")).json()["state"] == "expired"
    assert len(instance.engine.users["shared"]) == 1

    instance.engine.is_down = False

    await until_users(instance, 0)


async def test_a_plan_says_where_its_keys_sit_unless_the_create_does(instance: InProcess) -> None:
    plan = (await instance.operator.post(PLANS, json={"name": "ports", "placement": "own-port"})).json()

    of_plan = (await instance.operator.post(KEYS, json={"plan": "ports"})).json()
    said = (await instance.operator.post(KEYS, json={"plan": "ports", "placement": "shared"})).json()
    opened = (await instance.operator.patch(f"{PLANS}/ports", json={"placement": None})).json()
    after = (await instance.operator.post(KEYS, json={"plan": "ports"})).json()

    assert (plan["placement"], opened["placement"]) == ("own-port", None)
    assert [key["placement"] for key in (of_plan, said, after)] == ["own-port", "shared", "shared"]


@pytest.mark.parametrize(("header", "plan"), [("Authorization", "own-port"), ("X-API-Key", "shared")])
async def test_a_wire_with_one_placement_refuses_a_plan_of_another(instance: InProcess, header: str, plan: str) -> None:
    await instance.operator.post(PLANS, json={"name": "gold", "placement": plan})
    secret = (await instance.token(*Permission)).secret.reveal()
    bot = instance.stranger()
    bot.headers[header] = f"Bearer {secret}" if header == "Authorization" else secret

    refused = await bot.post("/api/keys", json={"name": "anna", "plan": "gold"})

    assert refused.status_code == 400
    assert f"the keys of plan 'gold' are {plan}" in refused.text
    assert (await instance.operator.get(KEYS)).json()["total"] == 0
