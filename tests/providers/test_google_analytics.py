import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from keystead.kit.errors import Invalid
from keystead.providers.errors import (
    FieldMissing,
    ProviderBusy,
    ProviderFailed,
    ProviderRejected,
    ProviderUnavailable,
    ProviderUnreadable,
    SecretRefused,
)
from keystead.providers.google_analytics import CONNECTABLE, Day, GoogleAnalytics
from tests.providers.calling import clients
from tests.support.clock import ManualClock
from tests.support.standins import google_document as document
from tests.support.standins.google_analytics import (
    CLIENT_ID,
    CLIENT_SECRET,
    EMAIL,
    EVIL,
    REFRESH_TOKEN,
    SUBJECT,
    exhausted,
    other_key,
    uploaded,
)
from tests.support.standins.google_analytics import GoogleAnalytics as StandIn
from tests.support.standins.google_analytics import Refused as GoogleRefused
from tests.support.standins.server import Fate, Told, serving

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 3)
OAUTH = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    """Serve a Google for all tests of this module."""
    standin = StandIn()
    with serving(standin):
        yield standin


@pytest.fixture
def google(server: StandIn) -> StandIn:
    """Return a Google with one account and nothing in it."""
    port = server.port
    vars(server).clear()
    server.__init__()  # type: ignore[misc]
    server.port = port
    return server


def all_of(google: StandIn, clock: ManualClock | None = None) -> Any:
    bases = {CONNECTABLE.id: google.url, f"{CONNECTABLE.id}_admin": google.url, f"{CONNECTABLE.id}_token": google.url}
    return clients(clock=clock or ManualClock(), **bases)


def calling(google: StandIn, given: dict[str, Any] | None = None, clock: ManualClock | None = None) -> GoogleAnalytics:
    """Return a client with what a person hands over."""
    secrets = CONNECTABLE.read({"service_account": uploaded()} if given is None else given)
    return all_of(google, clock).of(CONNECTABLE, secrets)  # type: ignore[no-any-return]


# --- whose it is


async def test_a_service_account_is_known_by_its_address(google: StandIn) -> None:
    google.add(7)

    found = await calling(google).verify()

    assert (found.external_id, found.expires_at) == (EMAIL, None)
    assert (found.scope, found.told) == ({"kind": "service_account"}, {"properties": 1})


async def test_a_key_may_come_as_text(google: StandIn) -> None:
    found = await calling(google, {"service_account": json.dumps(uploaded())}).verify()

    assert found.external_id == EMAIL


async def test_a_person_is_known_by_their_subject_where_google_tells_it(google: StandIn) -> None:
    told = await calling(google, OAUTH).verify()
    google.identity = {}
    untold = await calling(google, OAUTH).verify()

    assert (told.external_id, untold.external_id) == (SUBJECT, None)
    assert told.scope == {"kind": "oauth", "client_id": CLIENT_ID}
    assert told.expires_at is None


async def test_an_access_token_alone_ends_when_google_says(google: StandIn) -> None:
    clock = ManualClock()

    found = await calling(google, {"access_token": google.grant(SUBJECT)}, clock).verify()

    assert found.expires_at == clock.now() + timedelta(seconds=3480)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "service_account"),
        ({"service_account": {}}, "service_account"),
        ({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}, "refresh_token"),
        ({"refresh_token": REFRESH_TOKEN, "access_token": "x"}, "client_id"),
    ],
)
def test_what_is_missing_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldMissing) as missing:
        CONNECTABLE.read(given)

    assert missing.value.field == field


@pytest.mark.parametrize(
    "more",
    [
        {"type": "authorized_user"},
        {"private_key": None},
        {"private_key": "CANARY no key"},
        {"client_email": "nobody"},
        {"client_email": 7},
    ],
)
async def test_what_is_no_key_of_a_service_account_is_never_sent(google: StandIn, more: dict[str, Any]) -> None:
    with pytest.raises(SecretRefused) as refusal:
        await calling(google, {"service_account": uploaded(**more)}).verify()

    assert google.came == []
    assert "CANARY" not in f"{refusal.value} {refusal.value.text}"


async def test_a_public_key_signs_nothing(google: StandIn) -> None:
    from joserfc.jwk import RSAKey

    public = RSAKey.import_key(uploaded()["private_key"]).as_pem(private=False).decode()

    with pytest.raises(SecretRefused):
        await calling(google, {"service_account": uploaded(private_key=public)}).verify()


# --- access tokens


async def test_the_address_that_an_upload_names_is_never_asked(google: StandIn) -> None:
    google.add(7)

    await calling(google, {"service_account": uploaded(token_uri=EVIL)}).verify()

    # The stand-in has seen every request there was, and the assertion is for Google whoever passes it on.
    assert [came.path for came in google.came] == ["/token", "/v1beta/accountSummaries"]


async def test_an_access_token_is_kept_until_near_its_end_for_every_client(google: StandIn) -> None:
    clock = ManualClock()
    everybody, secrets = all_of(google, clock), CONNECTABLE.read({"service_account": uploaded()})

    for _ in range(3):
        await everybody.of(CONNECTABLE, secrets).properties()
    clock.advance(3599 - 300)
    await everybody.of(CONNECTABLE, secrets).properties()

    assert len(google.asked("POST", "/token")) == 2


async def test_a_check_does_not_go_by_a_token_that_is_kept(google: StandIn) -> None:
    everybody = all_of(google)
    await everybody.of(CONNECTABLE, CONNECTABLE.read(OAUTH)).verify()

    with pytest.raises(SecretRefused):
        await everybody.of(CONNECTABLE, CONNECTABLE.read({**OAUTH, "client_secret": "wrong"})).verify()
    await everybody.of(CONNECTABLE, CONNECTABLE.read(OAUTH)).verify()

    assert len(google.asked("POST", "/token")) == 3


async def test_a_token_that_was_taken_back_is_had_anew_once(google: StandIn) -> None:
    client = calling(google)
    await client.properties()
    google.revoke()

    assert await client.properties() == []
    assert google.made == 2


async def test_a_token_that_is_refused_again_is_refused(google: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google, "grant", lambda _: "ya29.nobody")

    with pytest.raises(SecretRefused) as refusal:
        await calling(google).properties()

    assert refusal.value.number == "UNAUTHENTICATED"
    assert len(google.asked("POST", "/token")) == 2


async def test_an_access_token_alone_is_not_asked_for_anew(google: StandIn) -> None:
    with pytest.raises(SecretRefused):
        await calling(google, {"access_token": "ya29.ended"}).properties()

    assert len(google.came) == 1


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"service_account": "other key"}, "invalid_grant"),
        ({"service_account": "other account"}, "invalid_grant"),
        ({**OAUTH, "client_secret": "wrong"}, "invalid_client"),
        ({**OAUTH, "refresh_token": "wrong"}, "invalid_grant"),
        ({"access_token": "wrong"}, "invalid_token"),
    ],
)
async def test_a_wrong_secret_is_told_in_googles_word(google: StandIn, given: dict[str, Any], word: str) -> None:
    made = {"other key": {"private_key": other_key()}, "other account": {"client_email": "nobody@example.com"}}
    if (kind := given.get("service_account")) is not None:
        given = {"service_account": uploaded(**made[kind])}

    with pytest.raises(SecretRefused) as refusal:
        await calling(google, given).verify()

    assert refusal.value.number == word


@pytest.mark.parametrize(
    "body", [b"not json", b"{}", b'{"access_token": "x"}', b'{"access_token": 1, "expires_in": 9}']
)
async def test_what_is_no_access_token_is_not_believed(
    google: StandIn, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(google, "answer", lambda _: Told(200, body))

    with pytest.raises((ProviderUnreadable, ProviderFailed)):
        await calling(google).properties()


# --- what is read


async def test_properties_of_all_pages_are_read(google: StandIn) -> None:
    for number in range(7):
        google.add(100 + number, f"Site {number}", account=f"Account {number}")
    google.add(999, "Somebody else's", account="Account 3", who="nobody")
    google.page_size_max = 3

    found = await calling(google).properties()

    assert [(one.id, one.name, one.account, one.kind) for one in found] == [
        (str(100 + number), f"Site {number}", f"Account {number}", "ordinary") for number in range(7)
    ]
    assert len(google.asked("GET", "/accountSummaries")) == 3


async def test_a_report_has_every_day_of_its_range(google: StandIn) -> None:
    google.add(7).days = {"2026-11-01": (5, 2, 9, 30), "2026-11-03": (1, 0, 1, 4)}

    found = await calling(google).report(7, FIRST, LAST)

    assert found == [
        Day(FIRST, 5, 2, 9, 30),
        Day(FIRST + timedelta(days=1), 0, 0, 0, 0),
        Day(LAST, 1, 0, 1, 4),
    ]


async def test_a_range_that_is_none_asks_nothing(google: StandIn) -> None:
    for first, last in ((LAST, FIRST), (date(1900, 1, 1), LAST)):
        with pytest.raises(Invalid) as refusal:
            await calling(google).report(7, first, last)
        assert set(refusal.value.fields) == {"date2"}

    assert google.came == []


async def test_realtime_counts_who_is_there_and_nobody_as_none(google: StandIn) -> None:
    google.add(7).now = 42
    google.add(8)
    client = calling(google)

    assert (await client.realtime_users(7), await client.realtime_users(8)) == (42, 0)


# --- failures


async def test_what_google_refuses_is_told_by_word_and_sentence(google: StandIn) -> None:
    google.add(7, who="nobody")

    with pytest.raises(ProviderRejected) as refusal:
        await calling(google).report(7, FIRST, LAST)

    assert (refusal.value.number, refusal.value.status) == ("PERMISSION_DENIED", 403)
    assert "permission" in refusal.value.text


async def test_a_property_whose_tokens_are_spent_stops_no_other(google: StandIn) -> None:
    google.add(7)
    google.add(8)
    client = calling(google)
    google.refusal = exhausted()

    with pytest.raises(ProviderBusy) as busy:
        await client.realtime_users(7)
    with pytest.raises(ProviderBusy) as again:
        await client.realtime_users(7)
    others = await client.realtime_users(8)

    assert (busy.value.status, again.value.status, others) == (429, 0, 0)
    assert "Exhausted property tokens for a project per hour" in busy.value.message


@pytest.mark.parametrize("status", [500, 503, 404])
async def test_what_is_no_answer_of_the_api_is_a_failure_for_now(google: StandIn, status: int) -> None:
    google.fault("GET", "/accountSummaries", Fate.REFUSE, times=3, status=status)

    with pytest.raises(ProviderFailed) as failure:
        await calling(google).properties()

    assert failure.value.status == status


async def test_an_error_with_a_word_and_a_server_status_is_for_now(google: StandIn) -> None:
    google.refusal = GoogleRefused(500, "INTERNAL", "Internal error encountered.")

    with pytest.raises(ProviderFailed):
        await calling(google).properties()


@pytest.mark.parametrize(
    "rows",
    [
        b'[{"dimensionValues": [], "metricValues": [{"value": "1"}]}]',
        b'[{"dimensionValues": [{"value": "20261101"}], "metricValues": [{"value": "1"}]}]',
        b'[{"dimensionValues": [{"value": "20261101"}], "metricValues": [{"value": "many"}]}]',
        b"[7]",
    ],
)
async def test_a_report_of_another_shape_is_not_believed(
    google: StandIn, monkeypatch: pytest.MonkeyPatch, rows: bytes
) -> None:
    client = calling(google, {"access_token": google.grant(SUBJECT)})
    monkeypatch.setattr(google, "answer", lambda _: Told(200, b'{"rows": ' + rows + b"}"))

    with pytest.raises(ProviderUnreadable):
        await client.report(7, FIRST, LAST)


async def test_no_secret_is_in_what_is_raised(google: StandIn) -> None:
    for path in ("/token", "/accountSummaries"):
        client = calling(google, OAUTH)
        google.fault("POST" if path == "/token" else "GET", path, Fate.LOSE_REQUEST, times=3)
        with pytest.raises(ProviderUnavailable) as failure:
            await client.properties()

        told: BaseException | None = failure.value
        while told is not None:
            assert "CANARY" not in f"{told!r} {told} {vars(told)}"
            told = told.__cause__ or told.__context__


def test_a_grant_shows_nothing_of_itself() -> None:
    from keystead.providers.google_analytics import grant_of

    for given in ({"service_account": uploaded()}, OAUTH, {"access_token": "CANARY"}):
        grant = grant_of(CONNECTABLE.read(given))
        shown = f"{grant!r} {grant.key}"
        assert "CANARY" not in shown
        assert "PRIVATE KEY" not in shown


def test_the_documents_are_held_against() -> None:
    path = "/v1beta/properties/7:runReport"
    with pytest.raises(document.Undocumented):
        document.check_request("GET", "/v1beta/accountSummaries", {"per_page": "1"}, b"")
    with pytest.raises(document.Undocumented):
        document.check_request("POST", path, {}, b'{"limit": 10000}')
    with pytest.raises(document.Undocumented):
        document.check_request("POST", path, {}, b'{"limits": "10"}')
    with pytest.raises(document.Undocumented):
        document.check_answer("POST", path, b'{"rows": [{"metricValues": [{"value": 7}]}]}')
    with pytest.raises(document.Undocumented):
        document.check_request("GET", "/v1beta/properties", {}, b"")
