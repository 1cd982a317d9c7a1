"""Share links: valid URLs that say everything, and nothing read wrongly."""

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.kit.errors import Invalid
from keystead.vpn.links import parse_link, vless_link
from keystead.vpn.values import ClientProfile

PUBLIC_KEY = "Z84J2IelR9ch3k8VtlVhhs5ycBUlXA7wHBWcBrjqnAw"
UUID = "123e4567-e89b-12d3-a456-426614174000"
LINK = (
    f"vless://{UUID}@vpn.example.com:443?encryption=none&security=reality&sni=www.example.com&fp=chrome"
    f"&pbk={PUBLIC_KEY}&sid=7bb45050&type=tcp&flow=xtls-rprx-vision"
)


def profile(**changes: object) -> ClientProfile:
    values: dict[str, object] = {
        "host": "vpn.example.com",
        "port": 443,
        "uuid": UUID,
        "flow": "xtls-rprx-vision",
        "public_key": PUBLIC_KEY,
        "short_id": "7bb45050",
        "server_name": "www.example.com",
    }
    return ClientProfile(**(values | changes))  # type: ignore[arg-type]  # the tests name only real fields


PROFILES = st.builds(
    ClientProfile,
    host=st.one_of(
        st.ip_addresses().filter(lambda ip: getattr(ip, "scope_id", None) is None).map(str),
        st.sampled_from(["vpn.example.com", "пример.рф", "münchen.example", "LOCALHOST"]),
    ),
    port=st.integers(1, 65535),
    uuid=st.uuids().map(str),
    flow=st.sampled_from(["", "xtls-rprx-vision"]),
    public_key=st.from_regex(r"[A-Za-z0-9_-]{43}", fullmatch=True),
    short_id=st.binary(max_size=8).map(bytes.hex),
    server_name=st.sampled_from(["www.example.com", "a-b.example", "пример.рф"]),
    fingerprint=st.sampled_from(["chrome", "firefox", "random"]),
    name=st.none() | st.text(min_size=1),
)


@given(PROFILES)
def test_a_link_reads_back_as_the_profile_it_was_made_of(made: ClientProfile) -> None:
    assert parse_link(vless_link(made)) == made


@given(st.text(min_size=1))
def test_any_name_leaves_a_valid_url_and_survives(name: str) -> None:
    url = urlsplit(vless_link(profile(name=name)))

    assert url.geturl().isascii()
    assert (url.hostname, url.port, url.username) == ("vpn.example.com", 443, UUID)
    assert len(parse_qsl(url.query)) == 8
    assert unquote(url.fragment) == name


def test_a_link_has_its_parameters_in_the_known_order() -> None:
    assert vless_link(profile()) == LINK


def test_an_empty_flow_is_left_out_and_an_empty_short_id_is_not() -> None:
    link = vless_link(profile(flow="", short_id=""))

    assert link.endswith("&sid=&type=tcp")


def test_a_name_is_percent_encoded_and_no_name_leaves_no_fragment() -> None:
    assert vless_link(profile(name="a b#é")) == f"{LINK}#a%20b%23%C3%A9"
    assert "#" not in vless_link(profile(name=""))


def test_a_lone_surrogate_in_a_name_does_not_break_the_link() -> None:
    assert vless_link(profile(name="a\ud800")) == f"{LINK}#a%3F"


@pytest.mark.parametrize(
    ("host", "authority"),
    [("2001:DB8::1", "[2001:db8::1]:443"), ("192.0.2.1", "192.0.2.1:443"), ("Пример.рф", "xn--e1afmkfd.xn--p1ai:443")],
)
def test_hosts_stand_in_canonical_ascii_form(host: str, authority: str) -> None:
    assert urlsplit(vless_link(profile(host=host))).netloc == f"{UUID}@{authority}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vless://",
        LINK.replace("vless:", "vmess:"),
        LINK.replace(":443", ""),
        LINK.replace(":443", ":0"),
        LINK.replace(":443", ":70000"),
        LINK.replace("vpn.example.com", "[::1"),
        LINK.replace(UUID, "me"),
        LINK.replace(f"{UUID}@", ""),
        LINK.replace("flow=xtls-rprx-vision", "flow=none"),
        LINK.replace("security=reality", "security=tls"),
        LINK.replace("type=tcp", "type=ws"),
        LINK.replace("encryption=none&", ""),
        LINK.replace("sid=7bb45050", "sid=7bb4505"),
        LINK.replace("sid=7bb45050", "sid=7bb450507bb450507bb4"),
        LINK.replace(PUBLIC_KEY, "short"),
        LINK.replace("fp=chrome", "fp="),
        LINK.replace("sni=www.example.com", "sni=a%20b"),
        LINK.replace("?", "/path?"),
        f"{LINK}&sid=7bb45050",
        f"{LINK}&spx=%2F",
        f"{LINK}&pbk",
        f"{LINK}#имя",
        f" {LINK}",
        f"{LINK}\n",
    ],
)
def test_what_is_not_our_link_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_link(text)


def test_a_profile_with_a_host_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid):
        profile(host="not a host")
