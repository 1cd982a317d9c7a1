"""Registering, inviting and resetting: what one-time links open, and for whom."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from keystead.db.session import Database
from tests.contract.auth.test_flows import ANNA, failed
from tests.support.browser import PASSWORD, Browser
from tests.support.clocks import ManualClock
from tests.support.instance import InProcess, in_process
from tests.support.postbox import Postbox

DAY_S = 86400
BERT = "bert@example.com"


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


@pytest.fixture
def run(database: Database, tmp_path: Path, clock: ManualClock) -> Any:
    """Run an instance with settings of a test's own."""

    def runner(**settings: Any) -> AbstractAsyncContextManager[InProcess]:
        return in_process(database, tmp_path, clock=clock, **settings)

    return runner


@pytest.fixture
async def invited(run: Any) -> AsyncIterator[InProcess]:
    """Run an instance as it is by default: who registers needs an invitation."""
    async with run() as made:
        yield made


@pytest.fixture
async def mailing(run: Any, postbox: Postbox) -> AsyncIterator[InProcess]:
    """Run an instance that sends mail, where anybody may register."""
    async with run(registration="open", mailer=postbox, sign_in_url="https://app.example.com/in") as made:
        yield made


async def invite(instance: InProcess, login: str, role: str = "editor") -> dict[str, Any]:
    answer = await instance.operator.post("/v1/invitations", json={"login": login, "role": role})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_who_is_invited_registers_and_is_at_home_there(invited: InProcess) -> None:
    made = await invite(invited, ANNA)
    browser = Browser(invited.stranger())

    opened = await browser.register(ANNA, invitation=made["secret"])

    [account] = opened.json()["accounts"]
    assert (account["name"], account["role"], account["plan"]) == ("default", "editor", "buss")
    assert (await browser.get("/v1/vpn/keys")).status_code == 200
    assert (await invited.operator.get("/v1/invitations")).json()["items"] == []


async def test_an_invitation_may_be_pasted_with_space_around_it(invited: InProcess) -> None:
    made = await invite(invited, ANNA)

    opened = await Browser(invited.stranger()).register(ANNA, invitation=f" {made['secret']}\n")

    assert opened.status_code == 200


async def test_nobody_registers_without_an_invitation_by_default(invited: InProcess) -> None:
    body = {"email": ANNA, "password": PASSWORD}
    browser = Browser(invited.stranger())

    failed(await browser.post("register", body), 403, "registration_closed")
    failed(await browser.post("register", body | {"email": BERT, "invitation": "ks_invite_x"}), 400, "link_invalid")


async def test_nobody_registers_where_registration_is_closed(run: Any) -> None:
    async with run(registration="closed") as instance:
        made = await invite(instance, ANNA)
        body = {"email": ANNA, "password": PASSWORD, "invitation": made["secret"]}

        failed(await Browser(instance.stranger()).post("register", body), 403, "registration_closed")


async def test_an_invitation_is_for_one_login_once_and_a_week(invited: InProcess, clock: ManualClock) -> None:
    made = await invite(invited, ANNA)
    body = {"email": ANNA, "password": PASSWORD, "invitation": made["secret"]}
    failed(await Browser(invited.stranger("203.0.113.1")).post("register", body | {"email": BERT}), 400, "invalid")
    await Browser(invited.stranger("203.0.113.2")).register(**body)
    clock.advance(400)
    failed(await Browser(invited.stranger("203.0.113.3")).post("register", body), 400, "link_invalid")
    late = await invite(invited, BERT)

    clock.advance(7 * DAY_S)

    body = {"email": BERT, "password": PASSWORD, "invitation": late["secret"]}
    failed(await Browser(invited.stranger("203.0.113.4")).post("register", body), 400, "link_invalid")


async def test_a_withdrawn_invitation_opens_nothing_even_half_way(invited: InProcess) -> None:
    made = await invite(invited, ANNA)
    browser = Browser(invited.stranger())
    body = {"email": ANNA, "password": PASSWORD, "invitation": made["secret"]}
    pending = (await browser.post("register", body)).json()

    assert (await invited.operator.delete(f"/v1/invitations/{made['id']}")).status_code == 204

    failed(await browser.post("verify", {"token": pending["token"]}), 400, "link_invalid")
    assert (await invited.operator.delete(f"/v1/invitations/{made['id']}")).status_code == 404


async def test_a_second_invitation_voids_the_first(invited: InProcess) -> None:
    first = await invite(invited, ANNA)
    await invite(invited, ANNA, "viewer")
    body = {"email": ANNA, "password": PASSWORD, "invitation": first["secret"]}

    failed(await Browser(invited.stranger()).post("register", body), 400, "link_invalid")


async def test_a_member_is_not_invited_again(invited: InProcess) -> None:
    made = await invite(invited, ANNA)
    await Browser(invited.stranger()).register(ANNA, invitation=made["secret"])

    again = await invited.operator.post("/v1/invitations", json={"login": ANNA, "role": "viewer"})

    assert (again.status_code, again.json()["code"]) == (409, "already_exists")


async def test_who_has_a_login_accepts_and_works_in_both_accounts(
    instance: InProcess, browser: Browser, anna: httpx2.Response, clock: ManualClock
) -> None:
    house = (await instance.operator.get("/v1/account")).json()["id"]
    made = await invite(instance, ANNA, "viewer")
    clock.advance(1)
    home = anna.json()["active_account_id"]
    failed(await browser.post("switch_account", {"account_id": house}), 403, "forbidden")

    accepted = await browser.post("accept_invitation", {"invitation": made["secret"]})
    switched = await browser.post("switch_account", {"account_id": house})

    assert accepted.json() == {"ok": True, "account_id": house}
    assert (switched.json()["active_account_id"], switched.json()["expires_in"]) == (house, 900)
    assert (await browser.get("/v1/whoami")).json()["account_id"] == house
    assert (await browser.get("/v1/vpn/keys")).status_code == 200
    await browser.post("refresh")
    me = (await browser.get("/auth/me")).json()
    assert me["active_account_id"] == house
    assert [(one["id"], one["role"]) for one in me["accounts"]] == [(home, "owner"), (house, "viewer")]


async def test_who_is_taken_out_of_an_account_is_out_at_once(
    instance: InProcess, browser: Browser, anna: httpx2.Response
) -> None:
    house = (await instance.operator.get("/v1/account")).json()["id"]
    made = await invite(instance, ANNA, "viewer")
    await browser.post("accept_invitation", {"invitation": made["secret"]})
    await browser.post("switch_account", {"account_id": house})
    user_id = (await browser.get("/auth/me")).json()["user"]["id"]

    assert (await instance.operator.delete(f"/v1/members/{user_id}")).status_code == 204

    failed(await browser.get("/auth/me"), 401, "session_ended")
    await browser.post("refresh")
    assert (await browser.get("/auth/me")).json()["active_account_id"] == anna.json()["active_account_id"]


async def test_nobody_accepts_an_invitation_of_somebody_else(
    instance: InProcess, browser: Browser, anna: httpx2.Response
) -> None:
    made = await invite(instance, BERT)

    failed(await browser.post("accept_invitation", {"invitation": made["secret"]}), 403, "forbidden")


async def test_a_new_account_comes_with_the_invitation_of_its_owner(invited: InProcess) -> None:
    wanted = {"name": "north", "plan": "pro", "owner": ANNA}
    made = (await invited.operator.post("/v1/accounts", json=wanted)).json()

    opened = await Browser(invited.stranger()).register(ANNA, invitation=made["invitation"]["secret"])

    [account] = opened.json()["accounts"]
    assert (account["name"], account["role"], account["plan"]) == ("north", "owner", "pro")


async def test_an_address_is_confirmed_by_mail_where_mail_is_sent(mailing: InProcess, postbox: Postbox) -> None:
    browser = Browser(mailing.stranger())

    pending = await browser.post("register", {"email": ANNA, "password": PASSWORD})

    assert pending.json() == {"status": "pending", "token": None, "channel": "email", "mode": "register"}
    secret = await postbox.secret()
    assert postbox.mails[0][0] == ANNA
    assert f"https://app.example.com/in#register={secret}" in postbox.mails[0][2]
    failed(await browser.login(ANNA), 401, "invalid_credentials")
    assert (await browser.post("verify", {"token": secret})).status_code == 200
    failed(await browser.post("verify", {"token": secret}), 400, "link_invalid")
    assert (await browser.login(ANNA)).status_code == 200


async def test_where_mail_is_sent_nobody_learns_who_has_a_login(
    mailing: InProcess, postbox: Postbox, clock: ManualClock
) -> None:
    browser = Browser(mailing.stranger())
    first = await browser.post("register", {"email": ANNA, "password": PASSWORD})
    await browser.post("verify", {"token": await postbox.secret()})
    clock.advance(1000)

    again = await Browser(mailing.stranger()).post("register", {"email": ANNA, "password": "a third password"})
    resets = [await Browser(mailing.stranger()).post("reset_password", {"email": email}) for email in (ANNA, BERT)]

    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert (
        resets[0].json()
        == resets[1].json()
        == {
            "status": "pending",
            "token": None,
            "channel": "email",
            "mode": "reset",
        }
    )


async def test_a_password_is_reset_by_mail_and_every_session_ends(
    mailing: InProcess, postbox: Postbox, clock: ManualClock
) -> None:
    browser = Browser(mailing.stranger())
    await browser.post("register", {"email": ANNA, "password": PASSWORD})
    await browser.post("verify", {"token": await postbox.secret()})
    postbox.arrived.clear()
    await Browser(mailing.stranger()).post("reset_password", {"email": ANNA})
    secret = await postbox.secret()
    wanted = {"token": secret, "password": "another long password"}

    failed(await Browser(mailing.stranger()).post("confirm_password", wanted | {"password": "short"}), 400, "invalid")
    assert (await Browser(mailing.stranger()).post("confirm_password", wanted)).json() == {"status": "ok"}

    failed(await browser.get("/auth/me"), 401, "session_ended")
    failed(await browser.post("refresh"), 401, "session_ended")
    failed(await Browser(mailing.stranger()).post("confirm_password", wanted), 400, "link_invalid")
    assert (await browser.login(ANNA, "another long password")).status_code == 200


async def test_a_reset_link_lives_for_an_hour(mailing: InProcess, postbox: Postbox, clock: ManualClock) -> None:
    await Browser(mailing.stranger()).post("register", {"email": ANNA, "password": PASSWORD})
    await Browser(mailing.stranger()).post("verify", {"token": await postbox.secret()})
    postbox.arrived.clear()
    await Browser(mailing.stranger()).post("reset_password", {"email": ANNA})
    secret = await postbox.secret()

    clock.advance(3600)

    wanted = {"token": secret, "password": "another long password"}
    failed(await Browser(mailing.stranger()).post("confirm_password", wanted), 400, "link_invalid")


async def test_without_mail_the_operator_hands_a_reset_link_over(
    instance: InProcess, browser: Browser, anna: httpx2.Response
) -> None:
    made = await invite(instance, BERT)
    bert = Browser(instance.stranger("203.0.113.1"))
    user_id = (await bert.register(BERT, invitation=made["secret"])).json()["user"]["id"]
    asked = await Browser(instance.stranger()).post("reset_password", {"email": BERT})

    link = (await instance.operator.post(f"/v1/users/{user_id}/reset-link")).json()

    assert asked.json()["channel"] == "operator"
    assert (link["login"], link["is_mailed"]) == (BERT, False)
    wanted = {"token": link["secret"], "password": "another long password"}
    assert (await bert.post("confirm_password", wanted)).status_code == 200
    assert (await bert.login(BERT, "another long password")).status_code == 200


async def test_an_invitation_goes_by_mail_and_its_secret_is_in_no_answer(mailing: InProcess, postbox: Postbox) -> None:
    made = await invite(mailing, ANNA)

    assert (made["is_mailed"], made["secret"], made["address"]) == (True, None, None)
    assert "default" in postbox.mails[0][2]
    postbox.is_open = False
    by_hand = await invite(mailing, BERT)
    assert by_hand["address"] == f"https://app.example.com/in#invite={by_hand['secret']}"


async def test_no_secret_of_a_link_is_kept(mailing: InProcess, postbox: Postbox) -> None:
    made = await invite(mailing, "nobody-mails-to-this")
    await Browser(mailing.stranger()).post("register", {"email": ANNA, "password": PASSWORD})
    secrets = [made["secret"], await postbox.secret()]

    def dump(connection: Any) -> str:
        from keystead.access.models import AUDIT_RECORDS, ONE_TIME_LINKS

        return repr([connection.execute(table.select()).all() for table in (AUDIT_RECORDS, ONE_TIME_LINKS)])

    kept = await mailing.parts.database.read(dump)
    assert ANNA in kept
    assert [secret for secret in secrets if secret in kept] == []
