"""Yandex Metrica's endpoints: one test for each row of their error table that can be reached, and their answers."""

from typing import Any

import pytest

from tests.contract.integrations.conftest import Wire
from tests.contract.integrations.test_cloudflare_init import account_of_another, failure
from tests.support.standins.server import Fate
from tests.support.standins.yandex_metrica import OF_ANOTHER_SERVICE, TOKEN, Refused, User, YandexMetrica

INIT = "/yandex_metrica/init"
LOGIN = {"token": TOKEN}
COUNTER = 44_000_001
SPAN = "date1=2026-11-01&date2=2026-11-03"


@pytest.fixture
def metrica(wire: Wire) -> YandexMetrica:
    return wire.standin(YandexMetrica)


async def join(wire: Wire) -> int:
    answer = await wire.post(INIT, LOGIN)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["key_id"])


async def get(wire: Wire, what: str, query: str, name: str = "yandex_metrica") -> Any:
    return await wire.owner.get(f"/integrations/{name}/{what}?{query}")


@pytest.mark.parametrize("name", ["yandex_metrica", "ym"])
async def test_a_token_is_connected_under_both_names(wire: Wire, metrica: YandexMetrica, name: str) -> None:
    metrica.add_counters(2)

    answer = await wire.post(f"/{name}/init", LOGIN)
    key = (await wire.owner.get("/integrations/keys/1")).json()["key"]

    message = "Yandex Metrica integration configured successfully"
    told = {"ok": True, "key_id": 1, "message": message, "login": "ivan.example", "counters": 2}
    assert (answer.status_code, answer.json()) == (200, told)
    assert (key["provider"], key["external_account_id"], key["key_alias"], key["provider_scope"]) == (
        "yandex_metrica",
        "1000034426",
        "yandex_metrica-ivan.example",
        {"login": "ivan.example"},
    )
    assert {came.headers["authorization"] for came in metrica.came} == {f"OAuth {TOKEN}"}


async def test_what_is_missing_is_named(wire: Wire) -> None:
    answer = await wire.post(INIT, {"api_key": TOKEN})

    assert (answer.status_code, answer.json()) == (400, failure("token_required"))


async def test_a_second_token_of_the_same_user_names_the_first(wire: Wire, metrica: YandexMetrica) -> None:
    key_id = await join(wire)
    metrica.users["y0_second"] = User()

    answer = await wire.post("/ym/init", {"token": "y0_second"})

    assert (answer.status_code, answer.json()) == (
        409,
        failure("yandex_metrica_key_already_exists", existing_key_id=key_id),
    )


@pytest.mark.parametrize(
    ("token", "code", "said"),
    [("y0_wrong", "401", "Unauthorized user."), (OF_ANOTHER_SERVICE, "403", "Access is denied.")],
)
async def test_a_token_that_does_not_open_metrica(
    wire: Wire, metrica: YandexMetrica, token: str, code: str, said: str
) -> None:
    answer = await wire.post(INIT, {"token": token})

    assert (answer.status_code, answer.json()) == (400, failure("invalid_api_key", message=said, provider_code=code))
    assert (await wire.owner.get("/integrations/keys")).json()["keys"] == []


async def test_a_token_that_ends_is_told_by_its_status_and_by_its_use(wire: Wire, metrica: YandexMetrica) -> None:
    await join(wire)

    good = await get(wire, "status", "key_id=1", "ym")
    metrica.next_refusals = [Refused(403, "invalid_token", "Invalid oauth_token")] * 2
    used = await get(wire, "counters", "key_id=1")
    refused = await get(wire, "status", "key_id=1")

    assert (good.json()["status"], good.json()["login"]) == ("active", "ivan.example")
    told = {"message": "Invalid oauth_token", "provider_code": "403"}
    assert (used.status_code, used.json()) == (400, failure("invalid_api_key", **told))
    assert (refused.status_code, refused.json()["status"], refused.json()["reason"]) == (
        200,
        "refused",
        "invalid_api_key",
    )


async def test_all_pages_of_counters_are_listed(wire: Wire, metrica: YandexMetrica) -> None:
    await join(wire)
    metrica.add_counters(2300)
    metrica.came.clear()

    answer = await get(wire, "counters", "key_id=1")

    assert answer.json()["counters"][0] == {
        "id": COUNTER,
        "name": "site-0001",
        "site": "site-0001.example",
        "status": "Active",
        "permission": "own",
        "owner_login": "ivan.example",
    }
    assert len(answer.json()["counters"]) == 2300
    assert len(metrica.came) == 3


async def test_visits_are_shown_for_every_day(wire: Wire, metrica: YandexMetrica) -> None:
    await join(wire)
    metrica.add_counters(1)
    metrica.visits = {(COUNTER, "2026-11-01"): 14234, (COUNTER, "2026-11-03"): 7}

    answer = await get(wire, "visits", f"key_id=1&counter_id={COUNTER}&{SPAN}")

    assert answer.json() == {
        "ok": True,
        "visits": [
            {"date": "2026-11-01", "visits": 14234},
            {"date": "2026-11-02", "visits": 0},
            {"date": "2026-11-03", "visits": 7},
        ],
    }


async def test_goals_are_listed(wire: Wire, metrica: YandexMetrica) -> None:
    await join(wire)
    metrica.add_counters(1)
    metrica.goals = {COUNTER: [(334423, "Thanks", "url")]}

    answer = await get(wire, "goals", f"key_id=1&counter_id={COUNTER}")

    assert answer.json() == {"ok": True, "goals": [{"id": 334423, "name": "Thanks", "type": "url"}]}


@pytest.mark.parametrize(
    ("what", "query", "error"),
    [
        ("status", "", "key_id_required"),
        ("counters", "key_id=x", "key_id_required"),
        ("visits", f"counter_id=1&{SPAN}", "key_id_required"),
        ("visits", f"key_id=1&{SPAN}", "counter_id_required"),
        ("visits", f"key_id=1&counter_id=../1&{SPAN}", "counter_id_required"),
        ("visits", "key_id=1&counter_id=1&date2=2026-11-03", "date1_required"),
        ("visits", "key_id=1&counter_id=1&date1=2026-11-01", "date2_required"),
        ("visits", "key_id=1&counter_id=1&date1=today&date2=2026-11-03", "invalid_date1"),
        ("visits", "key_id=1&counter_id=1&date1=2026-11-01&date2=2026-31-01", "invalid_date2"),
        ("visits", "key_id=1&counter_id=1&date1=2026-11-02&date2=2026-11-01", "invalid_date2"),
        ("visits", "key_id=1&counter_id=1&date1=2025-01-01&date2=2026-11-01", "invalid_date2"),
        ("goals", "counter_id=1", "key_id_required"),
        ("goals", "key_id=1", "counter_id_required"),
    ],
)
async def test_what_a_request_misses_or_says_wrongly_is_named(
    wire: Wire, metrica: YandexMetrica, what: str, query: str, error: str
) -> None:
    await join(wire)
    asked = len(metrica.came)

    answer = await get(wire, what, query)

    told = answer.json()
    extra = {"message": told["message"]} if error.startswith("invalid") else {}
    assert (answer.status_code, told) == (400, failure(error, **extra))
    assert len(metrica.came) == asked


async def test_a_counter_of_somebody_else(wire: Wire, metrica: YandexMetrica) -> None:
    await join(wire)

    for query in (f"visits?key_id=1&counter_id=5&{SPAN}", "goals?key_id=1&counter_id=5"):
        answer = await wire.owner.get(f"/integrations/yandex_metrica/{query}")
        told = failure("yandex_metrica_error_403", message="Access is denied.")
        assert (answer.status_code, answer.json()) == (400, told)


@pytest.mark.parametrize(
    ("status", "body", "expected", "error"),
    [
        (503, b'{"errors":[{"error_type":"backend_error"}],"code":503}', 503, "yandex_metrica_unavailable"),
        (200, b"<html/>", 502, "yandex_metrica_unreadable"),
        (200, b'{"rows":1}', 502, "yandex_metrica_unreadable"),
        (420, b"{}", 429, "rate_limit_exceeded"),
        (429, b"{}", 429, "rate_limit_exceeded"),
    ],
)
async def test_a_provider_that_does_not_answer_as_its_api(
    wire: Wire, metrica: YandexMetrica, status: int, body: bytes, expected: int, error: str
) -> None:
    await join(wire)
    metrica.fault("GET", "/counters", Fate.REFUSE, times=3, status=status, body=body)

    answer = await get(wire, "counters", "key_id=1")

    told = answer.json()
    extra = {"retryAfter": told["retryAfter"]} if expected == 429 else {}
    assert (answer.status_code, told) == (expected, failure(error, recoverable=True, message=told["message"], **extra))
    assert TOKEN not in answer.text


async def test_foreign_keys_are_not_found(wire: Wire, metrica: YandexMetrica) -> None:
    await join(wire)
    nc_key = await wire.register()
    other = await account_of_another(wire)
    asked = len(metrica.came)

    for what in ("status", "counters", "visits", "goals"):
        for client, key_id in ((wire.owner, nc_key), (wire.owner, 999), (other, 1)):
            query = f"key_id={key_id}&counter_id=1&{SPAN}"
            answer = await client.get(f"/integrations/yandex_metrica/{what}?{query}")
            assert (answer.status_code, answer.json()) == (404, failure("key_not_found"))
    assert len(metrica.came) == asked


@pytest.mark.parametrize("path", ["ym/init", "yandex_metrica/init"])
@pytest.mark.parametrize(("method", "reason"), [("POST", "token_missing")])
async def test_owner_required_comes_before_anything_else(wire: Wire, method: str, path: str, reason: str) -> None:
    answer = await wire.instance.stranger().request(method, f"/integrations/{path}", content=b"{")

    assert (answer.status_code, answer.json()) == (403, failure("owner_required", reason=reason))
