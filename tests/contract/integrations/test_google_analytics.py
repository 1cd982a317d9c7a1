"""Google Analytics' endpoints: one test for each row of their error table that can be reached, and their answers."""

import json
from typing import Any

import pytest

from tests.contract.integrations.conftest import Wire
from tests.contract.integrations.test_cloudflare_init import account_of_another, failure
from tests.support.standins.google_analytics import (
    CLIENT_ID,
    CLIENT_SECRET,
    EMAIL,
    REFRESH_TOKEN,
    SUBJECT,
    GoogleAnalytics,
    Refused,
    exhausted,
    other_key,
    uploaded,
)
from tests.support.standins.server import Fate

INIT = "/google_analytics/init"
OAUTH = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}
RANGE = "date1=2026-11-01&date2=2026-11-02"
MESSAGE = "Google Analytics integration configured successfully"


@pytest.fixture
def google(wire: Wire) -> GoogleAnalytics:
    return wire.standin(GoogleAnalytics)


async def join(wire: Wire) -> int:
    answer = await wire.post(INIT, {"service_account": uploaded()})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["key_id"])


async def get(wire: Wire, what: str, query: str = "key_id=1") -> Any:
    return await wire.owner.get(f"/integrations/google_analytics/{what}?{query}")


# --- init and status


async def test_a_service_account_is_connected_under_its_address(wire: Wire, google: GoogleAnalytics) -> None:
    google.add(7)

    answer = await wire.post(INIT, {"service_account": uploaded(), "key_alias": "Analytics"})
    shown = await wire.owner.get("/integrations/keys/1")

    assert (answer.status_code, answer.json()) == (
        200,
        {"ok": True, "key_id": 1, "message": MESSAGE, "properties": 1},
    )
    key = shown.json()["key"]
    assert (key["external_account_id"], key["provider_scope"]) == (EMAIL, {"kind": "service_account"})
    assert "PRIVATE KEY" not in shown.text + answer.text


async def test_the_short_path_is_the_same_and_a_key_may_be_text(wire: Wire, google: GoogleAnalytics) -> None:
    answer = await wire.post("/ga/init", {"service_account": json.dumps(uploaded())})
    status = await wire.owner.get("/integrations/ga/status?key_id=1")
    again = await wire.post("/ga/init", {"service_account": uploaded()})

    assert (answer.status_code, status.json()["status"]) == (200, "active")
    assert (again.status_code, again.json()) == (
        409,
        failure("google_analytics_key_already_exists", existing_key_id=1),
    )


async def test_a_persons_consent_is_connected_under_their_subject(wire: Wire, google: GoogleAnalytics) -> None:
    answer = await wire.post(INIT, OAUTH)
    key = (await wire.owner.get("/integrations/keys/1")).json()["key"]

    assert answer.status_code == 200
    assert (key["external_account_id"], key["expires_at"]) == (SUBJECT, None)
    assert key["provider_scope"] == {"kind": "oauth", "client_id": CLIENT_ID}


async def test_an_access_token_alone_without_a_subject_ends_by_itself(wire: Wire, google: GoogleAnalytics) -> None:
    google.identity = {}

    await wire.post(INIT, {"access_token": google.grant(SUBJECT)})

    key = (await wire.owner.get("/integrations/keys/1")).json()["key"]
    assert key["external_account_id"].startswith("key:")
    assert key["expires_at"] is not None


async def test_what_is_missing_is_named(wire: Wire) -> None:
    missing: list[tuple[Any, str]] = [
        ({}, "service_account_required"),
        ({"service_account": ""}, "service_account_required"),
        ({"service_account": {}}, "service_account_required"),
        ({"refresh_token": REFRESH_TOKEN}, "client_id_required"),
        ({"client_id": CLIENT_ID, "refresh_token": REFRESH_TOKEN}, "client_secret_required"),
        ({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}, "refresh_token_required"),
        ("text", "invalid_json"),
    ]
    for given, error in missing:
        answer = await wire.post(INIT, given)
        assert (answer.status_code, answer.json()) == (400, failure(error))


async def test_a_wrong_secret(wire: Wire, google: GoogleAnalytics) -> None:
    no_key = "this is no key of a service account: "
    lacks, no_pem = "it lacks type service_account, client_email or private_key", "its private_key is no RSA key in PEM"
    stranger = {"service_account": uploaded(client_email="nobody@example.com")}
    wrong: list[tuple[dict[str, Any], str | None, str]] = [
        ({"service_account": uploaded(private_key=other_key())}, "invalid_grant", "Invalid JWT Signature."),
        (stranger, "invalid_grant", "Invalid grant: account not found"),
        ({"service_account": uploaded(private_key="CANARY")}, None, no_key + no_pem),
        ({"service_account": "not json"}, None, no_key + lacks),
        ({**OAUTH, "client_secret": "no"}, "invalid_client", "The OAuth client was not found."),
        ({**OAUTH, "refresh_token": "no"}, "invalid_grant", "Bad Request"),
        ({"access_token": "no"}, "invalid_token", "Invalid Value"),
    ]
    for given, code, said in wrong:
        answer = await wire.post(INIT, given)
        by_google = {} if code is None else {"provider_code": code}
        told = failure("invalid_api_key", message=said, **by_google)
        assert (answer.status_code, answer.json()) == (400, told)
    assert (await wire.owner.get("/integrations/keys")).json()["keys"] == []


async def test_an_account_of_another_is_told_to_who_has_a_key_that_works(wire: Wire, google: GoogleAnalytics) -> None:
    await join(wire)
    other = await account_of_another(wire)

    told = await other.post("/integrations/ga/init", json={"service_account": uploaded()})
    guess = await other.post("/integrations/ga/init", json={"service_account": uploaded(private_key=other_key())})

    context = {"provider": "google_analytics", "external_account_id": EMAIL}
    assert (told.status_code, told.json()) == (409, failure("external_account_already_used", context=context))
    assert guess.json()["error"] == "invalid_api_key"


async def test_an_api_that_is_not_enabled_is_told_in_googles_words(wire: Wire, google: GoogleAnalytics) -> None:
    said = "Google Analytics Admin API has not been used in project 1234 before or it is disabled."
    google.refusal = Refused(403, "PERMISSION_DENIED", said)

    answer = await wire.post(INIT, {"service_account": uploaded()})

    told = failure("google_analytics_error_PERMISSION_DENIED", message=said)
    assert (answer.status_code, answer.json()) == (400, told)


async def test_a_google_that_does_not_answer_as_its_api(wire: Wire, google: GoogleAnalytics) -> None:
    faults: list[tuple[dict[str, Any], int, str]] = [
        ({"status": 500}, 503, "google_analytics_unavailable"),
        ({"status": 200, "body": b"[]"}, 502, "google_analytics_unreadable"),
    ]
    for method, path in (("POST", "/token"), ("GET", "/v1beta/accountSummaries")):
        for fault, status, error in faults:
            google.fault(method, path, Fate.REFUSE, **fault)
            answer = await wire.post(INIT, {"service_account": uploaded()})
            told = answer.json()
            assert (answer.status_code, told) == (status, failure(error, recoverable=True, message=told["message"]))
            assert int(answer.headers["retry-after"]) > 0


async def test_the_status_is_what_google_says_now(wire: Wire, google: GoogleAnalytics) -> None:
    await join(wire)
    google.add(7)

    good = (await get(wire, "status")).json()
    google.has_account = False
    refused = (await get(wire, "status")).json()

    head = {"ok": True, "key_id": 1, "checked_at": ""}
    assert {**good, "checked_at": ""} == {**head, "status": "active", "properties": 1}
    assert {**refused, "checked_at": ""} == {
        **head,
        "status": "refused",
        "reason": "invalid_api_key",
        "message": "Invalid grant: account not found",
        "provider_code": "invalid_grant",
    }


# --- what is read


async def test_properties_are_listed_with_their_accounts(wire: Wire, google: GoogleAnalytics) -> None:
    await join(wire)
    google.add(7, "Shop")
    google.add(8, "Blog", account="Another")
    google.add(9, "Somebody else's", who="nobody")

    found = (await get(wire, "properties")).json()

    assert found == {
        "ok": True,
        "properties": [
            {"id": "7", "name": "Shop", "type": "ordinary", "account": "Example"},
            {"id": "8", "name": "Blog", "type": "ordinary", "account": "Another"},
        ],
    }


async def test_a_report_has_every_day(wire: Wire, google: GoogleAnalytics) -> None:
    await join(wire)
    google.add(7).days = {"2026-11-02": (5, 2, 9, 30)}

    found = (await get(wire, "report", f"key_id=1&property_id=7&{RANGE}")).json()

    nobody = {"active_users": 0, "new_users": 0, "sessions": 0, "views": 0}
    assert found == {
        "ok": True,
        "property_id": 7,
        "days": [
            {"date": "2026-11-01", **nobody},
            {"date": "2026-11-02", "active_users": 5, "new_users": 2, "sessions": 9, "views": 30},
        ],
    }


async def test_realtime_counts_who_is_there(wire: Wire, google: GoogleAnalytics) -> None:
    await join(wire)
    google.add(7).now = 42

    found = (await get(wire, "realtime", "key_id=1&property_id=7")).json()

    assert found == {"ok": True, "property_id": 7, "active_users": 42, "minutes": 30}


async def test_a_property_of_somebody_else(wire: Wire, google: GoogleAnalytics) -> None:
    await join(wire)
    google.add(7, who="nobody")

    answer = await get(wire, "realtime", "key_id=1&property_id=7")

    said = "User does not have sufficient permissions for this property."
    told = failure("google_analytics_error_PERMISSION_DENIED", message=said)
    assert (answer.status_code, answer.json()) == (400, told)


async def test_tokens_of_a_property_that_are_spent(wire: Wire, google: GoogleAnalytics) -> None:
    await join(wire)
    google.add(7)
    google.refusal = exhausted()

    answer = await get(wire, "realtime", "key_id=1&property_id=7")

    told = answer.json()
    wanted = failure("rate_limit_exceeded", recoverable=True, message=told["message"], retryAfter=told["retryAfter"])
    assert (answer.status_code, told) == (429, wanted)
    assert "Exhausted property tokens" in told["message"]
    assert int(answer.headers["retry-after"]) == told["retryAfter"] > 0


async def test_what_is_wrong_with_a_report_is_named_and_nothing_is_asked(wire: Wire, google: GoogleAnalytics) -> None:
    await join(wire)
    asked = len(google.came)

    for query, error in (
        (f"key_id=1&{RANGE}", "property_id_required"),
        (f"key_id=1&property_id=properties/7&{RANGE}", "property_id_required"),
        ("key_id=1&property_id=7&date2=2026-11-02", "date1_required"),
        ("key_id=1&property_id=7&date1=2026-11-01", "date2_required"),
        ("key_id=1&property_id=7&date1=yesterday&date2=2026-11-02", "invalid_date1"),
        ("key_id=1&property_id=7&date1=2026-11-01&date2=2026-13-02", "invalid_date2"),
        ("key_id=1&property_id=7&date1=2026-11-03&date2=2026-11-02", "invalid_date2"),
        (f"property_id=7&{RANGE}", "key_id_required"),
    ):
        answer = await get(wire, "report", query)
        assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert len(google.came) == asked


async def test_foreign_keys_are_not_found_and_nothing_is_asked(wire: Wire, google: GoogleAnalytics) -> None:
    await join(wire)
    google.add(7)
    namecheap = await wire.register()
    other = await account_of_another(wire)
    asked = len(google.came)

    for client, key_id in ((other, 1), (wire.owner, namecheap), (wire.owner, 999)):
        for what in ("status", "properties", "report", "realtime"):
            query = f"key_id={key_id}&property_id=7&{RANGE}"
            answer = await client.get(f"/integrations/google_analytics/{what}?{query}")
            assert (answer.status_code, answer.json()) == (404, failure("key_not_found"))

    assert len(google.came) == asked


async def test_owner_required_comes_before_anything_else(wire: Wire) -> None:
    for path in ("POST init", "GET status", "GET properties", "GET report", "GET realtime"):
        method, _, name = path.partition(" ")
        for base in ("google_analytics", "ga"):
            answer = await wire.instance.stranger().request(method, f"/integrations/{base}/{name}", content=b"{")
            assert (answer.status_code, answer.json()) == (403, failure("owner_required", reason="token_missing"))
