"""What browsers need beside the endpoints: cross-origin requests, and errors in one form."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keystead.db.session import Database
from tests.contract.auth.test_flows import ANNA, failed
from tests.support.browser import PASSWORD, Browser
from tests.support.clocks import ManualClock
from tests.support.instance import InProcess, in_process

APP = "https://app.example.com"
FOREIGN = "https://evil.example.com"


@pytest.fixture
async def instance(database: Database, tmp_path: Path, clock: ManualClock) -> AsyncIterator[InProcess]:
    """Run an instance that pages of one origin may use."""
    async with in_process(database, tmp_path, clock=clock, registration="open", cors_origins=APP) as made:
        yield made


@pytest.mark.parametrize("path", ["/auth/login", "/v1/whoami"])
async def test_a_pre_flight_is_answered_before_anybody_is_known(instance: InProcess, path: str) -> None:
    asked = {
        "origin": APP,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }

    answer = await instance.stranger().options(path, headers=asked)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "Origin" in answer.headers["vary"]


async def test_a_foreign_page_gets_no_leave(instance: InProcess) -> None:
    asked = {"origin": FOREIGN, "access-control-request-method": "POST"}

    pre_flight = await instance.stranger().options("/auth/login", headers=asked)
    answer = await instance.stranger().get("/auth/me", headers={"origin": FOREIGN})

    assert pre_flight.status_code == 400
    assert "access-control-allow-origin" not in pre_flight.headers
    assert "access-control-allow-origin" not in answer.headers


async def test_failures_can_be_read_by_the_page_too(instance: InProcess) -> None:
    answer = await instance.stranger().get("/auth/me", headers={"origin": APP})

    failed(answer, 401, "unauthorized")
    assert answer.headers["access-control-allow-origin"] == APP


async def test_a_cookie_counts_from_our_own_pages_and_the_named_origin_only(instance: InProcess) -> None:
    browser = Browser(instance.stranger())
    await browser.register(ANNA)

    told = ({"sec-fetch-site": "same-site", "origin": FOREIGN}, {"sec-fetch-site": "cross-site"})
    for headers in (*told, {"origin": FOREIGN}, {"origin": "null"}):
        failed(await browser.post("refresh", **headers), 403, "forbidden")
        failed(await browser.post("logout", **headers), 403, "forbidden")
        failed(await browser.post("login", {"email": ANNA, "password": PASSWORD}, **headers), 403, "forbidden")
    own = {"origin": f"https://{browser.http.base_url.netloc.decode()}"}
    for headers in ({"sec-fetch-site": "same-site", "origin": APP}, {"sec-fetch-site": "same-origin"}, own, {}):
        assert (await browser.post("refresh", **headers)).status_code == 200


async def test_without_origins_no_page_is_answered(database: Database, tmp_path: Path) -> None:
    async with in_process(database, tmp_path) as instance:
        answer = await instance.stranger().get("/auth/me", headers={"origin": APP})

        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"{nonsense", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"", "invalid_json"),
        (b"{}", "missing_fields"),
        (b'{"email": 1, "password": "x"}', "invalid"),
        (b'{"email": "a\\u0000@b.c", "password": "x"}', "invalid"),
    ],
)
async def test_a_bad_body_is_told_in_the_form_of_the_wire(instance: InProcess, content: bytes, error: str) -> None:
    failed(await instance.stranger().post("/auth/login", content=content), 400, error)


async def test_missing_fields_are_named(instance: InProcess) -> None:
    answer = await instance.stranger().post("/auth/login", json={})

    assert answer.json()["fields"] == ["email", "password"]


async def test_paths_and_methods_there_are_not(instance: InProcess) -> None:
    failed(await instance.stranger().get("/auth/nowhere"), 404, "not_found")
    failed(await instance.stranger().get("/auth/login"), 405, "method_not_allowed")


async def test_a_body_without_end_is_refused_in_the_form_of_the_wire(instance: InProcess) -> None:
    failed(await instance.stranger().post("/auth/login", content=b"x" * (1024 * 1024 + 1)), 413, "too_large")


async def test_a_machine_s_token_has_no_self(instance: InProcess) -> None:
    bot = await instance.caller()

    failed(await bot.get("/auth/me"), 403, "forbidden")
    failed(await bot.post("/auth/totp/begin"), 403, "forbidden")
    assert (await bot.post("/auth/logout")).status_code == 200


async def test_what_is_documented_is_what_there_is(instance: InProcess) -> None:
    document = (await instance.stranger().get("/auth/openapi.json")).json()

    assert len(document["paths"]) == 17
    assert (await instance.stranger().get("/auth/docs")).status_code == 200
