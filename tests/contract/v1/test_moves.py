"""Domain moves over the native API, against stand-ins on loopback."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keystead.access.permissions import Permission, permission_of
from keystead.db.session import Database
from keystead.dialects.v1 import move_shapes as shapes
from keystead.operations import transaction
from keystead.vault import moves as move_verbs
from tests.support.instance import InProcess, in_process
from tests.support.standins.cloudflare import MINE, Cloudflare, cloudflare
from tests.support.standins.dns import ADDRESS, NameServers, name_servers
from tests.support.standins.namecheap import API_KEY, OWN_DNS, USERNAME, Namecheap, namecheap
from tests.support.standins.namesilo import API_KEY as NAMESILO_KEY
from tests.support.standins.namesilo import NameSilo, namesilo
from tests.support.standins.server import Fate

MOVES = "/v1/domain-moves"
LIST = {"domains": [{"domain": "domain-000.pro"}, {"domain": "domain-001.pro"}, {"domain": "not-ours.com"}]}


@dataclass
class Standing:
    """An instance between stand-ins, both providers connected."""

    instance: InProcess
    remote: Cloudflare
    registrar: Namecheap
    second: NameSilo
    servers: NameServers

    async def post(self, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
        """Post as the operator."""
        answer = await self.instance.operator.post(f"{MOVES}{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def ended(self, number: int) -> shapes.DomainMove:
        """Wait until a move has ended."""
        async with asyncio.timeout(60):
            while True:
                answer = await self.instance.operator.get(f"{MOVES}/{number}")
                move = shapes.DomainMove.model_validate_json(answer.content)
                if move.state not in {"waiting", "running", "paused"}:
                    return move
                await asyncio.sleep(0.05)


@pytest.fixture
async def standing(database: Database, tmp_path: Path) -> AsyncIterator[Standing]:
    with cloudflare() as remote, namecheap() as registrar, namesilo() as second, name_servers() as servers:
        registrar.add_domains(2)
        urls = {
            "provider_cloudflare_url": remote.url,
            "provider_namecheap_url": registrar.url,
            **second.settings(),
            "dns_resolvers": ADDRESS,
            "dns_port": servers.port,
        }
        async with in_process(database, tmp_path, **urls) as instance:
            servers.delegated = remote.delegated = lambda name: (
                registrar.name_servers.get(name, OWN_DNS) if name in registrar.domains else None
            )
            owner, bootstrap = await instance.caller(), remote.bootstrap()
            await instance.operator.put("/v1/providers/namecheap/relay", json=registrar.relay())
            for provider, body in (
                ("cloudflare", {"cf_account_id": MINE, "bootstrap_token": bootstrap.value}),
                ("namecheap", {"username": USERNAME, "api_key": API_KEY}),
            ):
                made = await owner.post(f"/integrations/{provider}/init", json=body)
                assert made.status_code == 200, made.text
            yield Standing(instance, remote, registrar, second, servers)


async def test_a_move_is_planned_approved_paused_continued_and_undone(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = await standing.post("", **LIST, dry_run=True)
    held = standing.remote.fault("POST", "/zones", Fate.HOLD, times=2)
    begun = await standing.post("", 202, **LIST, digest=planned["digest"])
    number = begun["id"]
    async with asyncio.timeout(60):
        while not standing.remote.asked("POST", "/zones"):
            await asyncio.sleep(0.02)
    paused = await standing.post(f"/{number}/pause")
    held.go_on.set()
    continued = await standing.post(f"/{number}/continue")
    done = await standing.ended(number)
    results = (await standing.instance.operator.get(f"{MOVES}/{number}/results")).json()
    foreseen = await standing.post(f"/{number}/undo", removes_zones=True, dry_run=True)
    checked: list[object] = []
    monkeypatch.setattr(transaction, "permission_of", lambda verb: checked.append(verb) or permission_of(verb))
    once = {"idempotency-key": "undo-once"}
    begun_twice = [
        await standing.instance.operator.post(f"{MOVES}/{number}/undo", json={"removes_zones": True}, headers=once)
        for _ in range(2)
    ]
    undone = await standing.ended(begun_twice[0].json()["id"])

    shapes.MovePlanned.model_validate(planned, strict=False)
    assert (planned["change"], planned["refused"], planned["zones_made"]) == (2, 1, 2)
    assert (paused["state"], continued["state"]) == ("paused", "waiting")
    assert (done.state, done.done, done.states["done"], done.states["refused"]) == ("done", 2, 2, 1)
    assert [one["previous"] for one in results["items"]] == [OWN_DNS, OWN_DNS, None]
    assert results["items"][2]["reason"] == "it is not registered with credential 2"
    assert foreseen == {"name_servers": 2, "by_hand": 0, "zones": 2}
    assert [answer.status_code for answer in begun_twice] == [202, 202]
    assert begun_twice[0].content == begun_twice[1].content
    assert move_verbs.undo in checked
    assert (undone.direction, undone.undoes, undone.states["done"]) == ("undo", number, 2)
    assert (standing.remote.zones, standing.registrar.name_servers) == ({}, {})


async def test_a_plan_names_the_registrar_of_each_domain_and_what_is_left_to_a_person(standing: Standing) -> None:
    owner = await standing.instance.caller()
    standing.second.mine.domains["second.com"] = "2030-01-22"
    made = (await owner.post("/integrations/namesilo/init", json={"api_key": NAMESILO_KEY})).json()
    names = ("domain-000.pro", "second.com", "not-ours.com")

    wanted = [{"domain": name} for name in names]
    planned = await standing.post("", domains=wanted, by_hand=True, dry_run=True)
    strict = await standing.post("", domains=[*wanted[:2], {**wanted[2], "by_hand": False}], by_hand=True, dry_run=True)

    shapes.MovePlanned.model_validate(planned, strict=False)
    assert [(one["registrar"], one["by_hand"]) for one in planned["items"]] == [
        ("namecheap", False),
        ("namesilo", False),
        (None, True),
    ]
    assert planned["items"][1]["registrar_credential_id"] == made["key_id"]
    assert (planned["change"], planned["by_hand"], strict["refused"]) == (3, 1, 1)
    assert strict["items"][2]["note"] == "it is not registered with any credential here"


async def test_what_does_not_fit_is_refused(standing: Standing) -> None:
    planned = await standing.post("", **LIST, dry_run=True)

    assert (await standing.post("", 409, **LIST))["code"] == "needs_confirmation"
    assert (await standing.post("", 409, **LIST, digest="0" * 16))["code"] == "conflict"
    assert (await standing.post("", 422, domains=[]))["code"] == "invalid"
    record = {"type": "SOA", "name": "@", "content": "x"}
    refused = await standing.post("", 422, **LIST, records=[record], dry_run=True)
    assert [problem["field"] for problem in refused["errors"]] == ["records.0"]
    for path in ("/7/pause", "/7/continue", "/7/cancel", "/7/retry"):
        assert (await standing.post(path, 404))["code"] == "not_found"
    reader = await standing.instance.caller(Permission.VAULT_READ)
    assert (await reader.post(MOVES, json={**LIST, "digest": planned["digest"]})).status_code == 403
    assert (await reader.get(MOVES)).json() == {"items": [], "next": None}
