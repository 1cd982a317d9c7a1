"""The second factor: enrolled, asked for, never accepted twice, and lost."""

import base64
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tests.contract.auth.test_flows import ANNA, failed
from tests.support.browser import Browser
from tests.support.clocks import ManualClock
from tests.support.instance import InProcess


class Authenticator:
    """An app on Anna's telephone."""

    def __init__(self, secret: str, clock: ManualClock) -> None:
        self._totp = TOTP(base64.b32decode(secret), 6, SHA1(), 30)
        self._clock = clock

    def code(self, behind_s: int = 0) -> str:
        return self._totp.generate(int(self._clock.now().timestamp()) - behind_s).decode()


@pytest.fixture
async def enrolled(browser: Browser, anna: httpx2.Response, clock: ManualClock) -> tuple[Authenticator, list[str]]:
    """Give Anna a second factor; return her app and her recovery codes."""
    begun = (await browser.post("totp/begin")).json()
    app = Authenticator(begun["secret"], clock)
    confirmed = await browser.post("totp/confirm", {"code": app.code()})
    assert confirmed.status_code == 200, confirmed.text
    clock.advance(30)
    return app, confirmed.json()["recovery_codes"]


async def test_an_app_is_told_all_it_needs(browser: Browser, anna: httpx2.Response) -> None:
    begun = (await browser.post("totp/begin")).json()

    assert begun["otpauth_uri"].startswith("otpauth://totp/Keystead:anna%40example.com?")
    assert f"secret={begun['secret']}" in begun["otpauth_uri"]
    assert (await browser.get("/auth/me")).json()["user"]["totp_enabled"] is False


async def test_a_password_alone_is_not_enough(
    instance: InProcess, browser: Browser, enrolled: tuple[Authenticator, Any]
) -> None:
    app, _ = enrolled
    assert (await browser.get("/auth/me")).json()["user"]["totp_enabled"] is True
    other = Browser(instance.stranger())

    failed(await other.login(ANNA), 401, "totp_required")
    failed(await other.login(ANNA, code="000000"), 401, "totp_invalid")

    assert (await other.login(ANNA, code=app.code())).status_code == 200


async def test_asking_for_the_code_uses_no_attempt_up(instance: InProcess, enrolled: tuple[Authenticator, Any]) -> None:
    answers = [(await Browser(instance.stranger()).login(ANNA)).json()["error"] for _ in range(7)]

    assert answers == ["totp_required"] * 7


async def test_no_code_is_accepted_twice(instance: InProcess, enrolled: tuple[Authenticator, Any]) -> None:
    app, _ = enrolled
    code = app.code()
    assert (await Browser(instance.stranger()).login(ANNA, code=code)).status_code == 200

    failed(await Browser(instance.stranger()).login(ANNA, code=code), 401, "totp_invalid")
    failed(await Browser(instance.stranger()).login(ANNA, code=app.code(behind_s=30)), 401, "totp_invalid")


async def test_a_clock_may_be_a_step_behind(
    instance: InProcess, enrolled: tuple[Authenticator, Any], clock: ManualClock
) -> None:
    app, _ = enrolled
    clock.advance(60)

    failed(await Browser(instance.stranger()).login(ANNA, code=app.code(behind_s=60)), 401, "totp_invalid")
    assert (await Browser(instance.stranger()).login(ANNA, code=app.code(behind_s=30))).status_code == 200


async def test_a_recovery_code_works_once(instance: InProcess, enrolled: tuple[Any, list[str]]) -> None:
    _, codes = enrolled
    assert len(set(codes)) == 10
    written = codes[0].upper().replace("-", " ")

    assert (await Browser(instance.stranger()).login(ANNA, code=written)).status_code == 200
    failed(await Browser(instance.stranger()).login(ANNA, code=codes[0]), 401, "totp_invalid")


async def test_codes_are_guessed_at_five_times(instance: InProcess, enrolled: tuple[Authenticator, Any]) -> None:
    app, _ = enrolled
    for number in range(5):
        guesser = Browser(instance.stranger(f"203.0.113.{number}"))
        failed(await guesser.login(ANNA, code="000000"), 401, "totp_invalid")

    failed(await Browser(instance.stranger()).login(ANNA, code=app.code()), 429, "rate_limit_exceeded")


async def test_new_recovery_codes_void_the_old(
    instance: InProcess, browser: Browser, enrolled: tuple[Authenticator, list[str]], clock: ManualClock
) -> None:
    app, old = enrolled
    failed(await browser.post("totp/recovery_codes", {"code": "000000"}), 401, "totp_invalid")

    new = (await browser.post("totp/recovery_codes", {"code": app.code()})).json()["recovery_codes"]

    failed(await Browser(instance.stranger()).login(ANNA, code=old[0]), 401, "totp_invalid")
    assert (await Browser(instance.stranger()).login(ANNA, code=new[0])).status_code == 200


async def test_a_second_factor_is_removed_with_a_code(
    instance: InProcess, browser: Browser, enrolled: tuple[Authenticator, Any]
) -> None:
    app, _ = enrolled
    failed(await browser.post("totp/begin"), 409, "conflict")

    assert (await browser.post("totp/disable", {"code": app.code()})).json() == {"ok": True}

    assert (await Browser(instance.stranger()).login(ANNA)).status_code == 200
    failed(await browser.post("totp/confirm", {"code": app.code()}), 409, "conflict")


async def test_a_manager_of_another_account_takes_nobody_s_second_factor(
    instance: InProcess, browser: Browser, enrolled: tuple[Authenticator, Any]
) -> None:
    user_id = (await browser.get("/auth/me")).json()["user"]["id"]

    assert (await instance.operator.delete(f"/v1/users/{user_id}/second-factor")).status_code == 404

    failed(await Browser(instance.stranger()).login(ANNA), 401, "totp_required")
