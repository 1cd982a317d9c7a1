"""NameSilo's endpoints: one test for each row of their error table that can be reached, and their answers."""

from typing import Any

import pytest

from keystead.providers.namesilo import NAMESILO
from tests.contract.integrations.conftest import Wire
from tests.contract.integrations.test_cloudflare_init import account_of_another, failure
from tests.contract.integrations.test_namecheap import end
from tests.support.standins.namesilo import API_KEY, SEEN_IP, Account, NameSilo, Refused
from tests.support.standins.server import Fate

INIT = "/namesilo/init"
LOGIN = {"api_key": API_KEY}
MESSAGE = "NameSilo integration configured successfully"


@pytest.fixture
def registry(wire: Wire) -> NameSilo:
    wire.hurry(NAMESILO)
    return wire.standin(NameSilo)


async def join(wire: Wire) -> int:
    answer = await wire.post(INIT, LOGIN)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["key_id"])


async def get(wire: Wire, what: str, query: str) -> Any:
    return await wire.owner.get(f"/integrations/namesilo/{what}?{query}")


async def set_ns(wire: Wire, **more: Any) -> Any:
    given = {"key_id": 1, "domain": "corecash.pro", "nameservers": ["ns1.cloudflare.com", "ns2.cloudflare.com"], **more}
    return await wire.post("/namesilo/set-ns", given)


# --- init


async def test_a_key_is_connected_and_the_balance_has_no_commas(wire: Wire, registry: NameSilo) -> None:
    answer = await wire.post(INIT, {**LOGIN, "key_alias": "Main NameSilo"})

    told = {"ok": True, "key_id": 1, "message": MESSAGE, "balance": "1355.75"}
    assert (answer.status_code, answer.json()) == (200, told)


async def test_the_account_is_a_keyed_hash_and_no_answer_holds_the_key(wire: Wire, registry: NameSilo) -> None:
    await join(wire)

    shown = await wire.owner.get("/integrations/keys/1")

    key = shown.json()["key"]
    assert key["external_account_id"].startswith("key:")
    assert (key["provider"], key["provider_scope"], key["status"]) == ("namesilo", {}, "active")
    assert API_KEY not in shown.text


@pytest.mark.parametrize(
    ("given", "error"),
    [({}, "api_key_required"), ({"api_key": " "}, "api_key_required"), ({"api_key": 7}, "api_key_required")],
)
async def test_what_is_missing_is_named(wire: Wire, given: Any, error: str) -> None:
    answer = await wire.post(INIT, given)

    told = answer.json()
    assert (answer.status_code, told) == (400, failure(error))


async def test_init_wants_json(wire: Wire) -> None:
    answer = await wire.owner.post("/integrations/namesilo/init", content=b"api_key=1")

    assert (answer.status_code, answer.json()) == (400, failure("invalid_json"))


async def test_a_second_connect_names_the_first(wire: Wire, registry: NameSilo) -> None:
    key_id = await join(wire)

    answer = await wire.post(INIT, LOGIN)

    assert (answer.status_code, answer.json()) == (
        409,
        failure("namesilo_key_already_exists", existing_key_id=key_id),
    )


async def test_a_key_of_another_account_is_told_with_that_key_only(wire: Wire, registry: NameSilo) -> None:
    await join(wire)
    other = await account_of_another(wire)

    told = await other.post("/integrations/namesilo/init", json=LOGIN)

    assert (told.status_code, told.json()["error"]) == (409, "external_account_already_used")
    assert set(told.json()["context"]) == {"provider", "external_account_id"}


async def test_a_wrong_key(wire: Wire, registry: NameSilo) -> None:
    answer = await wire.post(INIT, {"api_key": "wrong"})

    told = failure("invalid_api_key", message="Invalid API Key", provider_code="110")
    assert (answer.status_code, answer.json()) == (400, told)
    assert (await wire.owner.get("/integrations/keys")).json()["keys"] == []


async def test_what_no_provider_could_have_given_is_not_sent(wire: Wire, registry: NameSilo) -> None:
    answer = await wire.post(INIT, {"api_key": "spa ce"})

    told = failure("invalid_api_key", message="api_key holds characters that are in no secret of NameSilo")
    assert (answer.status_code, answer.json()) == (400, told)
    assert registry.came == []


async def test_an_address_that_the_key_is_not_for(wire: Wire, registry: NameSilo) -> None:
    registry.next_refusals = [Refused("113")]

    answer = await wire.post(INIT, LOGIN)

    message = "This API account cannot be accessed from your IP"
    told = failure("ip_not_whitelisted", message=message, provider_code="113", seen_ip=SEEN_IP)
    assert (answer.status_code, answer.json()) == (400, told)


async def test_an_error_of_its_own(wire: Wire, registry: NameSilo) -> None:
    registry.next_refusals = [Refused("112", "API not available to Sub-Accounts")]

    answer = await wire.post(INIT, LOGIN)

    told = failure("namesilo_error_112", message="API not available to Sub-Accounts")
    assert (answer.status_code, answer.json()) == (400, told)


@pytest.mark.parametrize(
    ("status", "body", "expected", "error"),
    [
        (500, b"", 503, "namesilo_unavailable"),
        (200, b"<html/>", 502, "namesilo_unreadable"),
        (429, b"", 429, "rate_limit_exceeded"),
    ],
)
async def test_a_provider_that_does_not_answer_as_its_api(
    wire: Wire, registry: NameSilo, status: int, body: bytes, expected: int, error: str
) -> None:
    registry.fault("GET", "getAccountBalance", Fate.REFUSE, status=status, body=body)

    answer = await wire.post(INIT, LOGIN)

    told = answer.json()
    extra = {"retryAfter": told["retryAfter"]} if expected == 429 else {}
    assert (answer.status_code, told) == (
        expected,
        failure(error, recoverable=True, message=told["message"], **extra),
    )
    assert int(answer.headers["retry-after"]) > 0
    assert API_KEY not in answer.text


async def test_codes_that_mean_later_are_no_refusal(wire: Wire, registry: NameSilo) -> None:
    registry.next_refusals = [Refused("115", "Registry not responding")]

    answer = await wire.post(INIT, LOGIN)

    assert (answer.status_code, answer.json()["error"]) == (503, "namesilo_unavailable")


# --- status


async def test_the_status_is_what_the_provider_says_now(wire: Wire, registry: NameSilo) -> None:
    await join(wire)

    good = await get(wire, "status", "key_id=1")
    registry.accounts.clear()
    refused = await get(wire, "status", "key_id=1")
    registry.accounts[API_KEY] = Account(balance="2.00")
    again = await get(wire, "status", "key_id=1")

    moment = good.json()["checked_at"]
    assert (good.status_code, good.json()) == (
        200,
        {"ok": True, "key_id": 1, "status": "active", "checked_at": moment, "balance": "1355.75"},
    )
    assert {**refused.json(), "checked_at": ""} == {
        "ok": True,
        "key_id": 1,
        "status": "refused",
        "checked_at": "",
        "reason": "invalid_api_key",
        "message": "Invalid API Key",
        "provider_code": "110",
    }
    assert again.json()["balance"] == "2.00"


async def test_a_status_that_nobody_can_tell_is_no_status(wire: Wire, registry: NameSilo) -> None:
    await join(wire)
    registry.fault("GET", "getAccountBalance", Fate.REFUSE, times=1, status=500)

    answer = await get(wire, "status", "key_id=1")

    assert (answer.status_code, answer.json()["error"]) == (503, "namesilo_unavailable")


# --- domains and name servers


async def test_all_pages_of_domains_are_listed(wire: Wire, registry: NameSilo) -> None:
    await join(wire)
    registry.add_domains(230)

    answer = await get(wire, "domains", "key_id=1")

    assert answer.json()["domains"][:2] == [
        {"domain": "domain-000.pro", "expires": "01/22/2027"},
        {"domain": "domain-001.pro", "expires": "02/22/2027"},
    ]
    assert len(answer.json()["domains"]) == 230
    assert len(registry.asked("GET", "listDomains")) == 3


async def test_name_servers_are_set(wire: Wire, registry: NameSilo) -> None:
    await join(wire)
    registry.mine.domains["corecash.pro"] = "2027-01-01"

    answer = await set_ns(wire)

    assert (answer.status_code, answer.json()) == (200, {"ok": True, "message": "nameservers_updated"})
    assert registry.mine.name_servers == {"corecash.pro": ["ns1.cloudflare.com", "ns2.cloudflare.com"]}


async def test_name_servers_that_are_left_as_they_are(wire: Wire, registry: NameSilo) -> None:
    await join(wire)
    registry.mine.domains["corecash.pro"] = "2027-01-01"
    registry.next_refusals = [Refused("254")]

    answer = await set_ns(wire)

    told = failure("namesilo_error_254", message="NameServer update cannot be made")
    assert (answer.status_code, answer.json()) == (400, told)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"key_id": "1"}, "key_id_required"),
        ({"domain": " "}, "domain_required"),
        ({"nameservers": []}, "nameservers_required"),
        ({"nameservers": [" "]}, "no_nameservers"),
    ],
)
async def test_what_set_ns_misses_is_named(wire: Wire, more: dict[str, Any], error: str) -> None:
    answer = await set_ns(wire, **more)

    assert (answer.status_code, answer.json()) == (400, failure(error))


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"domain": "www.corecash.pro"}, "invalid_domain"),
        ({"nameservers": ["ns1.cloudflare.com"]}, "invalid_nameservers"),
        ({"nameservers": ["ns1", "ns2"]}, "invalid_nameservers"),
    ],
)
async def test_what_is_no_name_asks_nothing(wire: Wire, registry: NameSilo, more: dict[str, Any], error: str) -> None:
    await join(wire)

    answer = await set_ns(wire, **more)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert registry.asked("GET", "changeNameServers") == []


@pytest.mark.parametrize(("status", "error"), [("revoked", "key_revoked"), ("expired", "key_expired")])
async def test_a_key_that_is_not_active_asks_nothing(wire: Wire, registry: NameSilo, status: str, error: str) -> None:
    await join(wire)
    if status == "revoked":
        await wire.owner.patch("/integrations/keys/1", json={"status": "revoked"})
    else:
        await end(wire)
    asked = len(registry.came)

    for answer in (await get(wire, "domains", "key_id=1"), await set_ns(wire)):
        assert (answer.status_code, answer.json()) == (400, failure(error))
    told = (await get(wire, "status", "key_id=1")).json()

    assert told == {"ok": True, "key_id": 1, "status": status, "checked_at": None}
    assert len(registry.came) == asked


async def test_foreign_keys_are_not_found(wire: Wire, registry: NameSilo) -> None:
    await join(wire)
    nc_key = await wire.register()
    other = await account_of_another(wire)
    asked = len(registry.came)

    for what in ("status", "domains"):
        for client, query, status, error in (
            (wire.owner, "", 400, "key_id_required"),
            (wire.owner, "key_id=x", 400, "key_id_required"),
            (wire.owner, f"key_id={nc_key}", 404, "key_not_found"),
            (wire.owner, "key_id=999", 404, "key_not_found"),
            (other, "key_id=1", 404, "key_not_found"),
        ):
            answer = await client.get(f"/integrations/namesilo/{what}?{query}")
            assert (answer.status_code, answer.json()) == (status, failure(error))
    foreign = {"key_id": 1, "domain": "corecash.pro", "nameservers": ["a.ns.test", "b.ns.test"]}
    answer = await other.post("/integrations/namesilo/set-ns", json=foreign)

    assert (answer.status_code, answer.json()) == (404, failure("key_not_found"))
    assert len(registry.came) == asked


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "init"), ("GET", "status"), ("GET", "domains"), ("POST", "set-ns")]
)
async def test_owner_required_comes_before_anything_else(wire: Wire, method: str, path: str) -> None:
    answer = await wire.instance.stranger().request(method, f"/integrations/namesilo/{path}", content=b"{")

    assert (answer.status_code, answer.json()) == (403, failure("owner_required", reason="token_missing"))
