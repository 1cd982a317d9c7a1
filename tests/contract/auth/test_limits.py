"""How often one may try, and what is told to who tried too often."""

import httpx2

from tests.contract.auth.test_flows import ANNA, failed
from tests.support.browser import PASSWORD, Browser
from tests.support.clocks import ManualClock
from tests.support.instance import InProcess

WRONG = "not the password"


async def test_one_place_guesses_five_times_in_five_minutes(
    instance: InProcess, anna: httpx2.Response, clock: ManualClock
) -> None:
    guesser = Browser(instance.stranger("203.0.113.66"))
    for number in range(5):
        failed(await guesser.login(f"nobody{number}@example.com", WRONG), 401, "invalid_credentials")

    refused = await guesser.login(ANNA)

    failed(refused, 429, "rate_limit_exceeded")
    assert refused.headers["retry-after"] == "300"
    assert (refused.json()["retryAfter"], refused.json()["resetAt"]) == (300, int(clock.now().timestamp()) + 300)
    clock.advance(300)
    assert (await guesser.login(ANNA)).status_code == 200


async def test_one_login_is_guessed_at_ten_times_from_all_places_together(
    instance: InProcess, anna: httpx2.Response
) -> None:
    for number in range(10):
        failed(await Browser(instance.stranger(f"203.0.113.{number}")).login(ANNA, WRONG), 401, "invalid_credentials")

    failed(await Browser(instance.stranger("203.0.113.99")).login(ANNA), 429, "rate_limit_exceeded")

    # Where Anna signed in before, strangers' guesses do not keep her out.
    assert (await Browser(instance.stranger()).login(ANNA)).status_code == 200


async def test_who_signs_in_uses_nothing_up(instance: InProcess, anna: httpx2.Response) -> None:
    browser = Browser(instance.stranger("203.0.113.66"))

    answers = [(await browser.login(ANNA)).status_code for _ in range(8)]

    assert answers == [200] * 8


async def test_an_unknown_login_and_a_wrong_password_are_answered_alike(
    instance: InProcess, anna: httpx2.Response
) -> None:
    wrong = await Browser(instance.stranger()).login(ANNA, WRONG)
    unknown = await Browser(instance.stranger()).login("nobody@example.com", WRONG)

    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())


async def test_failures_of_a_known_login_are_on_record(instance: InProcess, anna: httpx2.Response) -> None:
    await Browser(instance.stranger()).login(ANNA, WRONG)
    browser = Browser(instance.stranger())
    await browser.login(ANNA)

    denied = (await browser.get("/v1/audit?outcome=denied")).json()["items"]

    assert [(record["verb"], record["facts"]) for record in denied] == [
        ("access.session.open", {"reason": "wrong password"})
    ]


async def test_one_place_registers_three_times(instance: InProcess) -> None:
    browser = Browser(instance.stranger())
    for number in range(3):
        body = {"email": f"new{number}@example.com", "password": PASSWORD}
        assert (await browser.post("register", body)).status_code == 200

    failed(await browser.post("register", body | {"email": "new9@example.com"}), 429, "rate_limit_exceeded")


async def test_a_password_too_short_uses_no_registration_up(instance: InProcess) -> None:
    browser = Browser(instance.stranger())
    for _ in range(4):
        failed(await browser.post("register", {"email": ANNA, "password": "short"}), 400, "invalid")

    assert (await browser.register(ANNA)).status_code == 200


async def test_strangers_without_a_right_invitation_do_not_keep_its_owner_from_registering(instance: InProcess) -> None:
    stranger = Browser(instance.stranger("203.0.113.66"))
    body = {"email": ANNA, "password": PASSWORD, "invitation": "ks_invite_none"}
    for _ in range(3):
        failed(await stranger.post("register", body), 400, "link_invalid")

    failed(await stranger.post("register", body), 429, "rate_limit_exceeded")

    assert (await Browser(instance.stranger()).register(ANNA)).status_code == 200


async def test_a_refused_login_is_named_as_the_body_names_it(instance: InProcess) -> None:
    refused = await Browser(instance.stranger()).post("register", {"email": "no address", "password": PASSWORD})

    failed(refused, 400, "invalid")
    assert refused.json()["fields"] == ["email"]
