"""Bulks over the native API."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from keystead.access.permissions import Permission
from keystead.db.session import Database
from keystead.dialects.v1 import bulk_shapes as shapes
from keystead.vpn.links import parse_link
from tests.support.instance import InProcess, in_process

BULK, KEYS, PLANS = "/v1/vpn/bulk", "/v1/vpn/keys", "/v1/vpn/plans"


@pytest.fixture
async def instance(database: Database, tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(database, tmp_path) as made:
        yield made


async def carried_out(instance: InProcess, **order: object) -> shapes.Bulk:
    """Plan an order, start it by its digest and wait until it has ended."""
    planned = (await instance.operator.post(BULK, json={**order, "dry_run": True})).json()
    answer = await instance.operator.post(BULK, json={**order, "digest": planned["digest"]})
    assert answer.status_code == 202, answer.text
    return await ended(instance, answer.json()["id"])


async def ended(instance: InProcess, number: int) -> shapes.Bulk:
    async with asyncio.timeout(30):
        while True:
            answer = await instance.operator.get(f"{BULK}/{number}")
            bulk = shapes.Bulk.model_validate_json(answer.content)
            if bulk.state not in {"waiting", "running"}:
                return bulk
            await asyncio.sleep(0.02)


async def created(instance: InProcess, **create: object) -> shapes.Bulk:
    return await carried_out(instance, action="create", create=create)


async def listed(instance: InProcess, **query: str) -> list[dict[str, Any]]:
    return (await instance.operator.get(KEYS, params={"limit": "500", **query})).json()["items"]  # type: ignore[no-any-return]


async def test_keys_are_created_alike_and_their_links_handed_over(instance: InProcess) -> None:
    await instance.operator.post(PLANS, json={"name": "gold", "quota_bytes": 50})

    bulk = await created(instance, count=1200, name="batch-{n}", plan="gold")
    links = await instance.operator.get(f"{BULK}/{bulk.id}/links", params={"format": "csv"})

    assert (bulk.state, bulk.done, bulk.outcomes) == ("done", 1200, {"done": 1200})
    rows = list(csv.DictReader(io.StringIO(links.text)))
    assert [row["name"] for row in rows] == [f"batch-{number}" for number in range(1, 1201)]
    assert all(parse_link(row["link"]).uuid == row["uuid"] for row in rows)
    keys = await listed(instance)
    assert {key["terms"]["plan"] for key in keys} == {"gold"}
