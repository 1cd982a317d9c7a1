"""Clients that others wrote for Google Analytics, Yandex Metrica, Namecheap and NameSilo, against their stand-ins.

What they understand is what these providers answer, as far as the stand-ins go; none of them is a dependency of
Keystead. HostTracker's is in ``test_hosttracker.py``, Cloudflare's are in ``test_other_clients.py``; which providers
have none that could be tried, and why, stands in the stand-ins' README.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from tests.support.standins.google_analytics import EMAIL, GoogleAnalytics, exhausted
from tests.support.standins.namecheap import API_KEY as NAMECHEAP_KEY
from tests.support.standins.namecheap import IP, USERNAME, namecheap
from tests.support.standins.namesilo import API_KEY as NAMESILO_KEY
from tests.support.standins.namesilo import NameSilo, namesilo
from tests.support.standins.server import serving
from tests.support.standins.yandex_metrica import TOKEN, YandexMetrica, yandex_metrica


@pytest.fixture
def google() -> Iterator[GoogleAnalytics]:
    remote = GoogleAnalytics()
    with serving(remote):
        yield remote


@pytest.fixture
def metrica() -> Iterator[YandexMetrica]:
    with yandex_metrica() as remote:
        yield remote


@pytest.fixture
def registry() -> Iterator[NameSilo]:
    with namesilo() as remote:
        yield remote


def official(remote: GoogleAnalytics, kind: str, access: str | None = None) -> Any:
    """Return Google's own client of a kind, ``admin`` or ``data``; its calls go as JSON over HTTP."""
    from google.oauth2.credentials import Credentials

    package, service, name = {
        "admin": ("admin_v1beta", "analytics_admin_service", "AnalyticsAdminService"),
        "data": ("data_v1beta", "beta_analytics_data", "BetaAnalyticsData"),
    }[kind]
    transports = import_module(f"google.analytics.{package}.services.{service}.transports")
    transport = getattr(transports, f"{name}RestTransport")(
        host=f"127.0.0.1:{remote.port}",
        url_scheme="http",
        credentials=Credentials(token=access or remote.grant(EMAIL)),  # type: ignore[no-untyped-call]
    )
    return getattr(import_module(f"google.analytics.{package}"), f"{name}Client")(transport=transport)


def test_googles_own_client_lists_properties_over_pages(google: GoogleAnalytics) -> None:
    for number in range(1, 6):
        google.add(number, f"Site {number}", account=f"Account {number}")
    google.page_size_max = 2

    found = list(official(google, "admin").list_account_summaries())

    names = [f"{one.display_name}: {each.display_name}" for one in found for each in one.property_summaries]
    assert names == [f"Account {number}: Site {number}" for number in range(1, 6)]
    assert len(google.came) == 3


def test_googles_own_client_reads_a_report_and_who_is_there_now(google: GoogleAnalytics) -> None:
    made = google.add(7)
    made.days["2026-11-01"], made.now = (3, 2, 4, 9), 5
    client, wanted = official(google, "data"), {"property": "properties/7"}
    names = ("activeUsers", "newUsers", "sessions", "screenPageViews")

    report = client.run_report(
        {
            **wanted,
            "date_ranges": [{"start_date": "2026-11-01", "end_date": "2026-11-02"}],
            "dimensions": [{"name": "date"}],
            "metrics": [{"name": name} for name in names],
        }
    )
    now = client.run_realtime_report({**wanted, "metrics": [{"name": "activeUsers"}]})

    (row,) = report.rows
    assert [one.name for one in report.metric_headers] == list(names)
    assert [one.value for one in (*row.dimension_values, *row.metric_values)] == ["20261101", "3", "2", "4", "9"]
    assert now.rows[0].metric_values[0].value == "5"


def test_googles_own_client_understands_refusals(google: GoogleAnalytics) -> None:
    from google.api_core.exceptions import Forbidden, TooManyRequests

    wanted = {"property": "properties/8", "metrics": [{"name": "activeUsers"}]}
    google.add(8, who="somebody.else@example.com")

    with pytest.raises(Forbidden, match="sufficient permissions"):
        official(google, "data").run_realtime_report(wanted)
    google.refusal = exhausted()
    with pytest.raises(TooManyRequests, match="Exhausted property tokens"):
        official(google, "data").run_realtime_report(wanted)


def test_a_client_for_metrica_lists_counters_and_goals_and_reads_visits(metrica: YandexMetrica) -> None:
    from ym_api_client import YandexMetrikaClient
    from ym_api_client.base import BaseApiClient

    metrica.add_counters(3)
    metrica.goals[44_000_001] = [(1, "Order", "url")]
    metrica.visits[44_000_001, "2026-11-01"] = 5
    wanted = {"ids": "44000001", "metrics": "ym:s:visits", "dimensions": "ym:s:date"}

    with YandexMetrikaClient(TOKEN, base_url=metrica.url) as client:
        pages = [client.management.list_counters(per_page=2, offset=first) for first in (1, 3)]
        (goal,) = client.management.list_goals("44000001")
    with BaseApiClient(TOKEN, base_url=metrica.url) as reports:
        report = reports.get("stat/v1/data", {**wanted, "date1": "2026-11-01", "date2": "2026-11-02"})

    assert [[one["id"] for one in page] for page in pages] == [[44_000_001, 44_000_002], [44_000_003]]
    assert (goal["name"], report["totals"], report["data"][0]["metrics"]) == ("Order", [5.0], [5.0])


def test_a_client_for_metrica_understands_a_refusal(metrica: YandexMetrica) -> None:
    from ym_api_client import YandexMetrikaClient
    from ym_api_client.exceptions import YandexMetrikaApiError

    client = YandexMetrikaClient("y0_nobody", base_url=metrica.url, max_retries=1)
    with client, pytest.raises(YandexMetrikaApiError) as refused:
        client.management.list_counters(offset=1)

    assert (refused.value.code, refused.value.errors[0]["error_type"]) == (401, "unauthorized")


def test_lexicon_signs_in_to_namesilo(registry: NameSilo) -> None:
    from lexicon.config import ConfigResolver

    registry.mine.domains["example.com"] = "2027-01-22"
    settings = {
        "provider_name": "namesilo",
        "domain": "example.com",
        "namesilo": {"auth_token": NAMESILO_KEY, "api_endpoint": registry.url},
    }
    client = import_module("lexicon._private.providers.namesilo").Provider(ConfigResolver().with_dict(settings))

    client.authenticate()

    assert client.domain_id == "example.com"


def test_lexicon_changes_hosts_at_namecheap(monkeypatch: pytest.MonkeyPatch) -> None:
    import tldextract
    from lexicon.config import ConfigResolver

    # Its own way would ask the network for the list of public suffixes.
    monkeypatch.setattr(tldextract, "extract", tldextract.TLDExtract(suffix_list_urls=()))
    login = {"auth_username": USERNAME, "auth_token": NAMECHEAP_KEY, "auth_client_ip": IP}
    settings = {"provider_name": "namecheap", "domain": "example.com", "namecheap": login}
    with namecheap() as remote:
        remote.is_direct = True
        remote.domains["example.com"] = "01/22/2030"
        client = import_module("lexicon._private.providers.namecheap").Provider(ConfigResolver().with_dict(settings))
        client.client.endpoint = f"{remote.url}/xml.response"

        client.authenticate()
        for number in range(4):
            client.create_record("TXT", f"_acme-{number}.example.com", "one")
        client.delete_record(rtype="TXT", name="_acme-0.example.com", content="one")
        found = client.list_records("TXT")

    assert [(one["name"], one["content"]) for one in found] == [
        (f"_acme-{number}.example.com", "one") for number in range(1, 4)
    ]
