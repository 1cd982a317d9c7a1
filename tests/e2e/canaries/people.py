"""People and what they sign in with: passwords, links by mail and by hand, sessions, second factors, tokens."""

import base64
import time

import httpx2
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tests.e2e.canaries.stage import Stage
from tests.support.browser import Browser

ANNA, BERT, CLARA = "anna@example.com", "bert@example.com", "clara"
PERSON, NEW, WRONG = "canary password 7 of a person", "canary password 8 of a person", "canary that is wrong"
STEP_S = 30


async def sign_in(there: Stage) -> None:
    """Register by mail, sign in with a right and a wrong password, reset it, use a second factor."""
    for password in (PERSON, NEW, WRONG):
        there.canaries.mark("a password", password)
    async with httpx2.AsyncClient(base_url=there.instance.url, timeout=30.0) as http:
        browser = Browser(http)
        there.said["registering"] = (await browser.post("register", {"email": ANNA, "password": PERSON})).text
        opened = await browser.post("verify", {"token": await there.mailed(ANNA, 1)})
        assert opened.status_code == 200, opened.text
        note_session(there, browser)
        await _be_refused(there, browser)
        await _have_a_second_factor(there, browser)
        await _reset(there, browser)


async def invite(there: Stage) -> None:
    """Invite people by mail and by hand, and make links by hand."""
    await there.command("user", "invite", BERT, "--role", "owner")
    async with httpx2.AsyncClient(base_url=there.instance.url, timeout=30.0) as http:
        browser = Browser(http)
        invitation = await there.mailed(BERT, 1)
        pending = await browser.post("register", {"email": BERT, "password": PERSON, "invitation": invitation})
        confirming = there.canaries.mark("a registration's secret", pending.json()["token"])
        assert (await browser.post("verify", {"token": confirming})).status_code == 200
        note_session(there, browser)
    there.canaries.mark("an invitation", await there.printed("user", "invite", CLARA, "--role", "viewer"))
    waiting = (await there.ask("GET", "/v1/invitations"))["items"]
    await there.ask("DELETE", f"/v1/invitations/{waiting[0]['id']}", status=204)
    made = await there.ask("POST", "/v1/users", {"login": CLARA, "password": PERSON}, status=201)
    link = await there.told("POST", f"/v1/users/{made['id']}/reset-link")
    there.canaries.mark("a link", link["secret"])
    there.canaries.mark("another link", await there.printed("user", "reset-password", CLARA))
    await there.ask("PATCH", f"/v1/users/{made['id']}", {"password": NEW})


async def issue_tokens(there: Stage) -> None:
    """Issue tokens, also twice under one Idempotency-Key, and rotate what signs people's."""
    headers = {"idempotency-key": "once"}
    wanted = {"name": "script", "permissions": ["vpn.keys.read"]}
    first = await there.owner.post("/v1/tokens", json=wanted, headers=headers)
    again = await there.owner.post("/v1/tokens", json=wanted, headers=headers)
    there.canaries.mark("a script's token", first.json()["secret"])
    there.said["a token again"] = again.text
    assert (again.status_code, again.json()["secret"]) == (201, None)
    made = await there.printed("token", "create", "another", "--permission", "vpn.keys.read")
    there.canaries.mark("a token that was printed", made)
    await there.ask("POST", "/v1/signing-key/rotate", {"is_leaked": False})


def note_session(there: Stage, browser: Browser) -> None:
    """Mark what a browser holds."""
    there.canaries.mark("an access token", browser.access)
    there.canaries.mark("a refresh token", browser.refresh_token)


async def _be_refused(there: Stage, browser: Browser) -> None:
    for body in ({"email": ANNA, "password": WRONG}, {"email": ANNA, "password": [WRONG]}, {"email": [PERSON]}):
        refused = await browser.post("login", body)
        there.said[f"a wrong login {len(there.said)}"] = refused.text
        assert refused.status_code in {400, 401}, refused.text
    assert (await browser.login(ANNA, PERSON)).status_code == 200
    note_session(there, browser)
    assert (await browser.post("refresh")).status_code == 200
    note_session(there, browser)


async def _have_a_second_factor(there: Stage, browser: Browser) -> None:
    begun = (await browser.post("totp/begin")).json()
    secret = there.canaries.mark("the secret of an authenticator", begun["secret"])
    raw = base64.b32decode(secret)
    there.canaries.mark("the same in hexadecimal", raw.hex())
    there.canaries.mark("the same in base64", base64.b64encode(raw).decode())
    code = TOTP(raw, 6, SHA1(), STEP_S).generate(int(time.time())).decode()
    confirmed = await browser.post("totp/confirm", {"code": code})
    assert confirmed.status_code == 200, confirmed.text
    codes = _noted(there, confirmed.json()["recovery_codes"])
    there.said["without a code"] = (await browser.login(ANNA, PERSON)).text
    wrong = there.canaries.mark("a wrong code", "canary-wrong-code")
    there.said["with a wrong code"] = (await browser.login(ANNA, PERSON, code=wrong)).text
    assert (await browser.login(ANNA, PERSON, code=codes[0])).status_code == 200
    note_session(there, browser)
    renewed = await browser.post("totp/recovery_codes", {"code": codes[1]})
    _noted(there, renewed.json()["recovery_codes"])


def _noted(there: Stage, codes: list[str]) -> list[str]:
    for code in codes:
        there.canaries.mark("a recovery code", code)
        there.canaries.mark("a recovery code without dashes", code.replace("-", ""))
    return codes


async def _reset(there: Stage, browser: Browser) -> None:
    there.said["asking for a reset"] = (await browser.post("reset_password", {"email": ANNA})).text
    token = await there.mailed(ANNA, 2)
    for body in ({"token": token, "password": [NEW]}, {"token": f"{token}x", "password": NEW}):
        refused = await browser.post("confirm_password", body)
        there.said[f"a wrong reset {len(there.said)}"] = refused.text
        assert refused.status_code == 400, refused.text
    assert (await browser.post("confirm_password", {"token": token, "password": NEW})).status_code == 200
