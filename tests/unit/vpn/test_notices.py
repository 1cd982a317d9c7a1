"""What webhooks are told of keys, when, and that nothing of it lets anybody connect."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from keystead.access import webhooks
from keystead.kit.reach import reach
from keystead.outbox.models import DELIVERIES
from keystead.vpn import keys, notices, traffic
from keystead.vpn.placement import Placement
from tests.support.shop import POOL, Shop, reading
from tests.support.work import Workplace


@pytest.fixture
async def shop(workplace: Workplace) -> Shop:
    opened = await Shop(workplace).open()
    url = "https://example.com/"
    await workplace.do(webhooks.create, url=url, description="", events=(), reach=reach([]))
    return opened


async def told(shop: Shop) -> list[tuple[str, dict[str, Any]]]:
    chosen = select(DELIVERIES.c.event, DELIVERIES.c.body).order_by(DELIVERIES.c.number)
    rows = await shop.workplace.database.read(lambda c: c.execute(chosen).all())
    return [(row.event, orjson.loads(row.body)["data"]) for row in rows]


async def test_a_key_is_created_when_it_is_in_the_engine_and_once(shop: Shop) -> None:
    key = await shop.workplace.do(keys.issue, name="anna", placement=Placement.SHARED, pool=POOL)
    assert await told(shop) == []

    await shop.confirm(present=[key.label])
    await shop.confirm(present=[key.label])

    (created,) = await told(shop)
    assert created == (
        "vpn.key.created",
        {
            "key": {
                "id": key.public_id,
                "number": 1,
                "name": "anna",
                "placement": "shared",
                "is_active": True,
                "created_at": "2026-03-01T12:00:00Z",
            }
        },
    )


async def test_a_key_that_is_taken_back_before_was_never_there(shop: Shop) -> None:
    key = await shop.workplace.do(keys.issue, name=None, placement=Placement.SHARED, pool=POOL)

    await shop.workplace.do(keys.undo_issue, key=key, reason="the engine is down")
    await shop.confirm(absent=[key.label])

    assert await told(shop) == []


async def test_a_key_that_is_taken_back_after_it_was_confirmed_is_told_to_be_gone(shop: Shop) -> None:
    key = await shop.issue()

    await shop.workplace.do(keys.undo_issue, key=key, reason="the caller was gone")

    assert [event for event, _ in await told(shop)] == ["vpn.key.created", "vpn.key.revoked"]


async def test_changes_are_told_once_each_and_only_when_they_are_changes(shop: Shop) -> None:
    key = await shop.issue("anna")
    for verb in (keys.disable, keys.disable, keys.enable, keys.enable, keys.reissue):
        await shop.do(verb, key)
    for _ in range(2):
        await shop.revoke(key)

    found = await told(shop)

    assert [event for event, _ in found] == [
        "vpn.key.created",
        "vpn.key.disabled",
        "vpn.key.enabled",
        "vpn.key.revoked",
    ]
    assert [data["key"]["is_active"] for _, data in found] == [True, False, True, True]
    assert key.uuid not in orjson.dumps(found).decode()


async def test_a_reset_tells_the_figures_that_ended(shop: Shop) -> None:
    key = await shop.issue()

    await shop.do(traffic.reset, key, readings=[reading("one", k1_1=(100, 2000))])

    event, data = (await told(shop))[-1]
    assert (event, data["upload"], data["download"], data["total"], data["by"]) == (
        "vpn.key.reset",
        100,
        2000,
        2100,
        "caller",
    )


async def test_no_event_holds_what_lets_anybody_connect(shop: Shop) -> None:
    key = await shop.issue("anna")
    at = datetime(2026, 3, 1, tzinfo=UTC)

    every = [
        notices.about(key),
        notices.first_used(key, at=at),
        notices.warned(key, used_bytes=8, quota_bytes=10, threshold_percent=80),
        notices.cut(key, used_bytes=10, quota_bytes=10, action="cut"),
        notices.expired(key, expired_at=at),
        notices.reset(key, upload=1, download=2, by="period"),
    ]

    written = orjson.dumps(every).decode()
    assert not [secret for secret in (key.uuid, key.short_id, key.label, "vless") if secret in written]
