"""HostTracker's endpoints: one test for each row of their error table that can be reached, and their answers."""

from typing import Any

import pytest

from keystead.access.permissions import Permission
from keystead.providers.hosttracker import HOSTTRACKER
from tests.contract.integrations.conftest import Wire
from tests.contract.integrations.test_cloudflare_init import account_of_another, failure
from tests.support.standins.hosttracker import ACCOUNT, LOGIN, TOKEN, HostTracker, Refused
from tests.support.standins.server import Fate

INIT = "/hosttracker/init"
GIVEN = {"token": TOKEN}
URL = "https://example.com/health"


@pytest.fixture
def monitoring(wire: Wire) -> HostTracker:
    return wire.standin(HostTracker)


async def join(wire: Wire) -> int:
    answer = await wire.post(INIT, GIVEN)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["key_id"])


async def get(wire: Wire, what: str, query: str = "key_id=1") -> Any:
    return await wire.owner.get(f"/integrations/hosttracker/{what}?{query}")


async def create(wire: Wire, **more: Any) -> Any:
    given = {"key_id": 1, "url": URL, **more}
    return await wire.post("/hosttracker/monitors", {name: value for name, value in given.items() if value is not ...})


async def records(wire: Wire) -> list[tuple[str, str, dict[str, Any]]]:
    """Return what was put on record of monitors, oldest first."""
    told = (await wire.owner.get("/v1/audit?limit=100")).json()
    kept = [one for one in told["items"] if one["verb"].startswith(("vault.monitor", "vault.intent"))]
    return [(one["verb"], one["subject"], one["facts"]) for one in sorted(kept, key=lambda one: one["number"])]


# --- init and status


async def test_a_token_is_connected_and_its_account_is_the_external_one(wire: Wire, monitoring: HostTracker) -> None:
    answer = await wire.post(INIT, {**GIVEN, "key_alias": "Our monitors"})
    shown = await wire.owner.get("/integrations/keys/1")

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "ok": True,
            "key_id": 1,
            "message": "HostTracker integration configured successfully",
            "login": LOGIN,
            "api_enabled": True,
        },
    )
    key = shown.json()["key"]
    assert (key["external_account_id"], key["provider_scope"]) == (ACCOUNT, {"login": LOGIN})
    assert (key["key_alias"], key["expires_at"]) == ("Our monitors", None)
    assert TOKEN not in shown.text + answer.text


async def test_what_is_missing_is_named(wire: Wire) -> None:
    missing: list[tuple[Any, str]] = [({}, "token"), ({"token": " "}, "token"), ({"token": 7}, "token")]
    for given, error in [*((one, f"{name}_required") for one, name in missing), ([], "invalid_json")]:
        answer = await wire.post(INIT, given)
        assert (answer.status_code, answer.json()) == (400, failure(error))


async def test_a_second_connect_names_the_first_even_with_another_token(wire: Wire, monitoring: HostTracker) -> None:
    key_id = await join(wire)
    monitoring.tokens["CANARY-second"] = ACCOUNT

    answer = await wire.post(INIT, {"token": "CANARY-second"})

    assert (answer.status_code, answer.json()) == (
        409,
        failure("hosttracker_key_already_exists", existing_key_id=key_id),
    )


async def test_an_account_of_another_is_told_to_who_has_a_token_that_works(wire: Wire, monitoring: HostTracker) -> None:
    await join(wire)
    other = await account_of_another(wire)

    told = await other.post("/integrations/hosttracker/init", json=GIVEN)
    guess = await other.post("/integrations/hosttracker/init", json={"token": "guess"})

    context = {"provider": "hosttracker", "external_account_id": ACCOUNT}
    assert (told.status_code, told.json()) == (409, failure("external_account_already_used", context=context))
    assert guess.json()["error"] == "invalid_api_key"


async def test_a_wrong_token(wire: Wire, monitoring: HostTracker) -> None:
    answer = await wire.post(INIT, {"token": "CANARY-wrong"})

    said = "The access token is missing, malformed or expired."
    told = failure("invalid_api_key", message=said, provider_code="invalid_token")
    assert (answer.status_code, answer.json()) == (400, told)


async def test_a_token_that_is_bound_to_another_address(wire: Wire, monitoring: HostTracker) -> None:
    monitoring.refusal = Refused("ip_not_allowed")

    answer = await wire.post(INIT, GIVEN)

    said = "The caller's IP address is not on this token's allow-list."
    told = failure("ip_not_whitelisted", message=said, provider_code="ip_not_allowed")
    assert (answer.status_code, answer.json()) == (400, told)


async def test_an_error_of_its_own(wire: Wire, monitoring: HostTracker) -> None:
    for code, said in (
        ("missing_scope", "The token does not carry the scope this operation requires."),
        ("quota_exceeded", "The account's API quota for this scope is exhausted."),
    ):
        wire.hurry(HOSTTRACKER)
        monitoring.refusal = Refused(code)
        answer = await wire.post(INIT, GIVEN)
        assert (answer.status_code, answer.json()) == (400, failure(f"hosttracker_error_{code}", message=said))


async def test_the_limit_that_passes_is_told_apart_from_the_quota(wire: Wire, monitoring: HostTracker) -> None:
    monitoring.headers["Retry-After"] = "30"
    monitoring.refusal = Refused("rate_limited")

    answer = await wire.post(INIT, GIVEN)

    said = "HostTracker takes no more requests with this credential for now"
    told = failure("rate_limit_exceeded", recoverable=True, message=said, retryAfter=30)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()) == (429, "30", told)


async def test_a_provider_that_does_not_answer_as_its_api(wire: Wire, monitoring: HostTracker) -> None:
    faults: list[tuple[dict[str, Any], int, str]] = [
        ({"status": 500}, 503, "hosttracker_unavailable"),
        ({"status": 200, "body": b"<html/>"}, 502, "hosttracker_unreadable"),
    ]
    for fault, status, error in faults:
        monitoring.fault("GET", "/account", Fate.REFUSE, **fault)
        answer = await wire.post(INIT, GIVEN)
        told = answer.json()
        assert (answer.status_code, told) == (status, failure(error, recoverable=True, message=told["message"]))
        assert int(answer.headers["retry-after"]) > 0


async def test_the_status_is_what_hosttracker_says_now(wire: Wire, monitoring: HostTracker) -> None:
    await join(wire)

    good = (await get(wire, "status")).json()
    monitoring.tokens.clear()
    refused = (await get(wire, "status")).json()

    head = {"ok": True, "key_id": 1}
    assert {**good, "checked_at": ""} == {
        **head,
        "status": "active",
        "checked_at": "",
        "login": LOGIN,
        "api_enabled": True,
    }
    assert {**refused, "checked_at": ""} == {
        **head,
        "status": "refused",
        "checked_at": "",
        "reason": "invalid_api_key",
        "message": "The access token is missing, malformed or expired.",
        "provider_code": "invalid_token",
    }


# --- monitors


async def test_all_pages_of_monitors_are_listed(wire: Wire, monitoring: HostTracker) -> None:
    await join(wire)
    for number in range(230):
        monitoring.add(f"https://site-{number:03d}.example.com", name=f"Site {number}")

    found = (await get(wire, "monitors")).json()

    assert found["ok"]
    assert len(found["monitors"]) == 230
    assert found["monitors"][0] == {
        "id": "00000000-0000-0000-0000-000000000001",
        "name": "Site 0",
        "type": "http",
        "url": "https://site-000.example.com",
        "state": "up",
        "enabled": True,
        "since": 1790000000,
        "interval": None,
    }


async def test_a_monitor_is_made_and_deleted_and_both_are_on_record(wire: Wire, monitoring: HostTracker) -> None:
    await join(wire)

    made = await create(wire, name="Shop", interval=60)
    ident = made.json()["monitor"]["id"]
    gone = await wire.owner.delete(f"/integrations/hosttracker/monitors/{ident}?key_id=1")
    again = await wire.owner.delete(f"/integrations/hosttracker/monitors/{ident}?key_id=1")

    shown = {"id": ident, "name": "Shop", "type": "http", "url": URL, "state": "up", "enabled": True}
    assert (made.status_code, made.json()) == (
        200,
        {"ok": True, "monitor": {**shown, "since": 1790000000, "interval": 60}},
    )
    assert (gone.status_code, gone.json()) == (200, {"ok": True})
    assert (again.status_code, again.json()) == (404, failure("not_found"))
    subject, deletion = "credential 1", {"monitor": ident}
    assert await records(wire) == [
        ("vault.intent", subject, {"change": "monitor.create", "kind": "http", "host": "example.com"}),
        ("vault.monitor.create", subject, {"monitor": ident}),
        ("vault.intent", subject, {"change": "monitor.delete", **deletion}),
        ("vault.monitor.delete", subject, deletion),
        ("vault.intent", subject, {"change": "monitor.delete", **deletion}),
        (
            "vault.intent.fail",
            subject,
            {"change": "monitor.delete", "reason": "not_found", "may_have_landed": False},
        ),
    ]


async def test_what_is_to_be_made_is_on_record_before_hosttracker_is_asked(wire: Wire, monitoring: HostTracker) -> None:
    await join(wire)
    for _ in range(3):
        monitoring.fault("POST", "/monitor", Fate.ACT_AND_FAIL, status=502)
    url = "https://anna:CANARY-password@shop.example.com/health?token=CANARY-query"

    answer = await create(wire, url=url)

    assert answer.status_code == 503
    told = await records(wire)
    assert told == [
        ("vault.intent", "credential 1", {"change": "monitor.create", "kind": "http", "host": "shop.example.com"}),
        (
            "vault.intent.fail",
            "credential 1",
            {"change": "monitor.create", "reason": told[1][2]["reason"], "may_have_landed": True},
        ),
    ]


async def test_a_make_whose_answer_is_lost_makes_one_monitor(wire: Wire, monitoring: HostTracker) -> None:
    await join(wire)
    monitoring.fault("POST", "/monitor", Fate.LOSE_ANSWER)

    answer = await create(wire)

    assert answer.status_code == 200
    assert list(monitoring.monitors) == [answer.json()["monitor"]["id"]]


async def test_a_duplicate_is_told_in_hosttrackers_words(wire: Wire, monitoring: HostTracker) -> None:
    await join(wire)
    await create(wire)

    answer = await create(wire)

    said = "A monitor with this url and type already exists on this account."
    assert (answer.status_code, answer.json()) == (400, failure("hosttracker_error_duplicate_monitor", message=said))


async def test_what_is_wrong_with_a_monitor_is_named(wire: Wire) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"key_id": ...}, "key_id_required"),
        ({"key_id": "1"}, "key_id_required"),
        ({"url": ...}, "url_required"),
        ({"url": " "}, "url_required"),
        ({"type": 7}, "invalid_type"),
        ({"type": "a/b"}, "invalid_type"),
        ({"name": 7}, "invalid_name"),
        ({"interval": "60"}, "invalid_interval"),
        ({"interval": True}, "invalid_interval"),
        ({"interval": 0}, "invalid_interval"),
    ]
    for more, error in wrong:
        answer = await create(wire, **more)
        assert (answer.status_code, answer.json()) == (400, failure(error))


async def test_states_are_counted(wire: Wire, monitoring: HostTracker) -> None:
    await join(wire)
    monitoring.add("https://a.example.com", state="down", name="A")
    monitoring.add("https://b.example.com", name="B")

    found = (await get(wire, "states")).json()

    head = {"id": "00000000-0000-0000-0000-000000000001", "name": "A", "url": "https://a.example.com"}
    assert found["counts"] == {"up": 1, "down": 1, "paused": 0, "maintenance": 0}
    assert found["states"][0] == {**head, "state": "down", "since": 1790000000}


# --- whose it is


async def test_foreign_keys_are_not_found_and_nothing_is_asked(wire: Wire, monitoring: HostTracker) -> None:
    await join(wire)
    ident = monitoring.add(URL).id
    namecheap = await wire.register()
    other = await account_of_another(wire)
    asked = len(monitoring.came)

    for client, key_id in ((other, 1), (wire.owner, namecheap), (wire.owner, 999)):
        base = "/integrations/hosttracker"
        for answer in (
            await client.get(f"{base}/status?key_id={key_id}"),
            await client.get(f"{base}/monitors?key_id={key_id}"),
            await client.get(f"{base}/states?key_id={key_id}"),
            await client.post(f"{base}/monitors", json={"key_id": key_id, "url": URL}),
            await client.delete(f"{base}/monitors/{ident}?key_id={key_id}"),
        ):
            assert (answer.status_code, answer.json()) == (404, failure("key_not_found"))

    assert (len(monitoring.came), len(monitoring.monitors)) == (asked, 1)


async def test_a_key_id_is_needed(wire: Wire) -> None:
    for what in ("status", "monitors", "states"):
        for query in ("", "key_id=x"):
            answer = await get(wire, what, query)
            assert (answer.status_code, answer.json()) == (400, failure("key_id_required"))


async def test_a_revoked_key_asks_nothing(wire: Wire, monitoring: HostTracker) -> None:
    await join(wire)
    await wire.owner.patch("/integrations/keys/1", json={"status": "revoked"})
    asked = len(monitoring.came)

    answer = await get(wire, "monitors")

    assert (answer.status_code, answer.json()) == (400, failure("key_revoked"))
    assert len(monitoring.came) == asked


async def test_owner_required_comes_before_anything_else(wire: Wire) -> None:
    nobody = await wire.instance.caller(Permission.VPN_KEYS_READ)
    for path in ("POST init", "GET status", "GET monitors", "POST monitors", "DELETE monitors/1", "GET states"):
        method, _, name = path.partition(" ")
        for caller, reason in ((wire.instance.stranger(), "token_missing"), (nobody, "role")):
            answer = await caller.request(method, f"/integrations/hosttracker/{name}", content=b"{")
            assert (answer.status_code, answer.json()) == (403, failure("owner_required", reason=reason))
