import asyncio
from collections.abc import Iterator
from datetime import date

import pytest

from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.providers.errors import ProviderBusy, ProviderFailed, ProviderRejected, SecretRefused
from keystead.providers.yandex_metrica import CONNECTABLE, Day, YandexMetrica
from tests.providers.calling import clients
from tests.support.clock import ManualClock
from tests.support.standins import yandex_metrica as standin
from tests.support.standins.server import Fate
from tests.support.standins.yandex_metrica import OF_ANOTHER_SERVICE, TOKEN, Refused

COUNTER = 44_000_001


@pytest.fixture
def metrica() -> Iterator[standin.YandexMetrica]:
    with standin.yandex_metrica() as made:
        yield made


def calling(metrica: standin.YandexMetrica, token: str = TOKEN) -> YandexMetrica:
    """Return a client whose waits take no time."""
    made = clients(clock=ManualClock(), yandex_metrica=metrica.url, yandex_metrica_login=f"{metrica.url}/login")
    return made.of(CONNECTABLE, {"token": Secret(token)})


async def test_whose_token_it_is_is_asked_at_the_other_host(metrica: standin.YandexMetrica) -> None:
    account = await calling(metrica).verify()

    assert (account.external_id, account.name) == ("1000034426", "ivan.example")
    assert account.scope == {"login": "ivan.example"}
    assert [came.path for came in metrica.came] == ["/login/info", "/management/v1/counters"]


async def test_a_token_of_another_service_is_refused(metrica: standin.YandexMetrica) -> None:
    with pytest.raises(SecretRefused) as refusal:
        await calling(metrica, OF_ANOTHER_SERVICE).verify()

    assert (refusal.value.number, refusal.value.text) == (403, "Access is denied.")


async def test_every_counter_is_read_page_by_page(metrica: standin.YandexMetrica) -> None:
    metrica.add_counters(2300)

    found = await calling(metrica).counters()

    assert [one.id for one in found] == list(metrica.users[TOKEN].counters)
    assert [came.query["offset"] for came in metrica.came] == ["1", "1001", "2001"]


async def test_a_day_that_is_left_out_had_no_visits(metrica: standin.YandexMetrica) -> None:
    metrica.add_counters(1)
    metrica.visits = {(COUNTER, "2026-02-28"): 3}

    found = await calling(metrica).visits(COUNTER, date(2026, 2, 27), date(2026, 3, 1))

    assert found == [Day(date(2026, 2, 27), 0), Day(date(2026, 2, 28), 3), Day(date(2026, 3, 1), 0)]


@pytest.mark.parametrize(("first", "last"), [("2026-01-02", "2026-01-01"), ("2024-01-01", "2025-01-01")])
async def test_a_time_that_is_none_or_too_long_asks_nothing(
    metrica: standin.YandexMetrica, first: str, last: str
) -> None:
    with pytest.raises(Invalid):
        await calling(metrica).visits(COUNTER, date.fromisoformat(first), date.fromisoformat(last))

    assert metrica.came == []


@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        (Refused(401, "unauthorized", "no"), SecretRefused),
        (Refused(403, "invalid_token", "no"), SecretRefused),
        (Refused(403, "access_denied", "no"), ProviderRejected),
        (Refused(404, "not_found", "no"), ProviderRejected),
        (Refused(400, "query_error", "no"), ProviderRejected),
        (Refused(503, "backend_error", "no"), ProviderFailed),
        (Refused(504, "timeout", "no"), ProviderFailed),
        (Refused(420, "quota_requests_by_uid", "no"), ProviderBusy),
        (Refused(429, "quota_requests_by_ip", "no"), ProviderBusy),
    ],
)
async def test_an_error_means_what_the_pages_say(
    metrica: standin.YandexMetrica, refused: Refused, kind: type[Exception]
) -> None:
    metrica.next_refusals = [refused] * 3

    with pytest.raises(kind) as refusal:
        await calling(metrica).goals(1)

    assert type(refusal.value) is kind


async def test_three_requests_at_most_are_under_way_at_once(metrica: standin.YandexMetrica) -> None:
    metrica.add_counters(1)
    held = metrica.fault("GET", "/goals", Fate.HOLD, times=5)
    client = calling(metrica)

    asked = [asyncio.create_task(client.goals(COUNTER)) for _ in range(5)]
    while len(metrica.asked("GET", "/goals")) < 3:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    under_way = len(metrica.asked("GET", "/goals"))
    held.go_on.set()

    assert await asyncio.gather(*asked) == [[]] * 5
    assert under_way == 3
