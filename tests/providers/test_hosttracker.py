import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from keystead.kit.secret import Secret
from keystead.providers.errors import (
    AddressRefused,
    ProviderBusy,
    ProviderFailed,
    ProviderRejected,
    ProviderUnavailable,
    ProviderUnreadable,
    SecretRefused,
)
from keystead.providers.hosttracker import CONNECTABLE, MonitorWish, counts
from keystead.providers.hosttracker import HostTracker as Client
from tests.providers.calling import clients
from tests.support.clock import ManualClock
from tests.support.standins.hosttracker import ACCOUNT, LOGIN, TOKEN, HostTracker, Refused
from tests.support.standins.server import Fate, Told, serving

WISH = MonitorWish("https://example.com/health", name="Shop", interval_s=300)


@pytest.fixture
def monitoring() -> Iterator[HostTracker]:
    """Serve a HostTracker."""
    standin = HostTracker()
    with serving(standin):
        yield standin


def calling(standin: HostTracker, clock: ManualClock | None = None) -> Client:
    """Return a client with the account's token."""
    made = clients(clock=clock or ManualClock(), hosttracker=standin.url)
    return made.of(CONNECTABLE, CONNECTABLE.read({"token": TOKEN}))


async def test_the_account_of_a_token_is_read(monitoring: HostTracker) -> None:
    found = await calling(monitoring).account()

    assert (found.id, found.login, found.is_api_enabled) == (ACCOUNT, LOGIN, True)
    assert monitoring.came[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_an_end_is_read_from_the_token_itself(monitoring: HostTracker) -> None:
    for claims, ends_at in (
        ({"exp": 2095372800}, datetime(2036, 5, 26, tzinfo=UTC)),
        ({}, None),
        ({"exp": "soon"}, None),
        ({"exp": 10**20}, None),
        ([], None),
    ):
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        token = f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2ln"
        monitoring.tokens[token] = ACCOUNT
        client = clients(clock=ManualClock(), hosttracker=monitoring.url).of(CONNECTABLE, {"token": Secret(token)})

        found = await client.verify()

        assert (found.external_id, found.expires_at) == (ACCOUNT, ends_at)


async def test_all_pages_of_monitors_are_read_with_their_states(monitoring: HostTracker) -> None:
    for number in range(430):
        monitoring.add(f"https://site-{number:03d}.example.com", state="down" if number % 10 == 0 else "up")

    found = await calling(monitoring).monitors()

    assert [one.url for one in found] == [one.url for one in monitoring.monitors.values()]
    assert [came.query for came in monitoring.came] == [
        {"limit": "200"},
        {"limit": "200", "cursor": "opaque-200"},
        {"limit": "200", "cursor": "opaque-400"},
    ]
    assert counts(found) == {"up": 387, "down": 43, "paused": 0, "maintenance": 0}


async def test_a_cursor_that_stays_the_same_ends_the_list(
    monitoring: HostTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = b'{"data": [], "nextCursor": "opaque-1", "hasMore": true}'
    monkeypatch.setattr(monitoring, "answer", lambda _: Told(200, page))

    assert await calling(monitoring).monitors() == []
    assert len(monitoring.came) == 2


async def test_a_monitor_is_made_and_deleted(monitoring: HostTracker) -> None:
    client = calling(monitoring)

    made = await client.create_monitor(WISH, "key-1")
    gone = await client.delete_monitor(made.id.upper(), "key-2")
    again = await client.delete_monitor(made.id, "key-3")

    assert (made.kind, made.url, made.name, made.interval_s) == ("http", WISH.url, "Shop", 300)
    assert (gone, again) == (True, False)
    assert monitoring.monitors == {}


async def test_a_create_whose_answer_was_lost_makes_one_monitor(monitoring: HostTracker) -> None:
    monitoring.fault("POST", "/monitor", Fate.LOSE_ANSWER)

    made = await calling(monitoring).create_monitor(WISH, "key-1")

    assert list(monitoring.monitors) == [made.id]
    assert [came.headers["idempotency-key"] for came in monitoring.came] == ["key-1", "key-1"]


async def test_a_delete_whose_answer_was_lost_is_not_told_as_a_monitor_that_is_not_there(
    monitoring: HostTracker,
) -> None:
    ident = monitoring.add("https://example.com").id
    monitoring.fault("DELETE", ident, Fate.LOSE_ANSWER)

    assert await calling(monitoring).delete_monitor(ident, "key-1")


@pytest.mark.parametrize("ident", ["", "1", "../account", "3f2504e0-4f89-41d3-9a0c-0305e82c330z"])
async def test_nothing_is_asked_about_what_is_no_id(monitoring: HostTracker, ident: str) -> None:
    assert not await calling(monitoring).delete_monitor(ident, "key-1")
    assert monitoring.came == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_token", SecretRefused),
        ("ip_not_allowed", AddressRefused),
        ("missing_scope", ProviderRejected),
        ("package_limit", ProviderRejected),
        ("quota_exceeded", ProviderRejected),
    ],
)
async def test_a_problem_is_told_by_its_code_and_sentence(
    monitoring: HostTracker, code: str, kind: type[ProviderRejected]
) -> None:
    monitoring.refusal = Refused(code, "What exactly.")

    with pytest.raises(ProviderRejected) as refusal:
        await calling(monitoring).monitors()

    assert type(refusal.value) is kind
    assert (refusal.value.number, refusal.value.text) == (code, "What exactly.")


async def test_of_two_limits_only_the_one_that_passes_is_a_busy_provider(monitoring: HostTracker) -> None:
    monitoring.headers["Retry-After"] = "30"
    monitoring.refusal = Refused("rate_limited")

    with pytest.raises(ProviderBusy) as busy:
        await calling(monitoring).account()

    assert (busy.value.status, busy.value.retry_after_s) == (429, 30)


async def test_a_429_without_a_problem_is_the_limit_that_passes(monitoring: HostTracker) -> None:
    monitoring.fault("GET", "/account", Fate.REFUSE, status=429)

    with pytest.raises(ProviderBusy):
        await calling(monitoring).account()


async def test_a_used_up_limit_is_kept_to_before_it_is_passed(monitoring: HostTracker) -> None:
    monitoring.headers |= {"RateLimit-Remaining": "0", "RateLimit-Reset": "900"}
    clock = ManualClock()
    client = calling(monitoring, clock)
    await client.account()

    with pytest.raises(ProviderBusy) as busy:
        await client.account()
    clock.advance(900)
    await client.account()

    assert (busy.value.status, busy.value.retry_after_s) == (0, 900)
    assert len(monitoring.came) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 404, 302])
async def test_what_is_no_problem_document_is_a_failure_for_now(monitoring: HostTracker, status: int) -> None:
    monitoring.fault("GET", "/account", Fate.REFUSE, times=3, status=status)

    with pytest.raises(ProviderFailed) as failure:
        await calling(monitoring).account()

    assert failure.value.status == status


@pytest.mark.parametrize("body", [b"not json", b"[]", b"{}", b'{"id": null}'])
async def test_what_is_no_answer_of_the_api_is_not_believed(
    monitoring: HostTracker, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(monitoring, "answer", lambda _: Told(200, body))

    with pytest.raises(ProviderUnreadable):
        await calling(monitoring).account()


async def test_no_secret_is_in_what_is_raised(monitoring: HostTracker) -> None:
    monitoring.fault("GET", "/account", Fate.LOSE_REQUEST, times=3)

    with pytest.raises(ProviderUnavailable) as failure:
        await calling(monitoring).account()

    told: BaseException | None = failure.value
    while told is not None:
        assert "CANARY" not in f"{told!r} {told} {vars(told)}"
        told = told.__cause__ or told.__context__


def test_the_official_client_works_against_the_stand_in(monitoring: HostTracker) -> None:
    from hosttracker import HostTracker as Official
    from hosttracker import HostTrackerError

    for number in range(3):
        monitoring.add(f"https://site-{number}.example.com")
    with Official(token=TOKEN, base_url=monitoring.url) as official:
        account = official.account.get_account()
        listed = list(official.paginate(official.monitors.list_monitor, limit=2))
        wanted: dict[str, Any] = {"type": "http", "url": WISH.url, "interval": 300}
        made = official.monitors.create_monitor(body=wanted)
        with pytest.raises(HostTrackerError) as duplicate:
            official.monitors.create_monitor(body=wanted)
        receipt = official.monitors.delete_monitor(made.id)

    assert str(account.id) == ACCOUNT
    assert [one.state for one in listed] == ["up"] * 3
    assert (duplicate.value.code, duplicate.value.status) == ("duplicate_monitor", 409)
    assert (receipt.deleted, made.interval) == (True, 300)


def test_problems_are_those_of_the_official_client() -> None:
    from importlib import import_module

    from tests.support.standins.hosttracker import _TITLES

    for code, (status, title) in _TITLES.items():
        module = import_module(f"hosttracker._generated.models.{code}")
        values = import_module(f"hosttracker._generated.models.{code}_status")
        kind = next(one for name, one in vars(module).items() if name.lower() == code.replace("_", ""))

        assert title == (kind.__doc__ or "").strip()
        assert {status} == getattr(values, f"{code.upper()}_STATUS_VALUES")
