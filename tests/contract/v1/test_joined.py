"""Providers that are connected by a secret alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keystead.access.permissions import Permission
from keystead.db.session import Database
from keystead.providers.namesilo import NAMESILO
from keystead.providers.pace import Pace
from tests.support.browser import Browser
from tests.support.instance import InProcess, in_process
from tests.support.standins import namesilo, yandex_metrica
from tests.support.standins.namesilo import Account
from tests.support.standins.yandex_metrica import TOKEN

PATH = "/v1/providers"
COUNTER = 44_000_001


@dataclass
class Joined:
    """An instance with stand-ins of both."""

    instance: InProcess
    registry: namesilo.NameSilo
    metrica: yandex_metrica.YandexMetrica

    async def connect(self, provider: str, **secret: str) -> Any:
        return await self.instance.operator.post(f"{PATH}/{provider}/credentials", json={"secret": secret})

    async def get(self, path: str) -> Any:
        return await self.instance.operator.get(f"{PATH}/{path}")


@pytest.fixture
async def joined(database: Database, tmp_path: Path) -> AsyncIterator[Joined]:
    with namesilo.namesilo() as registry, yandex_metrica.yandex_metrica() as metrica:
        urls = {**registry.settings(), **metrica.settings()}
        async with in_process(database, tmp_path, **urls) as instance:
            clients = instance.parts.vault.providers._clients
            clients.transport(NAMESILO).pace = Pace(instance.parts.clock)
            yield Joined(instance, registry, metrica)


async def test_a_registrar_is_connected_and_its_domains_are_worked_with(joined: Joined) -> None:
    joined.registry.mine.domains["example.com"] = "2027-01-22"

    made = await joined.connect("namesilo", api_key=namesilo.API_KEY)
    key = f"namesilo/credentials/{made.json()['id']}"
    servers = {"name_servers": ["a.ns.test", "b.ns.test"]}
    put = await joined.instance.operator.put(f"{PATH}/{key}/domains/example.com/name-servers", json=servers)

    assert (made.status_code, made.json()["account"]) == (201, {"balance": "1355.75"})
    assert made.json()["external_id"].startswith("key:")
    assert made.json()["alias"].startswith("namesilo-")
    assert [(one["name"], one["expires_on"]) for one in (await joined.get(f"{key}/domains")).json()["items"]] == [
        ("example.com", "2027-01-22")
    ]
    assert put.json() == (await joined.get(f"{key}/domains/example.com/name-servers")).json()
    assert put.json() == {"domain": "example.com", **servers}
    assert namesilo.API_KEY not in made.text


async def test_the_status_says_why_a_secret_is_refused(joined: Joined) -> None:
    made = await joined.connect("namesilo", api_key=namesilo.API_KEY)
    path = f"namesilo/credentials/{made.json()['id']}/status"

    good = (await joined.get(path)).json()
    joined.registry.accounts = {"another": Account()}
    refused = (await joined.get(path)).json()

    assert (good["status"], good["problem"], good["account"]) == ("active", None, {"balance": "1355.75"})
    assert (refused["status"], refused["problem"], refused["message"]) == (
        "refused",
        "secret_refused",
        "Invalid API Key",
    )
    assert refused["checked_at"] is not None


async def test_counters_visits_and_goals_are_listed(joined: Joined) -> None:
    joined.metrica.add_counters(1)
    joined.metrica.visits = {(COUNTER, "2026-11-02"): 7}
    joined.metrica.goals = {COUNTER: [(1, "Thanks", "url")]}

    made = await joined.connect("yandex_metrica", token=TOKEN)
    path = f"yandex_metrica/credentials/{made.json()['id']}/counters"
    visits = (await joined.get(f"{path}/{COUNTER}/visits?first=2026-11-01&last=2026-11-02")).json()["items"]

    assert (await joined.get(path)).json()["items"][0]["site"] == "site-0001.example"
    assert visits == [{"day": "2026-11-01", "visits": 0}, {"day": "2026-11-02", "visits": 7}]
    assert len((await joined.get(f"{path}/{COUNTER}/visits")).json()["items"]) == 28
    assert (await joined.get(f"{path}/{COUNTER}/goals")).json()["items"] == [{"id": 1, "name": "Thanks", "kind": "url"}]


async def test_failures_are_problems_with_the_providers_sentence(joined: Joined) -> None:
    made = (await joined.connect("namesilo", api_key=namesilo.API_KEY)).json()["id"]

    unknown = await joined.connect("nobody", api_key="x")
    missing = await joined.connect("namesilo", token="x")
    wrong = await joined.connect("namesilo", api_key="wrong")
    again = await joined.connect("namesilo", api_key=namesilo.API_KEY)
    other = await joined.get(f"yandex_metrica/credentials/{made}/counters")

    assert [answer.status_code for answer in (unknown, missing, wrong, again, other)] == [404, 422, 502, 409, 404]
    assert missing.json()["errors"] == [{"field": "api_key", "message": "it is missing"}]
    assert (wrong.json()["code"], wrong.json()["detail"]) == (
        "secret_refused",
        "NameSilo refused: 110: Invalid API Key",
    )
    assert again.json()["code"] == "already_connected"


async def test_nobody_works_with_what_another_account_holds(joined: Joined) -> None:
    made = (await joined.connect("namesilo", api_key=namesilo.API_KEY)).json()["id"]
    seen = (await joined.connect("yandex_metrica", token=TOKEN)).json()["id"]
    wanted = {"name": "north", "plan": "pro", "owner": "anna@example.com"}
    account = (await joined.instance.operator.post("/v1/accounts", json=wanted)).json()
    north = Browser(joined.instance.stranger())
    await north.register("anna@example.com", invitation=account["invitation"]["secret"])
    asked = len(joined.registry.came) + len(joined.metrica.came)
    key, counters = f"{PATH}/namesilo/credentials/{made}", f"{PATH}/yandex_metrica/credentials/{seen}/counters"

    for method, path in (
        ("GET", f"{key}/status"),
        ("GET", f"{key}/domains"),
        ("GET", f"{key}/domains/example.com/name-servers"),
        ("PUT", f"{key}/domains/example.com/name-servers"),
        ("GET", counters),
        ("GET", f"{counters}/{COUNTER}/visits"),
        ("GET", f"{counters}/{COUNTER}/goals"),
    ):
        body = {"name_servers": ["a.ns.test", "b.ns.test"]} if method == "PUT" else None
        headers = {"authorization": f"Bearer {north.access}"}
        answer = await north.http.request(method, path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "credential_not_found")

    assert len(joined.registry.came) + len(joined.metrica.came) == asked


async def test_what_may_be_connected_is_listed_with_its_fields(joined: Joined) -> None:
    reader = await joined.instance.caller(Permission.VAULT_READ)

    items = {one["id"]: one for one in (await reader.get(PATH)).json()["items"]}

    assert [field["name"] for field in items["namesilo"]["ways"][0]] == ["api_key"]
    assert "list domains" in items["namesilo"]["capabilities"]
    assert (await reader.post(f"{PATH}/namesilo/credentials", json={"secret": {"api_key": "x"}})).status_code == 403
