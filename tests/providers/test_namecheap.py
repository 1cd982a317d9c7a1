from datetime import datetime

import pytest

from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.providers import clients as clients_module
from keystead.providers.errors import (
    AddressRefused,
    ProviderBusy,
    ProviderFailed,
    ProviderRejected,
    ProviderUnavailable,
    ProviderUnreadable,
    SecretRefused,
)
from keystead.providers.namecheap import Host, Hosts, Login, seen_address
from tests.providers.calling import clients, relayed
from tests.support.standins.namecheap import API_KEY, IP, OWN_DNS, USERNAME, Namecheap, Refused
from tests.support.standins.server import Fate, Told


async def test_the_balance_is_read_through_the_relay_with_its_password(registrar: Namecheap) -> None:
    assert await relayed(registrar).balance() == "8.32"

    came = registrar.came[0]
    assert came.path == "/xml.response"
    assert came.query["ClientIp"] == IP
    assert came.headers["authorization"] == registrar.password


async def test_all_pages_of_domains_are_read(registrar: Namecheap) -> None:
    registrar.add_domains(230)

    found = await relayed(registrar).domains()

    written = {name: datetime.strptime(day, "%m/%d/%Y").date() for name, day in registrar.domains.items()}
    assert [(one.name, one.expires_on) for one in found] == sorted(written.items())
    assert len(registrar.came) == 3
    assert {(one.is_expired, one.renews_itself, one.is_locked) for one in found} == {(False, True, False)}


async def test_name_servers_are_read_before_and_after_they_are_set(registrar: Namecheap) -> None:
    registrar.domains["example.com"] = "01/01/2030"
    client = relayed(registrar)

    before = await client.name_servers("example.com")
    await client.set_name_servers("example.com", ["bob.ns.cloudflare.com", "lola.ns.cloudflare.com"])

    assert before == ["dns1.registrar-servers.com", "dns2.registrar-servers.com"]
    assert await client.name_servers("example.com") == ["bob.ns.cloudflare.com", "lola.ns.cloudflare.com"]


@pytest.mark.parametrize(
    ("name", "label", "suffix"),
    [
        ("example.com", "example", "com"),
        ("example.co.uk", "example", "co.uk"),
        ("example.com.de", "example", "com.de"),
        ("EXAMPLE.pro.", "example", "pro"),
        ("пример.com", "xn--e1afmkfd", "com"),
    ],
)
async def test_name_servers_are_set_for_a_registered_domain(
    registrar: Namecheap, name: str, label: str, suffix: str
) -> None:
    registrar.domains[f"{label}.{suffix}"] = "01/01/2030"

    await relayed(registrar).set_name_servers(name, ["Bob.ns.cloudflare.com.", "lola.ns.cloudflare.com"])

    assert (registrar.came[0].query["SLD"], registrar.came[0].query["TLD"]) == (label, suffix)
    assert registrar.name_servers[f"{label}.{suffix}"] == ["bob.ns.cloudflare.com", "lola.ns.cloudflare.com"]


@pytest.mark.parametrize(
    "name", ["www.example.com", "com", "co.uk", "a b.com", "", "-x.com", "x..com", "user.github.io.x"]
)
async def test_nothing_is_sent_for_what_is_no_registered_domain(registrar: Namecheap, name: str) -> None:
    with pytest.raises(Invalid):
        await relayed(registrar).set_name_servers(name, ["bob.ns.cloudflare.com"])
    with pytest.raises(Invalid):
        await relayed(registrar).set_name_servers("example.com", ["bob"])

    assert registrar.came == []


async def test_a_wrong_key_is_told_from_an_address_that_is_not_on_the_list(registrar: Namecheap) -> None:
    with pytest.raises(SecretRefused) as wrong:
        await relayed(registrar, "not-the-key").balance()
    with pytest.raises(AddressRefused) as elsewhere:
        await relayed(registrar, ip="203.0.113.9").balance()

    assert wrong.value.number == "1011102"
    assert (elsewhere.value.number, seen_address(elsewhere.value.text)) == ("1011150", "203.0.113.9")


async def test_what_namecheap_refuses_is_told_by_number_and_sentence(registrar: Namecheap) -> None:
    with pytest.raises(ProviderRejected) as refusal:
        await relayed(registrar).set_name_servers("nobody.com", ["bob.ns.cloudflare.com"])
    registrar.next_refusal = Refused("500000", "Too many requests")
    with pytest.raises(ProviderBusy):
        await relayed(registrar).balance()

    registrar.domains["example.com"] = "01/01/2030"
    registrar.next_refusal = Refused("500000", "Too many requests")
    with pytest.raises(ProviderBusy) as busy:
        await relayed(registrar).set_hosts("example.com", Hosts((Host("@", "A", "192.0.2.1"),)))

    assert busy.value.may_have_landed is False
    assert (refusal.value.number, refusal.value.text) == ("2019166", "Domain name not found nobody.com")


async def test_a_relay_that_fails_is_told_by_its_status(registrar: Namecheap) -> None:
    with pytest.raises(ProviderFailed) as refused:
        await relayed(registrar, relay_auth="Basic d3Jvbmc=").balance()
    registrar.fault("GET", "/xml.response", Fate.REFUSE, times=3, status=502)
    with pytest.raises(ProviderFailed) as failed:
        await relayed(registrar).balance()

    assert (refused.value.status, failed.value.status) == (401, 502)


async def test_a_relay_that_does_not_answer_is_told(registrar: Namecheap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients_module, "TIMEOUT_S", 0.3)  # the real one would take ten seconds
    registrar.fault("GET", "/xml.response", Fate.HOLD)

    with pytest.raises(ProviderUnavailable) as failure:
        await relayed(registrar).balance()

    assert failure.value.is_time


async def test_a_direct_way_has_no_password(registrar: Namecheap) -> None:
    registrar.is_direct = True
    login = Login(USERNAME, Secret(API_KEY), IP)

    balance = await clients(namecheap=registrar.url).namecheap(login).balance()

    assert balance == "8.32"
    assert "authorization" not in registrar.came[0].headers


@pytest.mark.parametrize(
    "body",
    [
        b"not xml",
        b"<html/>",
        b'<ApiResponse Status="ERROR"><Errors/></ApiResponse>',
        b'<ApiResponse Status="OK"><CommandResponse/></ApiResponse>',
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><ApiResponse Status="OK">&a;</ApiResponse>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><ApiResponse Status="OK">&a;</ApiResponse>',
    ],
)
async def test_what_is_no_answer_of_the_api_is_not_believed(
    registrar: Namecheap, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(registrar, "answer", lambda _: Told(200, body, "text/xml"))

    with pytest.raises(ProviderUnreadable):
        await relayed(registrar).balance()


async def test_no_secret_is_in_what_is_raised(registrar: Namecheap) -> None:
    registrar.fault("GET", "/xml.response", Fate.LOSE_REQUEST, times=3)

    with pytest.raises(ProviderUnavailable) as failure:
        await relayed(registrar).balance()

    told: BaseException | None = failure.value
    while told is not None:
        assert "CANARY" not in f"{told!r} {told} {vars(told)}"
        told = told.__cause__ or told.__context__


async def test_name_servers_are_read_and_given_back_to_the_registrar(registrar: Namecheap) -> None:
    registrar.domains["example.com"] = "01/01/2030"
    client = relayed(registrar)

    before = await client.pointed("example.com")
    await client.set_name_servers("example.com", ["a.ns.test", "b.ns.test"])
    meanwhile = await client.pointed("example.com")
    await client.set_own_dns("example.com")

    assert (before.names, before.is_own_dns) == (tuple(OWN_DNS), True)
    assert (meanwhile.names, meanwhile.is_own_dns) == (("a.ns.test", "b.ns.test"), False)
    assert await client.pointed("example.com") == before
    with pytest.raises(ProviderRejected):
        await client.pointed("other.com")


async def test_hosts_are_set_by_one_post_with_the_key_in_the_query_and_the_hosts_in_the_body(
    registrar: Namecheap,
) -> None:
    registrar.domains["example.com"] = "01/01/2030"
    client = relayed(registrar)
    wanted = Hosts(tuple(Host(f"www{number}", "A", f"192.0.2.{number}") for number in range(1, 31)), "NONE")

    await client.set_hosts("example.com", wanted)
    found = await client.hosts("example.com")

    came = registrar.came[0]
    assert (came.method, b"HostName30=www30" in came.body, API_KEY.encode() in came.body) == ("POST", True, False)
    assert (found, found.version) == (wanted, wanted.version)


async def test_setting_hosts_is_not_repeated_when_its_answer_is_lost(registrar: Namecheap) -> None:
    registrar.domains["example.com"] = "01/01/2030"
    for fate in (Fate.LOSE_ANSWER, Fate.ACT_AND_FAIL):
        registrar.came.clear()
        registrar.fault("POST", "/xml.response", fate)

        with pytest.raises(ProviderUnavailable) as lost:
            await relayed(registrar).set_hosts("example.com", Hosts((Host("@", "A", "192.0.2.1"),)))

        assert (lost.value.may_have_landed, len(registrar.came)) == (True, 1)


async def test_name_servers_whose_answer_is_none_may_be_set(registrar: Namecheap) -> None:
    registrar.domains["example.com"] = "01/01/2030"
    registrar.fault("GET", "/xml.response", Fate.ACT_AND_FAIL, times=3)

    with pytest.raises(ProviderFailed) as failed:
        await relayed(registrar).set_name_servers("example.com", ["a.ns.test", "b.ns.test"])

    assert failed.value.may_have_landed is True
    assert registrar.name_servers["example.com"] == ["a.ns.test", "b.ns.test"]
