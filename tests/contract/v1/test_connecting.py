"""Connecting what takes more than a secret: Cloudflare's accounts and Namecheap's users."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keystead.access.permissions import Permission
from keystead.db.session import Database
from tests.support.instance import InProcess, in_process
from tests.support.standins.cloudflare import MINE, Cloudflare, cloudflare
from tests.support.standins.namecheap import API_KEY, IP, USERNAME, Namecheap, namecheap

PATH = "/v1/providers"
CLOUDFLARE, NAMECHEAP = f"{PATH}/cloudflare/credentials", f"{PATH}/namecheap/credentials"


@dataclass
class Connecting:
    """An instance between stand-ins of both."""

    instance: InProcess
    remote: Cloudflare
    registrar: Namecheap

    async def post(self, path: str, **body: Any) -> Any:
        return await self.instance.operator.post(path, json=body)

    async def connect(self, **more: Any) -> Any:
        bootstrap = self.remote.bootstrap(MINE).value
        return await self.post(CLOUDFLARE, **{"account_id": MINE, "bootstrap_token": bootstrap, **more})


@pytest.fixture
async def connecting(database: Database, tmp_path: Path) -> AsyncIterator[Connecting]:
    with cloudflare() as remote, namecheap() as registrar:
        urls = {"provider_cloudflare_url": remote.url, "provider_namecheap_url": registrar.url}
        async with in_process(database, tmp_path, **urls) as instance:
            yield Connecting(instance, remote, registrar)


async def test_an_account_is_connected_and_its_token_rotated(connecting: Connecting) -> None:
    connecting.remote.add_zones(3)

    made = await connecting.connect(alias="Main")
    [first] = connecting.remote.working()
    bootstrap = connecting.remote.bootstrap(MINE).value
    rotated = await connecting.post(f"{CLOUDFLARE}/{made.json()['id']}/rotate", bootstrap_token=bootstrap)
    [second] = connecting.remote.working()

    told = made.json()
    assert (made.status_code, told["external_id"], told["alias"], told["status"]) == (201, MINE, "Main", "active")
    assert (told["is_rotation"], told["synced"]) == (False, {"zones": 3, "domains": 3, "foreign": []})
    assert (told["sync_problem"], told["warnings"], told["scope"]["cf_token_id"]) == (None, [], first.id)
    again = rotated.json()
    assert (rotated.status_code, again["id"], again["alias"], again["is_rotation"]) == (200, told["id"], "Main", True)
    assert again["scope"]["cf_token_id"] == second.id != first.id
    assert connecting.remote.by_value(bootstrap) is None
    for secret in (bootstrap, first.value, second.value):
        assert secret not in made.text + rotated.text


async def test_what_cloudflare_refuses_says_so(connecting: Connecting) -> None:
    refused = await connecting.connect(bootstrap_token="CANARY-wrong")
    unreadable = await connecting.connect(bootstrap_token="CANARY two words")
    elsewhere = await connecting.connect(account_id="../zones")
    unknown = await connecting.connect(profile="everything")

    answers = (refused, unreadable, elsewhere, unknown)
    assert [answer.status_code for answer in answers] == [502, 422, 422, 422]
    assert (refused.json()["code"], refused.json()["title"]) == ("bootstrap_refused", "Refused by the provider")
    assert refused.json()["detail"] == "Cloudflare refused: 1000: Invalid API Token"
    assert [answer.json()["errors"][0]["field"] for answer in answers[1:]] == [
        "bootstrap_token",
        "account_id",
        "profile",
    ]
    assert not any("CANARY" in answer.text for answer in answers)
    assert connecting.remote.working() == []


async def test_a_user_is_connected_by_the_way_that_is_set(connecting: Connecting) -> None:
    given = {"username": f" {USERNAME} ", "api_key": API_KEY}

    without = await connecting.post(NAMECHEAP, **given)
    await connecting.instance.operator.put(f"{PATH}/namecheap/relay", json=connecting.registrar.relay())
    wrong = await connecting.post(NAMECHEAP, username=USERNAME, api_key="CANARY-wrong")
    connecting.registrar.known_ips.clear()
    stranger = await connecting.post(NAMECHEAP, **given)
    connecting.registrar.known_ips.add(IP)
    made = await connecting.post(NAMECHEAP, **given)
    again = await connecting.post(NAMECHEAP, **given)

    assert "keystead provider relay set namecheap" in without.json()["detail"]
    assert (wrong.status_code, wrong.json()["code"]) == (502, "secret_refused")
    assert (stranger.status_code, stranger.json()["code"], IP in stranger.text) == (502, "address_refused", True)
    told = made.json()
    assert (made.status_code, told["external_id"], told["account"]) == (201, USERNAME.lower(), {"balance": "8.32"})
    assert (again.status_code, again.json()["code"]) == (409, "already_connected")
    assert API_KEY not in made.text + again.text


async def test_a_name_that_is_too_long_is_what_is_refused(connecting: Connecting) -> None:
    await connecting.instance.operator.put(f"{PATH}/namecheap/relay", json=connecting.registrar.relay())

    longest = await connecting.post(NAMECHEAP, username="u" * 100, api_key=API_KEY)
    longer = await connecting.post(NAMECHEAP, username="u" * 111, api_key=API_KEY)

    assert (longest.status_code, longest.json()["code"]) == (502, "secret_refused")
    assert (longer.status_code, [one["field"] for one in longer.json()["errors"]]) == (422, ["username"])


async def test_a_rotation_needs_a_key_of_cloudflare_in_force_and_who_may_connect(connecting: Connecting) -> None:
    made = (await connecting.connect()).json()["id"]
    path, operator = f"{CLOUDFLARE}/{made}/rotate", connecting.instance.operator
    user = await connecting.instance.caller(Permission.VAULT_READ, Permission.VAULT_USE)
    body = {"bootstrap_token": connecting.remote.bootstrap(MINE).value}

    forbidden = [
        await user.post(one, json={**body, **more}) for one, more in ((path, {}), (CLOUDFLARE, {"account_id": MINE}))
    ]
    unknown = await operator.post(f"{CLOUDFLARE}/999/rotate", json=body)
    await operator.patch(f"/v1/credentials/{made}", json={"status": "revoked"})
    revoked = await operator.post(path, json=body)

    assert [answer.status_code for answer in forbidden] == [403, 403]
    assert (unknown.status_code, unknown.json()["code"]) == (404, "credential_not_found")
    assert (revoked.status_code, revoked.json()["code"]) == (409, "credential_revoked")
    assert len(connecting.remote.working()) == 1


async def test_hosts_of_a_domain_are_replaced_while_they_are_those_that_were_read(connecting: Connecting) -> None:
    operator, registrar = connecting.instance.operator, connecting.registrar
    registrar.domains["example.com"] = "01/22/2030"
    registrar.hosts["example.com"] = [{"HostName": "@", "RecordType": "A", "Address": "192.0.2.1"}]
    await operator.put(f"{PATH}/namecheap/relay", json=registrar.relay())
    made = await connecting.post(NAMECHEAP, username=USERNAME, api_key=API_KEY)
    path = f"{NAMECHEAP}/{made.json()['id']}/domains/example.com/hosts"
    mail = {"name": "@", "type": "MX", "address": "mail.example.com.", "ttl_s": 300, "preference": 5}

    found = (await operator.get(path)).json()
    wanted = {**found, "items": [*found["items"], mail]}
    put = await operator.put(path, json=wanted)
    late = await operator.put(path, json=wanted)
    none = await operator.put(path, json={**wanted, "items": []})
    elsewhere = await operator.get(path.replace("example.com", "www.example.com"))

    assert found["items"] == [{"name": "@", "type": "A", "address": "192.0.2.1", "ttl_s": 1800, "preference": 10}]
    assert (put.status_code, put.json()["items"][1]) == (200, mail)
    assert put.json() == (await operator.get(path)).json()
    assert (late.status_code, late.json()["code"]) == (409, "hosts_changed")
    assert [answer.status_code for answer in (none, elsewhere)] == [422, 422]
    assert len(registrar.hosts["example.com"]) == 2
    records = await connecting.instance.records(verb="vault.intent")
    assert [record.facts for record in records if record.facts["change"] == "hosts.replace"] == [
        {"change": "hosts.replace", "domain": "example.com", "before": 1, "after": 2}
    ]
