"""Signing in, staying signed in, and being signed out, as a browser goes through it."""

import httpx2
import pytest

from keystead.access.signin.refreshing import GRACE
from keystead.access.signin.sessions import IDLE_LIFE, WHOLE_LIFE
from keystead.access.signin.signingkeys import ACCESS_LIFE
from tests.support.browser import PASSWORD, Browser
from tests.support.clocks import ManualClock
from tests.support.instance import InProcess

ANNA = "anna@example.com"
GRACE_S = GRACE.total_seconds()


def failed(answer: httpx2.Response, status: int, error: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["ok"], body["error"]) == (status, False, error), answer.text
    assert body["message"]


async def another(instance: InProcess, user_agent: str = "Firefox") -> Browser:
    """Sign Anna in once more, in a browser of its own."""
    browser = Browser(instance.stranger(), user_agent)
    assert (await browser.login(ANNA)).status_code == 200
    return browser


async def test_who_registers_is_the_owner_of_a_free_account(browser: Browser, anna: httpx2.Response) -> None:
    me = (await browser.get("/auth/me")).json()

    [account] = me["accounts"]
    assert (account["role"], account["plan"], account["name"]) == ("owner", "free", ANNA)
    assert me["active_account_id"] == account["id"] == anna.json()["active_account_id"]


async def test_login_refresh_me_logout(instance: InProcess, anna: httpx2.Response) -> None:
    browser = Browser(instance.stranger())
    opened = await browser.login("Anna@Example.com")
    first = browser.refresh_token

    renewed = await browser.post("refresh")

    assert (opened.json()["ok"], opened.json()["expires_in"]) == (True, 900)
    assert list(renewed.json()) == ["status", "access_token"]
    assert browser.refresh_token != first
    assert (await browser.get("/auth/me")).status_code == 200
    assert (await browser.post("logout")).json() == {"status": "ok"}
    assert browser.refresh_token == ""
    failed(await browser.get("/auth/me"), 401, "session_ended")


async def test_the_cookie_is_for_this_wire_and_no_script(browser: Browser, anna: httpx2.Response) -> None:
    attributes = anna.headers["set-cookie"].split("; ")[1:]

    assert sorted(attributes) == ["HttpOnly", "Max-Age=604800", "Path=/auth", "SameSite=strict"]


async def test_the_cookie_is_secure_where_there_is_tls(instance: InProcess, anna: httpx2.Response) -> None:
    http = instance.stranger()
    http.base_url = httpx2.URL("https://keystead.test")

    opened = await Browser(http).login(ANNA)

    assert "Secure" in opened.headers["set-cookie"].split("; ")


async def test_an_access_token_ends_after_fifteen_minutes(
    browser: Browser, anna: httpx2.Response, clock: ManualClock
) -> None:
    clock.advance(ACCESS_LIFE.total_seconds() - 1)
    assert (await browser.get("/auth/me")).status_code == 200

    clock.advance(1)

    failed(await browser.get("/auth/me"), 401, "token_expired")
    await browser.post("refresh")
    assert (await browser.get("/auth/me")).status_code == 200


async def test_two_tabs_that_refresh_at_once_stay_signed_in(
    browser: Browser, anna: httpx2.Response, clock: ManualClock
) -> None:
    shared = browser.refresh_token
    first = await browser.post("refresh")
    successor = browser.refresh_token
    clock.advance(GRACE_S - 1)
    browser.refresh_token = shared

    second = await browser.post("refresh")

    assert (first.status_code, second.status_code) == (200, 200)
    assert browser.refresh_token == successor
    clock.advance(GRACE_S + 1)
    assert (await browser.post("refresh")).status_code == 200


async def test_a_copied_refresh_token_ends_the_session_for_both(
    instance: InProcess, browser: Browser, anna: httpx2.Response, clock: ManualClock
) -> None:
    thief = Browser(instance.stranger("203.0.113.66"), "Firefox")
    thief.refresh_token = browser.refresh_token
    await browser.post("refresh")
    clock.advance(GRACE_S)

    failed(await thief.post("refresh"), 401, "session_hijack_detected")

    failed(await browser.post("refresh"), 401, "session_ended")
    failed(await browser.get("/auth/me"), 401, "session_ended")
    assert [record.outcome for record in await records(instance, anna, "access.session.reused")] == ["done"]


async def records(instance: InProcess, anna: httpx2.Response, verb: str) -> list[object]:
    token = (await Browser(instance.stranger()).login(ANNA)).json()["access_token"]
    found = await instance.stranger().get(
        f"/v1/audit?verb={verb}", headers={"authorization": f"Bearer {token}", "user-agent": "Firefox"}
    )
    return [type("Record", (), entry) for entry in found.json()["items"]]


@pytest.mark.parametrize("token", ["nonsense", "a.1.b", "f" * 32 + ".1." + "0" * 64, "é.1.x"])
async def test_a_made_up_refresh_token_opens_nothing(browser: Browser, token: str) -> None:
    answer = await browser.http.post("/auth/refresh", headers={"cookie": f"refresh_id={token}".encode()})

    failed(answer, 401, "session_ended")


async def test_a_forged_proof_does_not_end_the_session(
    instance: InProcess, browser: Browser, anna: httpx2.Response
) -> None:
    session_id = browser.refresh_token.partition(".")[0]
    forger = Browser(instance.stranger())
    forger.refresh_token = f"{session_id}.0.{'0' * 64}"

    failed(await forger.post("refresh"), 401, "session_ended")

    assert (await browser.post("refresh")).status_code == 200


async def test_a_session_that_is_left_alone_ends(browser: Browser, anna: httpx2.Response, clock: ManualClock) -> None:
    clock.advance(IDLE_LIFE.total_seconds())

    failed(await browser.post("refresh"), 401, "session_ended")


async def test_a_session_ends_however_busy_it_is(browser: Browser, anna: httpx2.Response, clock: ManualClock) -> None:
    for _ in range(WHOLE_LIFE // (IDLE_LIFE / 2)):
        clock.advance(IDLE_LIFE.total_seconds() / 2 - 1)
        assert (await browser.post("refresh")).status_code == 200

    clock.advance(IDLE_LIFE.total_seconds() / 2 + 60)

    failed(await browser.post("refresh"), 401, "session_ended")


async def test_no_cookie_is_no_session(browser: Browser) -> None:
    failed(await browser.post("refresh"), 401, "unauthorized")
    assert (await browser.post("logout")).status_code == 200
    failed(await browser.get("/auth/me"), 401, "unauthorized")


async def test_an_access_token_opens_nothing_from_elsewhere(
    instance: InProcess, browser: Browser, anna: httpx2.Response
) -> None:
    credential = {"authorization": f"Bearer {browser.access}"}
    for http, agent in ((instance.stranger("203.0.113.9"), "Firefox"), (instance.stranger(), "curl")):
        headers = credential | {"user-agent": agent}
        failed(await http.get("/auth/me", headers=headers), 401, "fingerprint_mismatch")
        native = await http.get("/v1/whoami", headers=headers)
        assert (native.status_code, native.json()["code"]) == (401, "fingerprint_mismatch")


@pytest.mark.parametrize(
    "token", ["ey.ey.ey", "eyJhbGciOiJub25lIiwia2lkIjoieCJ9.eyJ0eXAiOiJhY2Nlc3MifQ.", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"]
)
async def test_a_token_that_was_not_made_here_opens_nothing(browser: Browser, token: str) -> None:
    browser.access = token

    failed(await browser.get("/auth/me"), 401, "token_invalid")


async def test_a_person_may_use_the_native_api_within_its_account(browser: Browser, anna: httpx2.Response) -> None:
    who = (await browser.get("/v1/whoami")).json()
    account = (await browser.get("/v1/account")).json()

    assert who["actor"].endswith(ANNA)
    assert (account["is_house"], account["limits"]["cloudflare_accounts"]) == (False, 1)
    assert (await browser.get("/v1/vpn/keys")).status_code == 403
    assert (await browser.get("/v1/accounts")).status_code == 403


async def test_a_changed_password_signs_out_everywhere_else_at_once(
    instance: InProcess, browser: Browser, anna: httpx2.Response
) -> None:
    elsewhere, old = await another(instance), browser.access
    body = {"current_password": PASSWORD, "new_password": "another long password"}

    changed = await browser.post("change_password", body)

    assert changed.json()["ok"]
    assert (await browser.get("/auth/me")).status_code == 200
    failed(await elsewhere.get("/auth/me"), 401, "session_ended")
    failed(await elsewhere.post("refresh"), 401, "session_ended")
    browser.access = old
    failed(await browser.get("/auth/me"), 401, "session_ended")
    failed(await elsewhere.login(ANNA), 401, "invalid_credentials")
    assert (await elsewhere.login(ANNA, "another long password")).status_code == 200


async def test_a_wrong_present_password_changes_nothing(browser: Browser, anna: httpx2.Response) -> None:
    wrong = {"current_password": "not the password", "new_password": "another long password"}

    failed(await browser.post("change_password", wrong), 401, "invalid_credentials")


async def test_a_new_password_too_short_uses_no_attempt_up(browser: Browser, anna: httpx2.Response) -> None:
    short = {"current_password": PASSWORD, "new_password": "short"}
    for _ in range(6):
        refused = await browser.post("change_password", short)

    failed(refused, 400, "invalid")
    assert refused.json()["fields"] == ["new_password"]
    assert (await browser.post("change_password", short | {"new_password": "long enough now"})).status_code == 200


@pytest.mark.parametrize("account_id", [True, 1.0, "1"])
async def test_only_a_number_names_an_account(browser: Browser, anna: httpx2.Response, account_id: object) -> None:
    failed(await browser.post("switch_account", {"account_id": account_id}), 400, "invalid")


async def test_sessions_are_listed_and_ended_one_by_one(
    instance: InProcess, browser: Browser, anna: httpx2.Response, clock: ManualClock
) -> None:
    clock.advance(1)
    elsewhere = await another(instance, "Safari")

    listed = (await browser.get("/auth/sessions")).json()["sessions"]

    assert [(one["user_agent"], one["is_current"]) for one in listed] == [("Safari", False), ("Firefox", True)]
    assert (await browser.delete(f"/auth/sessions/{listed[0]['id']}")).json() == {"ok": True}
    failed(await elsewhere.get("/auth/me"), 401, "session_ended")
    assert (await browser.get("/auth/me")).status_code == 200


async def test_all_other_sessions_are_ended_at_once(
    instance: InProcess, browser: Browser, anna: httpx2.Response
) -> None:
    elsewhere = [await another(instance), await another(instance)]

    assert (await browser.delete("/auth/sessions")).json() == {"ok": True, "ended": 2}

    for one in elsewhere:
        failed(await one.get("/auth/me"), 401, "session_ended")
    assert (await browser.get("/auth/me")).status_code == 200


async def test_nobody_ends_a_session_of_somebody_else(
    instance: InProcess, browser: Browser, anna: httpx2.Response, clock: ManualClock
) -> None:
    clock.advance(900)
    bert = Browser(instance.stranger())
    await bert.register("bert@example.com")
    [session] = (await bert.get("/auth/sessions")).json()["sessions"]
    await browser.post("refresh")

    failed(await browser.delete(f"/auth/sessions/{session['id']}"), 404, "not_found")

    assert (await bert.get("/auth/me")).status_code == 200


async def test_people_of_a_suspended_account_are_out_at_once(
    instance: InProcess, browser: Browser, anna: httpx2.Response
) -> None:
    user_id = (await browser.get("/auth/me")).json()["user"]["id"]
    account_id = anna.json()["active_account_id"]
    await instance.operator.patch(f"/v1/accounts/{account_id}", json={"is_active": False})

    failed(await browser.get("/auth/me"), 401, "session_ended")
    failed(await Browser(instance.stranger()).login(ANNA), 403, "forbidden")
    await instance.operator.patch(f"/v1/accounts/{account_id}", json={"is_active": True})
    assert (await browser.get("/auth/me")).json()["user"]["id"] == user_id


async def test_a_rotated_signing_key_lets_tokens_live_and_a_leaked_one_does_not(
    instance: InProcess, browser: Browser, anna: httpx2.Response
) -> None:
    old = browser.access
    rotated = await instance.operator.post("/v1/signing-key/rotate", json={})
    assert (await browser.get("/auth/me")).status_code == 200
    await browser.post("refresh")
    assert browser.access.partition(".")[0] != old.partition(".")[0]

    leaked = await instance.operator.post("/v1/signing-key/rotate", json={"is_leaked": True})

    assert rotated.json()["kid"] != leaked.json()["kid"]
    failed(await browser.get("/auth/me"), 401, "token_invalid")
    await browser.post("refresh")
    assert (await browser.get("/auth/me")).status_code == 200
