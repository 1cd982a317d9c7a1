"""People who signed in at the integrations wire: owners, and everybody else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keystead.db.session import Database
from tests.contract.integrations.conftest import Wire
from tests.contract.integrations.test_cloudflare_init import failure
from tests.support.browser import Browser
from tests.support.instance import in_process
from tests.support.standins.cloudflare import MINE, OTHER, Cloudflare
from tests.support.standins.namecheap import Namecheap

ORIGIN = "https://app.example.com"


@pytest.fixture
async def wire(database: Database, tmp_path: Path, remote: Cloudflare, registrar: Namecheap) -> AsyncIterator[Wire]:
    """Run an instance where anybody may register, with pages of one origin."""
    settings = {"registration": "open", "cors_origins": (ORIGIN,), "provider_cloudflare_url": remote.url}
    async with in_process(database, tmp_path, **settings) as instance:
        yield Wire(instance, remote, registrar, await instance.caller())


async def test_who_registers_owns_a_free_account_and_replaces_its_one_cloudflare_account(wire: Wire) -> None:
    browser = Browser(wire.instance.stranger())
    await browser.register("anna@example.com")
    page = {"authorization": f"Bearer {browser.access}", "origin": ORIGIN}
    path = "/integrations/cloudflare/init"

    def body(account_id: str, **more: object) -> dict[str, object]:
        return {"cf_account_id": account_id, "bootstrap_token": wire.remote.bootstrap(account_id).value, **more}

    first = await browser.http.post(path, json=body(MINE), headers=page)
    refused = await browser.http.post(path, json=body(OTHER), headers=page)
    second = await browser.http.post(path, json=body(OTHER, confirm_replace=True), headers=page)
    shown = (await browser.get("/integrations/keys")).json()["keys"]

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.headers["access-control-allow-origin"] == ORIGIN
    assert (refused.status_code, refused.json()["error"]) == (409, "cf_account_conflict")
    assert [key["external_account_id"] for key in shown] == [OTHER]
    assert (await wire.owner.get("/integrations/keys")).json()["keys"] == []


async def test_a_token_of_another_browser_and_an_ended_session_open_nothing(wire: Wire) -> None:
    browser = Browser(wire.instance.stranger())
    await browser.register("anna@example.com")
    bearer = {"authorization": f"Bearer {browser.access}"}

    elsewhere = await wire.instance.stranger().get("/integrations/keys", headers={**bearer, "user-agent": "curl/8"})
    await browser.post("logout")
    after = await browser.http.get("/integrations/keys", headers=bearer)

    assert (elsewhere.status_code, elsewhere.json()) == (403, failure("owner_required", reason="fingerprint_mismatch"))
    assert (after.status_code, after.json()) == (403, failure("owner_required", reason="token_expired"))


@pytest.mark.parametrize("role", ["editor", "viewer"])
async def test_only_owners_may(wire: Wire, role: str) -> None:
    owner = Browser(wire.instance.stranger())
    await owner.register("anna@example.com")
    invited = await owner.http.post(
        "/v1/invitations",
        json={"login": "bert@example.com", "role": role},
        headers={"authorization": f"Bearer {owner.access}"},
    )
    member = Browser(wire.instance.stranger())
    await member.register("bert@example.com", invitation=invited.json()["secret"])

    answer = await member.get("/integrations/keys")

    assert (answer.status_code, answer.json()) == (403, failure("owner_required", reason="role"))
