"""Webhooks over the native API, with a real receiver behind them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from keystead.access.permissions import Permission
from keystead.dialects.v1 import webhook_shapes as shapes
from tests.support.instance import InProcess
from tests.support.receiver import Receiver, is_genuine, receiving

HOOKS = "/v1/webhooks"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


async def create(instance: InProcess, receiver: Receiver, **more: Any) -> shapes.NewWebhook:
    answer = await instance.operator.post(HOOKS, json={"url": receiver.url, **more})
    assert answer.status_code == 201, answer.text
    return shapes.NewWebhook.model_validate_json(answer.content)


async def test_a_created_key_is_told_to_the_webhook(instance: InProcess, receiver: Receiver) -> None:
    made = await create(instance, receiver)

    key = (await instance.operator.post("/v1/vpn/keys", json={"name": "anna"})).json()

    (request,) = await asyncio.to_thread(receiver.until, 1)
    assert is_genuine(made.secret or "", request)
    assert request.json["type"] == "vpn.key.created"
    assert request.json["data"]["key"]["id"] == key["id"]


async def test_the_secret_is_shown_once_and_a_repetition_is_without_it(instance: InProcess, receiver: Receiver) -> None:
    body, headers = {"url": receiver.url, "description": "shop"}, {"idempotency-key": "hook-1"}
    first = await instance.operator.post(HOOKS, json=body, headers=headers)
    again = await instance.operator.post(HOOKS, json=body, headers=headers)

    shown = await instance.operator.get(f"{HOOKS}/1")
    listed = await instance.operator.get(HOOKS)

    assert (again.status_code, again.json()) == (201, first.json() | {"secret": None})
    assert shapes.Webhook.model_validate_json(shown.content).description == "shop"
    assert shapes.WebhookList.model_validate_json(listed.content).items[0].events == []
    assert first.json()["secret"] not in shown.text + listed.text


async def test_a_test_tells_how_it_went(instance: InProcess, receiver: Receiver) -> None:
    made = await create(instance, receiver, events=["vpn.key.cut"])
    receiver.statuses = [500]

    failed = await instance.operator.post(f"{HOOKS}/1/test")
    passed = await instance.operator.post(f"{HOOKS}/1/test")

    first = shapes.LoggedDelivery.model_validate_json(failed.content)
    second = shapes.LoggedDelivery.model_validate_json(passed.content)
    assert (first.state, [entry.status for entry in first.log], first.ended_at) == ("waiting", [500], None)
    assert first.next_attempt_at is not None
    assert (second.state, [entry.status for entry in second.log]) == ("delivered", [204])
    assert second.next_attempt_at is None
    assert second.body.encode() == receiver.received[1].body
    assert is_genuine(made.secret or "", receiver.received[1])


async def test_deliveries_are_listed_newest_first_and_sent_again_under_their_id(
    instance: InProcess, receiver: Receiver
) -> None:
    await create(instance, receiver)
    for _ in range(3):
        await instance.operator.post(f"{HOOKS}/1/test")

    page = await instance.operator.get(f"{HOOKS}/1/deliveries", params={"limit": 2})
    rest = await instance.operator.get(f"{HOOKS}/1/deliveries", params={"limit": 2, "after": page.json()["next"]})
    again = await instance.operator.post(f"{HOOKS}/1/deliveries/1/redeliver")
    waiting = await instance.operator.get(f"{HOOKS}/1/deliveries", params={"state": "waiting"})

    assert [item.number for item in shapes.DeliveryList.model_validate_json(page.content).items] == [3, 2]
    assert ([item["number"] for item in rest.json()["items"]], rest.json()["next"]) == ([1], None)
    assert [entry["status"] for entry in again.json()["log"]] == [204, 204]
    assert receiver.received[3].headers["webhook-id"] == receiver.received[0].headers["webhook-id"]
    assert waiting.json()["items"] == []


async def test_changing_rotating_and_deleting(instance: InProcess, receiver: Receiver) -> None:
    made = await create(instance, receiver)

    changed = await instance.operator.patch(f"{HOOKS}/1", json={"events": ["engine.up"], "is_enabled": False})
    rotated = shapes.NewWebhook.model_validate_json((await instance.operator.post(f"{HOOKS}/1/secret")).content)
    refused = await instance.operator.post(f"{HOOKS}/1/test")
    deleted = await instance.operator.delete(f"{HOOKS}/1")

    assert (changed.json()["events"], changed.json()["is_enabled"]) == (["engine.up"], False)
    assert rotated.secret not in (None, made.secret)
    assert rotated.previous_secret_until is not None
    assert (refused.status_code, deleted.status_code) == (409, 204)
    assert (await instance.operator.get(f"{HOOKS}/1")).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "https://user@example.com/"}, "url"),
        ({"url": "https://example.com/", "events": ["vpn.key.eaten"]}, "events.0"),
        ({"url": "https://example.com/", "description": "x" * 256}, "description"),
        ({"url": "https://example.com/", "secret": "mine"}, "secret"),
        ({}, "url"),
    ],
)
async def test_what_is_wrong_is_named(instance: InProcess, body: dict[str, Any], field: str) -> None:
    answer = await instance.operator.post(HOOKS, json=body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_reading_is_not_managing(instance: InProcess, receiver: Receiver) -> None:
    await create(instance, receiver)
    reader = await instance.caller(Permission.WEBHOOKS_READ)

    assert (await reader.get(f"{HOOKS}/1/deliveries")).status_code == 200
    assert (await reader.post(f"{HOOKS}/1/test")).status_code == 403
    assert (await reader.patch(f"{HOOKS}/1", json={"url": "https://example.com/"})).status_code == 403
    assert receiver.received == []
