"""One account never sees another's rows: every route of the native API, asked with ids of somebody else's."""

import re
from typing import Any

import httpx2
import pytest

from keystead.access.principal import operator
from keystead.access.work import Work
from keystead.dialects.v1 import app as v1
from keystead.kit.ids import RandomIds
from keystead.kit.secret import Secret
from keystead.mounts import Mounts
from keystead.vault import connecting, zones
from keystead.vault.connecting import Made, Wish
from keystead.vault.zones import SeenZone
from tests.architecture.test_permissions import BODIES, VALUES
from tests.support.browser import Browser
from tests.support.instance import InProcess

MARK = "house-marker"


@pytest.fixture
async def foreign(instance: InProcess) -> dict[str, str]:
    """Make one of everything in the house account; return the ids by the names that routes give them."""
    operator, url = instance.operator, "https://127.0.0.1:9/hook"

    async def made(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await operator.post(path, json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    user = await made("/v1/users", {"login": MARK, "password": "a long password"})
    await made("/v1/roles", {"name": MARK, "permissions": []})
    return VALUES | {
        "user_id": str(user["id"]),
        "token_id": str((await made("/v1/tokens", {"name": MARK, "permissions": []}))["id"]),
        "webhook_id": str(
            (await made("/v1/webhooks", {"url": url, "description": MARK, "events": ["engine.down"]}))["id"]
        ),
        "invitation_id": str((await made("/v1/invitations", {"login": MARK + "@x.org", "role": "viewer"}))["id"]),
        "key_id": str((await made("/v1/vpn/keys", {"name": MARK}))["id"]),
        "account_id": str((await operator.get("/v1/account")).json()["id"]),
        "name": MARK,
        "zone_id": str(await instance.parts.database.write(lambda connection: zone(instance, connection))),
    }


def zone(instance: InProcess, connection: Any) -> int:
    """Make a credential of Cloudflare and a zone of it in the house account; return the zone's id."""
    parts = instance.parts
    house = operator(parts.foundation.account_id)
    work = Work(connection, house, parts.clock, RandomIds(), parts.keys.ring, "test")
    wish = Wish("cloudflare", "7fadeb365dc925694b8dcfb313412345", MARK, MARK)
    held = connecting.add(work, wish, Made(Secret('{"token":"CANARY"}'), {})).credential
    seen = SeenZone("0" * 32, f"{MARK}.example", "active", "free", ())
    return zones.record_one(work, held.id, seen, "vault.zone.create").id


@pytest.fixture
async def north(instance: InProcess) -> Browser:
    """Return a signed-in owner of another account, made by invitation."""
    wanted = {"name": "north", "plan": "pro", "owner": "anna@example.com"}
    made = (await instance.operator.post("/v1/accounts", json=wanted)).json()
    browser = Browser(instance.stranger())
    await browser.register("anna@example.com", invitation=made["invitation"]["secret"])
    return browser


def routes(instance: InProcess) -> list[tuple[str, str]]:
    document = v1.create_api(Mounts(instance.parts).v1()).openapi()
    return [(method.upper(), path) for path, made in document["paths"].items() for method in made]


async def test_no_route_shows_or_changes_what_another_account_has(
    instance: InProcess, foreign: dict[str, str], north: Browser
) -> None:
    before = await house(instance)
    leaks = []
    for method, path in routes(instance):
        if path in v1.PUBLIC:
            continue
        answer = await asked(north, method, path.format_map(foreign), BODIES.get((method, path)))
        has_foreign_id = bool(re.search(r"\{(user|token|webhook|invitation|account|key|zone)_id\}", path))
        if has_foreign_id and answer.status_code not in (403, 404):
            leaks.append((method, path, answer.status_code, answer.text))
        if MARK in answer.text.replace(f"{MARK} not found", "").replace(f"/{MARK}", ""):
            leaks.append((method, path, answer.status_code, answer.text))

    assert leaks == []
    assert await house(instance) == before


async def test_foreign_ids_in_bodies_open_nothing(instance: InProcess, foreign: dict[str, str], north: Browser) -> None:
    bot = {"name": "bot", "permissions": [], "user_id": int(foreign["user_id"])}

    assert (await asked(north, "POST", "/v1/tokens", bot)).status_code == 404
    assert (await asked(north, "POST", "/v1/invitations", {"login": "b@x.org", "role": MARK})).status_code == 404
    switched = await north.post("switch_account", {"account_id": int(foreign["account_id"])})
    assert switched.status_code == 403
    assert (await north.get("/v1/whoami")).json()["account_id"] != int(foreign["account_id"])


async def test_only_the_local_socket_chooses_its_account(instance: InProcess, north: Browser) -> None:
    chosen = {"keystead-account": "default"}

    theirs = await north.http.get("/v1/account", headers={"authorization": f"Bearer {north.access}", **chosen})
    ours = await instance.operator.get("/v1/account", headers={"keystead-account": "north"})
    none = await instance.operator.get("/v1/account", headers={"keystead-account": "south"})

    assert theirs.json()["name"] == ours.json()["name"] == "north"
    assert none.status_code == 404


async def asked(north: Browser, method: str, path: str, body: dict[str, Any] | None) -> httpx2.Response:
    return await north.http.request(method, path, json=body, headers={"authorization": f"Bearer {north.access}"})


async def house(instance: InProcess) -> list[str]:
    """Return what the house account has, as its operator sees it."""
    paths = (
        "/v1/users",
        "/v1/zones",
        "/v1/tokens",
        "/v1/roles",
        "/v1/webhooks",
        "/v1/invitations",
        "/v1/vpn/keys",
        "/v1/account",
    )
    return [(await instance.operator.get(path)).text for path in paths]
