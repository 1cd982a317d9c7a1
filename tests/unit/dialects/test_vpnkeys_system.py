"""The vpnkeys wire when database and engine disagree, or one of them does not answer; with a door to itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from keystead.access.permissions import ALL_PERMISSIONS
from keystead.db.session import Database
from keystead.dialects.vpnkeys.app import create_app
from keystead.engines.xray.state import LIVE_TAG_PREFIX, XrayActual, XrayUser
from keystead.http.doors import Door, Mount
from keystead.http.limits import RateLimits
from keystead.http.metrics import Metrics
from keystead.kit.errors import StorageBusy, StorageFailed
from keystead.kit.ids import RandomIds
from keystead.mounts import Mounts
from keystead.vpn.models import INBOUNDS
from keystead.vpn.placement import Placement
from keystead.vpn.store import keys as key_store
from tests.support.instance import InProcess, client, in_process

STRANGER = "99999999-0000-4000-8000-000000000009"
LOOKS = ["config-status", "ports/status", "xray/config-status", "xray/inbounds", "xray/validate-sync"]
REPAIRS = ["sync-config", "xray/sync-config", "fix-reality-keys"]


@dataclass
class Shop:
    """An instance with a vpnkeys door of its own, without limits a minute."""

    instance: InProcess
    http: httpx2.AsyncClient

    async def issue(self, name: str = "n") -> dict[str, Any]:
        answer = await self.http.post("/api/keys", json={"name": name})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def validation(self) -> dict[str, Any]:
        answer = await self.http.get("/api/system/xray/validate-sync")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()["validation"]
        return body

    def lose(self, key: dict[str, Any]) -> None:
        """Let the engine forget a key, as nobody should."""
        del self.instance.engine.users[f"{LIVE_TAG_PREFIX}{key['port']}"]


@pytest.fixture
async def shop(database: Database, tmp_path: Path) -> AsyncIterator[Shop]:
    async with in_process(database, tmp_path) as instance:
        app = create_app(replace(Mounts(instance.parts).vpnkeys(), limits=RateLimits(None)))
        http = client(Door([Mount("", "vpnkeys", app)], ids=RandomIds(), metrics=Metrics(), trusted=()))
        http.headers["x-api-key"] = (await instance.token(*ALL_PERMISSIONS)).secret.reveal()
        yield Shop(instance, http)


async def test_a_key_that_the_engine_lacks_is_told_and_a_synchronisation_brings_it_back(shop: Shop) -> None:
    key, other = await shop.issue(), await shop.issue()
    shop.lose(key)

    before = await shop.validation()
    ports = (await shop.http.get("/api/system/ports/status")).json()["validation"]
    repaired = await shop.http.post("/api/system/sync-config")

    assert (before["synced"], before["synchronized"], before["missing_in_config"]) == (False, False, [key["uuid"]])
    assert (before["keys_count"], before["config_uuids"]) == (2, [other["uuid"]])
    assert (ports["valid"], len(ports["issues"])) == (False, 1)
    assert repaired.status_code == 200
    assert repaired.json()["validation"]["config_uuids"] == [key["uuid"], other["uuid"]]
    assert (await shop.validation())["synced"]


async def test_whoever_is_in_the_engine_and_nobody_s_key_is_told_and_removed(shop: Shop) -> None:
    await shop.issue()
    tag = f"{LIVE_TAG_PREFIX}10050"
    shop.instance.engine.users[tag] = {"stranger": XrayUser("stranger", STRANGER)}

    before = await shop.validation()
    repaired = await shop.http.post("/api/system/xray/sync-config")

    assert (before["extra_in_config"], before["total_config_clients"]) == ([STRANGER], 2)
    assert repaired.status_code == 200
    assert tag not in shop.instance.engine.users


async def test_a_key_that_does_not_connect_is_listed_and_is_no_difference(shop: Shop) -> None:
    key = await shop.issue()
    operator = shop.instance.operator
    changed = await operator.patch(f"/v1/vpn/keys/{key['uuid']}", json={"is_active": False})

    listed = (await shop.http.get("/api/keys")).json()

    assert changed.status_code == 200, changed.text
    assert [(shown["id"], shown["is_active"]) for shown in listed] == [(key["id"], False)]
    assert ((await shop.validation())["synced"], (await shop.validation())["keys_count"]) == (True, 0)


@pytest.mark.parametrize("path", [f"GET {path}" for path in LOOKS] + [f"POST {path}" for path in REPAIRS])
async def test_an_engine_that_is_down_is_503_and_never_an_empty_answer(shop: Shop, path: str) -> None:
    await shop.issue()
    shop.instance.engine.is_down = True
    method, _, name = path.partition(" ")

    answer = await shop.http.request(method, f"/api/system/{name}")

    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("Failed to ")
    assert int(answer.headers["retry-after"]) > 0


async def test_what_needs_no_engine_is_answered_without_one(shop: Shop) -> None:
    key = await shop.issue()
    shop.instance.engine.is_down = True

    told = [
        await shop.http.request(method, path)
        for method, path in (
            ("GET", "/api/keys"),
            ("GET", f"/api/keys/{key['id']}/config"),
            ("GET", f"/api/keys/{key['id']}/traffic"),
            ("GET", "/api/system/ports"),
            ("POST", "/api/system/verify-reality"),
        )
    ]

    assert [answer.status_code for answer in told] == [200] * 5


@pytest.mark.parametrize("path", ["sync-config", "xray/sync-config"])
async def test_a_synchronisation_that_takes_long_is_told_within_three_seconds(
    shop: Shop, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang() -> XrayActual:
        await asyncio.sleep(3600)
        raise AssertionError

    # The fake engine answers at once or not at all; nothing else makes it slow.
    monkeypatch.setattr(shop.instance.engine, "observe", hang)
    began_s = time.monotonic()

    answer = await shop.http.post(f"/api/system/{path}")

    assert answer.status_code == 503
    assert time.monotonic() - began_s < 3


async def test_a_target_that_does_not_pass_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def bad() -> str:
        return "REALITY target site.test:443: it does not answer"

    # What the target says is the world's; the examination itself has tests of its own.
    monkeypatch.setattr(shop.instance.parts.targets, "_examine", bad)

    answer = await shop.http.post("/api/system/verify-reality")

    assert answer.status_code == 503
    detail = "Failed to verify Reality settings: REALITY target site.test:443: it does not answer"
    assert answer.json()["detail"] == detail


@pytest.mark.parametrize("path", ["verify-reality", "fix-reality-keys"])
async def test_a_public_key_that_does_not_belong_to_its_private_key_is_told(shop: Shop, path: str) -> None:
    await shop.issue()
    wrong = update(INBOUNDS).where(INBOUNDS.c.placement == Placement.OWN_PORT.value).values(public_key="A" * 43)
    await shop.instance.parts.database.write(lambda connection: connection.execute(wrong))

    answer = await shop.http.post(f"/api/system/{path}")

    assert answer.status_code == 500
    assert "does not belong to its private key" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (StorageFailed("disk /dev/sda1 is full"), 500, "Failed to get keys: Database error"),
        (StorageBusy("the database is locked"), 503, "Failed to get keys: the database is locked"),
    ],
)
async def test_a_list_that_cannot_be_read_is_an_error_and_never_empty(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, detail: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    # A full disk cannot be had here; tests/e2e/test_outcomes.py has one.
    monkeypatch.setattr(key_store, "page", fail)

    answer = await shop.http.get("/api/keys")

    assert (answer.status_code, answer.json()["detail"]) == (status, detail)


async def test_a_reset_of_ports_moves_a_key_whose_port_is_outside_the_range(shop: Shop) -> None:
    moved, kept = await shop.issue("moved"), await shop.issue("kept")
    outside = update(INBOUNDS).where(INBOUNDS.c.port == moved["port"]).values(port=20000)
    await shop.instance.parts.database.write(lambda connection: connection.execute(outside))

    before = (await shop.http.get("/api/system/ports/status")).json()["validation"]
    answer = await shop.http.post("/api/system/ports/reset")
    listed = {key["name"]: key for key in (await shop.http.get("/api/keys")).json()}

    assert before["issues"] == [f"port 20000 of key {moved['id']} is outside the range"]
    assert (answer.status_code, answer.json()["status"]) == (200, "reset")
    assert listed["kept"] == kept
    assert 10001 <= listed["moved"]["port"] <= 10100
    assert listed["moved"] == moved | {"port": listed["moved"]["port"]}
    assert (await shop.http.get("/api/system/ports/status")).json()["validation"]["valid"]


async def test_the_hundredth_key_is_the_last_until_a_port_is_free_again(shop: Shop) -> None:
    made = [await shop.issue(str(number)) for number in range(100)]

    refused = await shop.http.post("/api/keys", json={"name": "one more"})
    full = (await shop.http.get("/api/system/ports")).json()
    await shop.http.delete(f"/api/keys/{made[41]['id']}")
    again = await shop.issue("again")

    assert (refused.status_code, refused.json()) == (400, {"detail": "Maximum number of keys (100) reached"})
    assert (full["used_ports"], full["available_ports"], full["max_ports"]) == (100, 0, 100)
    assert len({key["port"] for key in made}) == len({key["short_id"] for key in made}) == 100
    assert again["port"] == made[41]["port"]
