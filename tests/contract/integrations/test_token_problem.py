"""The integrations wire where token problems are answered 401, so that pages refresh their token by themselves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keystead.access.permissions import Permission
from keystead.db.session import Database
from tests.contract.integrations.test_cloudflare_init import failure
from tests.support.browser import Browser
from tests.support.instance import InProcess, in_process

KEYS = "/integrations/keys"


@pytest.fixture
async def instance(database: Database, tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(
        database, tmp_path, registration="open", integrations_token_problem="unauthorized"
    ) as running:
        yield running


async def test_a_token_that_is_missing_wrong_or_of_another_browser_is_unauthorized(instance: InProcess) -> None:
    browser = Browser(instance.stranger())
    await browser.register("anna@example.com")
    elsewhere = {"authorization": f"Bearer {browser.access}", "user-agent": "curl/8"}

    answers = [
        await instance.stranger().get(KEYS),
        await instance.bearer("nobody").get(KEYS),
        await instance.stranger().get(KEYS, headers=elsewhere),
    ]

    reasons = ["token_missing", "token_invalid", "fingerprint_mismatch"]
    assert [one.status_code for one in answers] == [401] * 3
    assert [one.json() for one in answers] == [failure("unauthorized", reason=reason) for reason in reasons]
    assert [one.headers["www-authenticate"] for one in answers] == ["Bearer"] * 3


async def test_an_ended_session_is_unauthorized(instance: InProcess) -> None:
    browser = Browser(instance.stranger())
    await browser.register("anna@example.com")
    bearer = {"authorization": f"Bearer {browser.access}"}
    await browser.post("logout")

    answer = await browser.http.get(KEYS, headers=bearer)

    assert (answer.status_code, answer.json()) == (401, failure("unauthorized", reason="token_expired"))


async def test_who_is_known_and_no_owner_is_still_told_so(instance: InProcess) -> None:
    caller = await instance.caller(Permission.VPN_KEYS_READ)

    answer = await caller.get(KEYS)

    assert (answer.status_code, answer.json()) == (403, failure("owner_required", reason="role"))
