"""Bulks against the real engine: created keys connect, a filter cuts, a move keeps both links, a kill loses none."""

import asyncio
import csv
import signal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.e2e.test_cli import Commands, beside
from tests.support import xray
from tests.support.downloads import downloading
from tests.support.keystead import Keystead, keystead

BULK, KEYS = "/v1/vpn/bulk", "/v1/vpn/keys"


async def test_keys_of_a_bulk_connect_until_another_one_cuts_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "links.csv"
    async with keystead(tmp_path) as instance:
        do = beside(instance, capsys, monkeypatch)

        made = await asyncio.to_thread(
            do.json, "vpn", "bulk", "create", "--count", "300", "--name", "batch-{n}", "--links", table
        )

        assert made["bulk"]["outcomes"] == {"done": 300}
        with table.open() as lines:
            links = {row["name"]: xray.linked(row["link"]) for row in csv.DictReader(lines)}
        assert len(links) == 300
        for name in ("batch-1", "batch-150", "batch-300"):
            assert await xray.dial(links[name], instance.world.origin) is not None

        async with downloading(links["batch-7"]) as cut, downloading(links["batch-42"]) as spared:
            done = await asyncio.to_thread(do.json, "vpn", "bulk", "disable", "name=batch-?", "--yes")
            assert done["bulk"]["outcomes"] == {"done": 9}
            assert await cut.over_after_s() is not None
            assert not spared.is_over
        assert await xray.dial(links["batch-8"], instance.world.origin, within_s=3.0) is None

        await moved_and_back(instance, do, links["batch-42"])
        deleted = await asyncio.to_thread(do.json, "vpn", "bulk", "delete", "all", "--yes")
        assert deleted["bulk"]["outcomes"] == {"done": 300}
        async with asyncio.timeout(15):
            while await instance.engine_users() or instance.database_labels():
                await asyncio.sleep(0.1)
        [scope] = await asyncio.to_thread(do.json, "engine", "list")
        assert scope["state"] == "ok"


async def moved_and_back(instance: Keystead, do: Commands, before: xray.Profile) -> None:
    """Move a key to a port of its own: it connects by its former link and by the new one."""
    moved = await asyncio.to_thread(do.json, "vpn", "bulk", "move", "own-port", "name=batch-42", "--yes")
    [handed] = (await instance.http.get(f"{BULK}/{moved['bulk']['id']}/links")).json()["items"]
    after = xray.linked(handed["link"])

    assert (after.uuid, after.port != before.port) == (before.uuid, True)
    assert await xray.dial(before, instance.world.origin) is not None
    assert await xray.dial(after, instance.world.origin) is not None

    # Whoever is cut is cut at both.
    await asyncio.to_thread(do.json, "vpn", "bulk", "disable", "42", "--yes")
    assert await xray.dial(before, instance.world.origin, within_s=3.0) is None
    assert await xray.dial(after, instance.world.origin, within_s=3.0) is None


# On PostgreSQL a lease of fifteen seconds would have to run out twice; tests/unit/jobs has that.
@pytest.mark.slow
async def test_a_bulk_that_is_killed_in_the_middle_ends_with_exactly_what_was_planned(tmp_path: Path) -> None:
    async with keystead(tmp_path) as instance:
        body = {"action": "create", "create": {"count": 2000, "name": "batch-{n}"}}
        bulk = (await instance.http.post(BULK, json=body)).json()
        await killed_in_the_middle(instance, bulk)

        created = await ended(instance, bulk["id"])

        assert (created["state"], created["outcomes"]) == ("done", {"done": 2000})
        names = [key["name"] for key in await listed(instance)]
        assert names == [f"batch-{number}" for number in range(1, 2001)]
        assert len(await instance.engine_users()) == 2000
        assert await instance.dial(2000) is not None

        order = {"action": "disable", "where": {"every": True}}
        plan = (await instance.http.post(BULK, json={**order, "dry_run": True})).json()
        bulk = (await instance.http.post(BULK, json={**order, "digest": plan["digest"]})).json()
        await killed_in_the_middle(instance, bulk)

        disabled = await ended(instance, bulk["id"])

        assert (disabled["state"], disabled["outcomes"]) == ("done", {"done": 2000})
        assert await instance.engine_users() == set()
        assert {key["is_active"] for key in await listed(instance)} == {False}
        disables = recorded(instance, "vpn.key.disable")
        assert len(disables) == len(set(disables)) == 2000


async def killed_in_the_middle(instance: Keystead, bulk: dict[str, Any]) -> None:
    """Kill Keystead when a part of a bulk is done, and start it again."""
    async with asyncio.timeout(30):
        while (await instance.http.get(f"{BULK}/{bulk['id']}")).json()["done"] == 0:
            await asyncio.sleep(0.01)
    await instance.stop(signal.SIGKILL)
    await instance.start()
    await instance.ready()


async def ended(instance: Keystead, number: int) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            bulk: dict[str, Any] = (await instance.http.get(f"{BULK}/{number}")).json()
            if bulk["state"] not in {"waiting", "running"}:
                return bulk
            await asyncio.sleep(0.1)


async def listed(instance: Keystead) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        query = {"addresses": "false", "limit": "500", "after": str(after)}
        page = (await instance.http.get(KEYS, params=query)).json()
        items += page["items"]
        after = page["next"]
    return items


def recorded(instance: Keystead, verb: str) -> list[str]:
    """Return the subjects of a verb's audit records."""
    engine = create_engine(instance.database_url)
    try:
        with engine.connect() as connection:
            query = text("SELECT subject FROM audit_records WHERE verb = :verb")
            return [str(subject) for subject in connection.execute(query, {"verb": verb}).scalars()]
    finally:
        engine.dispose()
