"""Namecheap's four endpoints: one test for each row of their error tables that can be reached, and their answers."""

from typing import Any

import pytest

from keystead.access.permissions import Permission
from keystead.providers.namecheap import NAMECHEAP
from tests.contract.integrations.conftest import Wire
from tests.contract.integrations.test_cloudflare_init import account_of_another, failure
from tests.support.standins.namecheap import API_KEY, IP, USERNAME, Refused
from tests.support.standins.server import Fate

INIT = "/namecheap/init"
LOGIN = {"username": USERNAME, "api_key": API_KEY}


async def set_ns(wire: Wire, **more: Any) -> Any:
    given = {"key_id": 1, "domain": "corecash.pro", "nameservers": ["ns1.cloudflare.com", "ns2.cloudflare.com"], **more}
    return await wire.post("/namecheap/set-ns", {name: value for name, value in given.items() if value is not ...})


async def domains(wire: Wire, query: str = "?key_id=1") -> Any:
    return await wire.owner.get(f"/integrations/namecheap/domains{query}")


# --- init


async def test_a_user_is_connected(wire: Wire) -> None:
    await wire.set_relay()

    answer = await wire.post(INIT, {**LOGIN, "key_alias": "Personal Namecheap"})

    assert (answer.status_code, answer.json()) == (
        200,
        {"ok": True, "key_id": 1, "message": "Namecheap integration configured successfully", "balance": "8.32"},
    )


async def test_the_default_alias_is_of_the_trimmed_user_and_the_id_in_small_letters(wire: Wire) -> None:
    await wire.set_relay()
    await wire.post(INIT, {**LOGIN, "username": f" {USERNAME} "})

    key = (await wire.owner.get("/integrations/keys/1")).json()["key"]

    assert (key["key_alias"], key["external_account_id"]) == ("namecheap-MyUser", "myuser")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"api_key": API_KEY}, "username_required"),
        ({"username": " ", "api_key": API_KEY}, "username_required"),
        ({"username": 7}, "username_required"),
        ({"username": USERNAME}, "api_key_required"),
        ({"username": USERNAME, "api_key": ""}, "api_key_required"),
        ([], "invalid_json"),
    ],
)
async def test_what_is_missing_is_named(wire: Wire, given: Any, error: str) -> None:
    answer = await wire.post(INIT, given)

    assert (answer.status_code, answer.json()) == (400, failure(error))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/namecheap/init"),
        ("GET", "/namecheap/proxy-ips"),
        ("GET", "/namecheap/domains"),
        ("POST", "/namecheap/set-ns"),
        ("GET", "/keys"),
        ("GET", "/keys/1"),
        ("PATCH", "/keys/1"),
        ("DELETE", "/keys/1"),
    ],
)
async def test_owner_required_comes_before_anything_else(wire: Wire, method: str, path: str) -> None:
    nobody = await wire.instance.caller(Permission.VPN_KEYS_READ)

    for caller, reason in ((wire.instance.stranger(), "token_missing"), (nobody, "role")):
        answer = await caller.request(method, f"/integrations{path}", content=b"{")
        assert (answer.status_code, answer.json()) == (403, failure("owner_required", reason=reason))


async def test_invalid_api_key(wire: Wire) -> None:
    await wire.set_relay()

    answer = await wire.post(INIT, {**LOGIN, "api_key": "wrong"})

    assert (answer.status_code, answer.json()) == (
        400,
        failure(
            "invalid_api_key",
            message="API Key is invalid or API access has not been enabled",
            provider_code="1011102",
        ),
    )


async def test_ip_not_whitelisted(wire: Wire) -> None:
    await wire.set_relay()
    wire.registrar.known_ips.clear()

    answer = await wire.post(INIT, LOGIN)

    assert (answer.status_code, answer.json()) == (
        400,
        failure(
            "ip_not_whitelisted",
            message="Add these IPs to your Namecheap API whitelist",
            ips=IP,
            ips_list=[IP],
        ),
    )


async def test_an_address_that_is_not_the_relays_is_told(wire: Wire) -> None:
    await wire.set_relay()
    wire.registrar.next_refusal = Refused("1011150", "Invalid request IP: 203.0.113.9")

    answer = await wire.post(INIT, LOGIN)

    assert answer.json()["seen_ip"] == "203.0.113.9"


async def test_namecheap_key_already_exists(wire: Wire) -> None:
    key_id = await wire.register()

    answer = await wire.post(INIT, {"username": USERNAME.upper(), "api_key": "any"})

    assert (answer.status_code, answer.json()) == (
        409,
        failure("namecheap_key_already_exists", existing_key_id=key_id),
    )


async def test_a_user_of_another_account_is_told_with_its_key_only(wire: Wire) -> None:
    await wire.register()
    other = await account_of_another(wire)

    told = await other.post("/integrations/namecheap/init", json=LOGIN)
    guess = await other.post("/integrations/namecheap/init", json={**LOGIN, "api_key": "guess"})

    context = {"provider": "namecheap", "external_account_id": "myuser"}
    assert (told.status_code, told.json()) == (409, failure("external_account_already_used", context=context))
    assert guess.json()["error"] == "invalid_api_key"


async def test_no_relay_configured(wire: Wire) -> None:
    answer = await wire.post(INIT, LOGIN)

    assert (answer.status_code, answer.json()) == (400, failure("no_relay_configured"))


async def test_relay_timeout(wire: Wire) -> None:
    await wire.set_relay()
    patience(wire, 0.3)
    wire.registrar.fault("GET", "/xml.response", Fate.HOLD)

    answer = await wire.post(INIT, LOGIN)

    told = answer.json()
    assert (answer.status_code, told) == (400, failure("relay_timeout", recoverable=True, message=told["message"]))


@pytest.mark.parametrize("status", [401, 404, 429, 502])
async def test_relay_http(wire: Wire, status: int) -> None:
    await wire.set_relay()
    wire.registrar.fault("GET", "/xml.response", Fate.REFUSE, times=3, status=status)

    answer = await wire.post(INIT, LOGIN)

    assert (answer.status_code, answer.json()) == (400, failure(f"relay_http_{status}", recoverable=True))


async def test_namecheap_error(wire: Wire) -> None:
    await wire.set_relay()
    wire.registrar.next_refusal = Refused("1017101", "ApiUser is disabled or locked")

    answer = await wire.post(INIT, LOGIN)

    assert (answer.status_code, answer.json()) == (
        400,
        failure("namecheap_error_1017101", message="ApiUser is disabled or locked"),
    )


# --- proxy-ips


async def test_proxy_ips_are_those_of_the_way_that_is_set(wire: Wire) -> None:
    before = await wire.owner.get("/integrations/namecheap/proxy-ips")
    await wire.set_relay()
    after = await wire.owner.get("/integrations/namecheap/proxy-ips")

    assert (before.json(), after.json()) == ({"ok": True, "ips": []}, {"ok": True, "ips": [IP]})


# --- domains


async def test_all_pages_of_domains_are_listed(wire: Wire) -> None:
    await wire.register()
    wire.registrar.add_domains(230)

    answer = await domains(wire)

    assert answer.json()["domains"][:2] == [
        {"domain": "domain-000.pro", "expires": "01/22/2027"},
        {"domain": "domain-001.pro", "expires": "02/22/2027"},
    ]
    assert len(answer.json()["domains"]) == 230


@pytest.mark.parametrize("query", ["", "?key_id=", "?key_id=x", "?key_id=0", "?key_id=1e3"])
async def test_domains_need_a_key_id(wire: Wire, query: str) -> None:
    answer = await domains(wire, query)

    assert (answer.status_code, answer.json()) == (400, failure("key_id_required"))


async def test_a_key_of_another_provider_or_account_is_not_found(wire: Wire) -> None:
    await wire.connect()
    other = await account_of_another(wire)
    key_id = await wire.register()

    for answer in (
        await domains(wire, "?key_id=1"),
        await domains(wire, "?key_id=999"),
        await other.get(f"/integrations/namecheap/domains?key_id={key_id}"),
        await set_ns(wire, key_id=999),
        await set_ns(wire, key_id=1),
    ):
        assert (answer.status_code, answer.json()) == (404, failure("key_not_found"))


async def test_every_failure_of_the_provider_is_500_for_the_list_and_400_for_a_change(wire: Wire) -> None:
    await wire.register()
    vault = wire.instance.parts.vault
    patience(wire, 0.3)
    told: dict[str, list[int]] = {}

    async def both(word: str) -> None:
        for ask in (domains(wire), set_ns(wire)):
            if word == "relay_timeout":
                wire.registrar.fault("GET", "/xml.response", Fate.HOLD)
            elif word == "relay_http_500":
                wire.registrar.fault("GET", "/xml.response", Fate.REFUSE, status=500)
            elif word == "namecheap_error_5":
                wire.registrar.next_refusal = Refused("5", "no")
            answer = await ask
            assert answer.json()["error"] == word
            told.setdefault(word, []).append(answer.status_code)

    for word in ("relay_timeout", "relay_http_500", "namecheap_error_5"):
        await both(word)
    await vault.namecheap.remove_way(wire.operator_call())
    await both("no_relay_configured")

    assert told == {
        word: [500, 400] for word in ("relay_timeout", "relay_http_500", "namecheap_error_5", "no_relay_configured")
    }


# --- set-ns


async def test_name_servers_are_set(wire: Wire) -> None:
    await wire.register()
    wire.registrar.domains["corecash.pro"] = "09/22/2026"

    answer = await set_ns(wire)

    assert (answer.status_code, answer.json()) == (200, {"ok": True, "message": "nameservers_updated"})
    assert wire.registrar.name_servers == {"corecash.pro": ["ns1.cloudflare.com", "ns2.cloudflare.com"]}


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"key_id": ...}, "key_id_required"),
        ({"key_id": "1"}, "key_id_required"),
        ({"key_id": True}, "key_id_required"),
        ({"domain": ...}, "domain_required"),
        ({"domain": "  "}, "domain_required"),
        ({"nameservers": ...}, "nameservers_required"),
        ({"nameservers": []}, "nameservers_required"),
        ({"nameservers": "ns1.cloudflare.com"}, "nameservers_required"),
        ({"nameservers": ["", "  "]}, "no_nameservers"),
    ],
)
async def test_what_set_ns_misses_is_named(wire: Wire, more: dict[str, Any], error: str) -> None:
    answer = await set_ns(wire, **more)

    assert (answer.status_code, answer.json()) == (400, failure(error))


@pytest.mark.parametrize("domain", ["www.corecash.pro", "pro", "core cash.pro", "co.uk", "-x.pro"])
async def test_invalid_domain(wire: Wire, domain: str) -> None:
    await wire.register()
    asked = len(wire.registrar.came)

    answer = await set_ns(wire, domain=domain)

    told = answer.json()
    assert (answer.status_code, told) == (400, failure("invalid_domain", message=told["message"]))
    assert len(wire.registrar.came) == asked


@pytest.mark.parametrize("given", [["ns1"], [f"ns{number}.example.net" for number in range(100)]])
async def test_name_servers_that_are_none_or_too_many_are_told_so(wire: Wire, given: list[str]) -> None:
    await wire.register()
    asked = len(wire.registrar.came)

    answer = await set_ns(wire, nameservers=given)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_nameservers")
    assert len(wire.registrar.came) == asked


async def test_set_ns_wants_json(wire: Wire) -> None:
    answer = await wire.owner.post("/integrations/namecheap/set-ns", content=b"key_id=1")

    assert (answer.status_code, answer.json()) == (400, failure("invalid_json"))


@pytest.mark.parametrize(("status", "error"), [("revoked", "key_revoked"), ("expired", "key_expired")])
async def test_a_key_that_is_not_active_asks_nothing(wire: Wire, status: str, error: str) -> None:
    await wire.register()
    if status == "revoked":
        await wire.owner.patch("/integrations/keys/1", json={"status": "revoked"})
    else:
        await end(wire)
    asked = len(wire.registrar.came)

    for answer in (await domains(wire), await set_ns(wire)):
        assert (answer.status_code, answer.json()) == (400, failure(error))

    assert len(wire.registrar.came) == asked
    assert (await wire.owner.get("/integrations/keys/1")).json()["key"]["status"] == status


def patience(wire: Wire, timeout_s: float) -> None:
    """Shorten the ten seconds that a relay has."""
    wire.instance.parts.vault.namecheap._clients.transport(NAMECHEAP)._timeout_s = timeout_s


async def end(wire: Wire) -> None:
    """Let the first key have ended."""
    from datetime import UTC, datetime

    from sqlalchemy import update

    from keystead.vault.models import CREDENTIALS

    statement = update(CREDENTIALS).where(CREDENTIALS.c.id == 1).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    await wire.instance.parts.database.write(lambda connection: connection.execute(statement))


async def test_what_could_be_nobodys_name_or_key_is_not_sent(wire: Wire) -> None:
    await wire.set_relay()
    wrong: list[tuple[str, Any, str]] = [
        ("username", "a" * 101, "username_required"),
        ("username", "a\x00b", "username_required"),
        ("api_key", "a" * 5000, "invalid_api_key"),
        ("api_key", "two words", "invalid_api_key"),
        ("key_alias", 7, "invalid_key_alias"),
    ]
    for name, value, error in wrong:
        answer = await wire.post("/namecheap/init", {"username": USERNAME, "api_key": API_KEY, name: value})
        told = answer.json()
        assert (answer.status_code, told["error"], bool(told["message"])) == (400, error, True)
    assert wire.registrar.came == []


async def test_name_servers_that_are_no_texts_are_refused_and_not_left_out(wire: Wire) -> None:
    key_id = await wire.register()
    wire.registrar.domains["example.com"] = "01/22/2030"

    given = {"key_id": key_id, "domain": "example.com", "nameservers": ["ns1.example.net", 7]}
    answer = await wire.post("/namecheap/set-ns", given)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_nameservers")
    assert wire.registrar.name_servers == {}


async def test_an_answer_without_a_list_is_not_an_account_without_domains(wire: Wire) -> None:
    key_id = await wire.register()
    for _ in range(4):
        body = b'<ApiResponse Status="OK"><CommandResponse /></ApiResponse>'
        wire.registrar.fault("GET", "/xml.response", Fate.REFUSE, status=200, body=body)

    answer = await wire.owner.get(f"/integrations/namecheap/domains?key_id={key_id}")

    assert (answer.status_code, answer.json()["error"]) == (500, "namecheap_error_unreadable")
