"""Where requests to the outside may go: nowhere private, in whatever form the address is written."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.kit.errors import Invalid
from keystead.kit.reach import Reach, Url, reach

PUBLIC = Url("https", "example.com", 443, "/")
CLOSED = [
    "0.0.0.0",
    "10.1.2.3",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "168.63.129.16",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "ff02::1",
]
OPEN = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", CLOSED)
def test_what_is_not_the_internet_is_refused(text: str) -> None:
    assert Reach().refusal(PUBLIC, ipaddress.ip_address(text)) is not None


@pytest.mark.parametrize("text", OPEN)
def test_the_internet_is_reached(text: str) -> None:
    assert Reach().refusal(PUBLIC, ipaddress.ip_address(text)) is None


@given(st.ip_addresses(v=4))
def test_no_address_that_python_calls_private_is_open_and_none_hides_in_ipv6(address: ipaddress.IPv4Address) -> None:
    is_open = Reach().refusal(PUBLIC, address) is None

    assert not (is_open and (not address.is_global or address.is_multicast or address.is_reserved))
    for network in ("::ffff:0:0", "64:ff9b::"):
        carrier = ipaddress.IPv6Address(int(ipaddress.IPv6Address(network)) | int(address))
        assert (Reach().refusal(PUBLIC, carrier) is None) is is_open


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_that_python_calls_private_is_open(address: ipaddress.IPv6Address) -> None:
    if address.ipv4_mapped is None and address not in ipaddress.IPv6Network("64:ff9b::/96"):
        is_open = Reach().refusal(PUBLIC, address) is None

        assert not (is_open and (not address.is_global or address.is_multicast))


def test_what_is_allowed_is_open_to_any_port_and_without_tls() -> None:
    opened = reach(["10.20.0.0/16", "127.0.0.1"])
    plain = Url("http", "inside.test", 81, "/")

    assert opened.refusal(plain, ipaddress.ip_address("10.20.3.4")) is None
    assert opened.refusal(plain, ipaddress.ip_address("::ffff:127.0.0.1")) is None
    assert opened.refusal(plain, ipaddress.ip_address("10.21.0.1")) is not None
    assert opened.refusal(plain, ipaddress.ip_address("8.8.8.8")) is not None


def test_http_to_the_internet_has_to_be_opened_and_ports_stay_those_of_the_web() -> None:
    address = ipaddress.ip_address("8.8.8.8")

    assert Reach().refusal(Url("http", "example.com", 80, "/"), address) is not None
    assert reach([], is_plain_open=True).refusal(Url("http", "example.com", 80, "/"), address) is None
    assert Reach().refusal(Url("https", "example.com", 22, "/"), address) is not None
    assert Reach().refusal(Url("https", "example.com", 8443, "/"), address) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/hook",
        "ftp://example.com/",
        "https://",
        "https://user:pass@example.com/",
        "https://example.com@10.0.0.1/",
        "https://example.com/#part",
        "https://example.com/a b",
        "https://example.com/\r\nX: y",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa_mple.com/",
        "https://[fe80::1%25eth0]/",
        "https://example.com\\@10.0.0.1/",
        "https://bücher.example/",
        "https://example.com/" + "a" * 2000,
        "http://example.com/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/latest",
    ],
)
def test_a_url_that_may_not_be_used_is_refused_when_it_is_written(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Reach().check_url(text)

    assert set(refused.value.fields) == {"url"}


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("https://EXAMPLE.com", "https://example.com/"),
        ("https://example.com:443/a%20b?x=1&y", "https://example.com/a%20b?x=1&y"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
    ],
)
def test_a_url_is_kept_in_one_form(text: str, canonical: str) -> None:
    assert str(Reach().check_url(text)) == canonical
