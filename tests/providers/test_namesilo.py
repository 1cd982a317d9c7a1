from datetime import date

import pytest
import structlog

from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.providers.connectable import Connectable
from keystead.providers.errors import (
    AddressRefused,
    FieldMissing,
    ProviderBusy,
    ProviderRejected,
    ProviderUnavailable,
    ProviderUnreadable,
    SecretRefused,
)
from keystead.providers.namesilo import CONNECTABLE, NameSilo
from tests.providers.calling import clients
from tests.support.clock import ManualClock
from tests.support.standins import namesilo as standin
from tests.support.standins.namesilo import API_KEY, SEEN_IP, Refused
from tests.support.standins.server import Fate

SERVERS = ["bob.ns.cloudflare.com", "lola.ns.cloudflare.com"]


@pytest.fixture
def registry() -> standin.NameSilo:  # type: ignore[misc]
    with standin.namesilo() as made:
        yield made


def calling(registry: standin.NameSilo, api_key: str = API_KEY, clock: ManualClock | None = None) -> NameSilo:
    """Return a client whose waits for its pace take no time."""
    made = clients(clock=clock or ManualClock(), namesilo=registry.url)
    return made.of(CONNECTABLE, {"api_key": Secret(api_key)})


async def test_the_key_travels_in_the_query_and_in_no_message(registry: standin.NameSilo) -> None:
    client = calling(registry, "CANARY-wrong")

    with structlog.testing.capture_logs() as logged, pytest.raises(SecretRefused) as refusal:
        await client.balance()

    assert registry.came[0].query == {"version": "1", "type": "xml", "key": "CANARY-wrong"}
    assert "CANARY" not in f"{refusal.value} {refusal.value.context} {refusal.value!r} {client!r} {logged}"


async def test_every_domain_is_read_page_by_page(registry: standin.NameSilo) -> None:
    registry.add_domains(230)

    found = await calling(registry).domains()

    assert [one.name for one in found] == sorted(registry.mine.domains)
    assert found[0].expires_on == date(2027, 1, 22)
    assert [came.query["page"] for came in registry.came] == ["1", "2", "3"]


async def test_an_answer_that_knows_no_pages_is_the_whole_list(registry: standin.NameSilo) -> None:
    registry.has_pager = False
    registry.add_domains(230)

    assert len(await calling(registry).domains()) == 230
    assert len(registry.came) == 1


async def test_pages_may_be_smaller_than_was_asked_for(registry: standin.NameSilo) -> None:
    registry.page_size_max = 10
    registry.add_domains(25)

    assert len(await calling(registry).domains()) == 25
    assert len(registry.came) == 3


async def test_a_list_that_does_not_go_on_is_no_list(registry: standin.NameSilo) -> None:
    body = (
        b"<namesilo><reply><code>300</code><domains><domain expires='2027-01-01'>example.com</domain></domains>"
        b"<pager><total>2</total><pageSize>1</pageSize><page>1</page></pager></reply></namesilo>"
    )
    registry.fault("GET", "listDomains", Fate.REFUSE, times=9, status=200, body=body)

    with pytest.raises(ProviderUnreadable):
        await calling(registry).domains()

    assert len(registry.came) == 2


async def test_an_answer_without_a_list_is_not_an_account_without_domains(registry: standin.NameSilo) -> None:
    body = b"<namesilo><reply><code>300</code><detail>success</detail></reply></namesilo>"
    registry.fault("GET", "listDomains", Fate.REFUSE, times=9, status=200, body=body)

    with pytest.raises(ProviderUnreadable):
        await calling(registry).domains()


async def test_a_list_that_is_left_out_where_none_are_counted_is_empty(registry: standin.NameSilo) -> None:
    body = b"<namesilo><reply><code>300</code><pager><total>0</total></pager></reply></namesilo>"
    registry.fault("GET", "listDomains", Fate.REFUSE, times=9, status=200, body=body)

    assert await calling(registry).domains() == []


async def test_an_empty_account_has_no_domains(registry: standin.NameSilo) -> None:
    assert await calling(registry).domains() == []


async def test_requests_follow_each_other_once_a_second(registry: standin.NameSilo) -> None:
    registry.add_domains(230)
    clock = ManualClock()
    began_s = clock.monotonic_s()

    await calling(registry, clock=clock).domains()

    assert clock.monotonic_s() - began_s >= 2


async def test_name_servers_are_read_in_their_order_and_set(registry: standin.NameSilo) -> None:
    registry.mine.domains["example.com"] = "2027-01-01"
    client = calling(registry)

    before = await client.name_servers("example.com")
    await client.set_name_servers("EXAMPLE.com.", ["Bob.ns.cloudflare.com.", SERVERS[1]])

    assert before == ["ns1.dnsowl.com", "ns2.dnsowl.com"]
    assert await client.name_servers("example.com") == SERVERS


async def test_many_domains_are_pointed_in_requests_that_fit_into_a_url(registry: standin.NameSilo) -> None:
    registry.add_domains(300)
    names = sorted(registry.mine.domains)

    await calling(registry).set_name_servers_of(names, SERVERS)

    parts = [came.query["domain"].split(",") for came in registry.came]
    assert registry.mine.name_servers == dict.fromkeys(names, SERVERS)
    assert [name for part in parts for name in part] == names
    assert len(parts) < 10


@pytest.mark.parametrize(
    ("domain", "servers", "field"),
    [
        ("www.example.com", SERVERS, "domain"),
        ("example.com,other.com", SERVERS, "domain"),
        ("example.com", SERVERS[:1], "nameservers"),
        ("example.com", [f"ns{n}.example.net" for n in range(14)], "nameservers"),
        ("example.com", ["ns1", "ns2"], "nameservers"),
    ],
)
async def test_what_is_no_name_is_refused_before_anything_is_sent(
    registry: standin.NameSilo, domain: str, servers: list[str], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        await calling(registry).set_name_servers(domain, servers)

    assert list(refusal.value.fields) == [field]
    assert registry.came == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("110", SecretRefused),
        ("111", SecretRefused),
        ("113", AddressRefused),
        ("112", ProviderRejected),
        ("200", ProviderRejected),
        ("254", ProviderRejected),
        ("115", ProviderUnavailable),
        ("201", ProviderUnavailable),
        ("400", ProviderBusy),
    ],
)
async def test_a_code_means_what_the_reference_says(
    registry: standin.NameSilo, code: str, kind: type[Exception]
) -> None:
    registry.next_refusals = [Refused(code, "its own sentence")]

    with pytest.raises(kind) as refusal:
        await calling(registry).balance()

    assert type(refusal.value) is kind
    if isinstance(refusal.value, ProviderRejected):
        assert (refusal.value.number, refusal.value.text) == (code, "its own sentence")
    if isinstance(refusal.value, AddressRefused):
        assert refusal.value.seen == SEEN_IP


@pytest.mark.parametrize("code", ["301", "302"])
async def test_a_success_with_a_remark_is_one(registry: standin.NameSilo, code: str) -> None:
    body = f"<namesilo><reply><code>{code}</code><balance>2.00</balance></reply></namesilo>".encode()
    registry.fault("GET", "getAccountBalance", Fate.REFUSE, status=200, body=body)

    assert await calling(registry).balance() == "2.00"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html/>",
        b"<namesilo/>",
        b"<namesilo><reply><code>300</code></reply></namesilo>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><namesilo><reply><code>300</code><balance>&a;</balance></reply></namesilo>',
    ],
)
async def test_what_is_not_of_its_api_is_no_answer(registry: standin.NameSilo, body: bytes) -> None:
    registry.fault("GET", "getAccountBalance", Fate.REFUSE, status=200, body=body)

    with pytest.raises(ProviderUnreadable):
        await calling(registry).balance()


async def test_a_wait_longer_than_patience_is_the_callers(registry: standin.NameSilo) -> None:
    registry.fault("GET", "getAccountBalance", Fate.REFUSE, status=429, headers={"Retry-After": "30"})
    client = calling(registry)

    for _ in range(2):
        with pytest.raises(ProviderBusy) as refusal:
            await client.balance()

    assert refusal.value.retry_after_s == 30
    assert len(registry.came) == 1


def test_a_secret_is_read_from_the_way_that_something_is_given_for() -> None:
    what: Connectable[NameSilo] = CONNECTABLE

    with pytest.raises(FieldMissing) as missing:
        what.read({"token": "x"})
    with pytest.raises(SecretRefused):
        what.read({"api_key": "two\nlines"})

    assert missing.value.field == "api_key"
    assert what.read({"api_key": " k "})["api_key"].reveal() == "k"
