"""A person signs in to a real instance over TLS, invited by the command line; and a script works with a token."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from tests.e2e.test_cli import beside
from tests.support.browser import PASSWORD, Browser
from tests.support.keystead import Keystead, keystead

ANNA = "anna@example.com"


def browser_of(instance: Keystead, user_agent: str = "Firefox") -> Browser:
    return Browser(httpx2.AsyncClient(base_url=instance.url, verify=False, timeout=30), user_agent)


async def test_a_person_is_invited_signs_in_stays_and_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keystead(tmp_path, is_started=False, KEYSTEAD_TLS="self-signed") as instance:
        await instance.start()
        do = beside(instance, capsys, monkeypatch)
        invitation = (await asyncio.to_thread(do.run, "user", "invite", ANNA, "--role", "owner")).out.strip()
        first, second = browser_of(instance), browser_of(instance, "Safari")

        opened = await first.register(ANNA, invitation=invitation)
        assert (await second.login(ANNA)).status_code == 200

        assert "Secure" in opened.headers["set-cookie"]
        assert opened.json()["accounts"][0]["plan"] == "buss"
        await instance.stop()
        await instance.start()
        answers = await asyncio.gather(*(first.post("refresh") for _ in range(4)))
        assert [answer.status_code for answer in answers] == [200] * 4
        assert len({answer.headers["set-cookie"].split(";")[0] for answer in answers}) >= 1
        assert (await first.get("/v1/vpn/keys")).status_code == 200

        shown = await asyncio.to_thread(do.json, "user", "sessions", ANNA)
        ended = await asyncio.to_thread(do.json, "user", "sign-out", ANNA)
        assert {one["user_agent"] for one in shown} == {"Firefox", "Safari"}
        assert ended == {"ended": 2}
        assert [(await one.get("/auth/me")).status_code for one in (first, second)] == [401, 401]

        link = (await asyncio.to_thread(do.run, "user", "reset-password", ANNA)).out.strip()
        wanted = {"token": link, "password": "another long password"}
        assert (await first.post("confirm_password", wanted)).status_code == 200
        assert (await first.login(ANNA)).status_code == 401
        assert (await first.login(ANNA, "another long password")).status_code == 200
        for one in (first, second):
            await one.http.aclose()
        secrets = (invitation, link, PASSWORD, first.access, first.refresh_token)
        assert [secret for secret in secrets if secret and secret in instance.log()] == []


async def test_a_script_s_token_is_an_owner_s_and_bound_to_no_browser(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keystead(tmp_path) as instance:
        do = beside(instance, capsys, monkeypatch)
        await asyncio.to_thread(do.json, "account", "create", "north", "--plan", "pro")
        made = await asyncio.to_thread(
            do.run, "--account", "north", "token", "create", "script", "--permission", "owner"
        )

        for agent in ("curl/8", "python"):
            headers = {"authorization": f"Bearer {made.out.strip()}", "user-agent": agent}
            account = (await instance.http.get("/v1/account", headers=headers)).json()
            assert (account["name"], account["plan"]) == ("north", "pro")
