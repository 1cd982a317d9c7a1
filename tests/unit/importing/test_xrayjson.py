"""An inbound is carried only when every link to it goes on working; else a sentence says why not."""

from collections.abc import Callable
from typing import Any

import pytest

from keystead.importing import xrayjson
from keystead.importing.found import FoundInbound, FoundLink, NotCarried, What
from keystead.kit.errors import Invalid
from tests.support.panels import parts
from tests.support.panels.parts import VISION

Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> FoundInbound | NotCarried:
    raw = parts.inbound("main", 443)
    change(raw)
    return xrayjson.read_inbound("main", raw)


def reality(**more: object) -> Change:
    return lambda raw: raw["streamSettings"]["realitySettings"].update(more)


def stream(**more: object) -> Change:
    return lambda raw: raw["streamSettings"].update(more)


@pytest.mark.parametrize(
    ("change", "what", "words"),
    [
        (lambda raw: raw.update(protocol="vmess"), What.PROTOCOL, "VMess"),
        (stream(network="grpc"), What.TRANSPORT, "grpc"),
        (stream(security="tls"), What.SECURITY, "TLS"),
        (stream(security="none"), What.SECURITY, "no encryption"),
        (stream(tcpSettings={"header": {"type": "http"}}), What.TRANSPORT, "HTTP disguise"),
        (stream(rawSettings={"acceptProxyProtocol": True}), What.TRANSPORT, "PROXY protocol"),
        (stream(sockopt={"acceptProxyProtocol": True}), What.TRANSPORT, "PROXY protocol"),
        (stream(finalmask={"tcp": [{}]}), What.TRANSPORT, "finalmask"),
        (lambda raw: raw["settings"].update(decryption="mlkem768x25519plus.x"), What.SECURITY, "VLESS encryption"),
        (reality(mldsa65Seed="x"), What.SECURITY, "ML-DSA-65"),
        (reality(privateKey="short"), What.INBOUND, "32 bytes"),
        (reality(privateKey=5), What.INBOUND, "privateKey should be a text"),
        (reality(dest=None), What.INBOUND, "no REALITY target"),
        (reality(dest="/run/site.sock"), What.INBOUND, "host:port"),
        (reality(serverNames=[]), What.INBOUND, "no server name"),
        (reality(serverNames="x"), What.INBOUND, "should be a list"),
        (reality(shortIds=[]), What.INBOUND, "no short id"),
        (reality(shortIds=["abc"]), What.INBOUND, "short id"),
        (reality(shortIds=["0" * 18]), What.INBOUND, "short id"),
        (lambda raw: raw.update(listen="/dev/shm/x.sock,0666"), What.INBOUND, "socket"),
        (lambda raw: raw.update(listen="@abstract"), What.INBOUND, "socket"),
        (lambda raw: raw.update(port="443,8443"), What.INBOUND, "several ports"),
        (lambda raw: raw.update(port="env:PORT"), What.INBOUND, "several ports"),
        (lambda raw: raw.update(port=70_000), What.INBOUND, "no port"),
        (lambda raw: raw.update(port=True), What.INBOUND, "several ports"),
        (lambda raw: raw.update(streamSettings="x"), What.INBOUND, "streamSettings should be an object"),
    ],
)
def test_what_keystead_cannot_honour_is_refused_in_words(change: Change, what: What, words: str) -> None:
    found = changed(change)

    assert isinstance(found, NotCarried)
    assert found.what is what
    assert words in found.sentence
    assert "main" in found.sentence


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.update(port="443"),
        lambda raw: raw.pop("listen"),
        stream(network="raw"),
        lambda raw: raw["streamSettings"].pop("network"),
        lambda raw: raw["settings"].pop("decryption"),
        reality(dest=None, target=parts.TARGET),
        reality(shortIds=[short_id.upper() for short_id in parts.SHORT_IDS]),
        reality(maxTimeDiff=600, xver=0, show=False, minClientVer=""),
    ],
)
def test_other_ways_to_write_the_same_are_understood(change: Change) -> None:
    assert changed(change) == changed(lambda raw: None)


@pytest.mark.parametrize(
    ("change", "what", "words"),
    [
        (lambda raw: raw.update(listen="127.0.0.1"), What.MACHINE, "this machine only"),
        (reality(dest=8443), What.MACHINE, "localhost:8443"),
        (reality(dest="8443"), What.MACHINE, "localhost:8443"),
        (reality(dest="127.0.0.1:8443"), What.MACHINE, "127.0.0.1:8443"),
        (lambda raw: raw["settings"].update(fallbacks=[{"dest": 80}]), What.FALLBACK, "fallbacks"),
        (reality(serverNames=["", "example.com"]), What.NAME, "(none)"),
        (reality(serverNames=["*.example.com", "example.com"]), What.NAME, "no host name"),
    ],
)
def test_what_has_to_be_known_is_told_and_the_inbound_is_carried(change: Change, what: What, words: str) -> None:
    found = changed(change)

    assert isinstance(found, FoundInbound)
    [note] = found.notes
    assert note.what is what
    assert words in note.sentence


@pytest.mark.parametrize(("flow", "served"), [("", ""), ("none", ""), (VISION, VISION), (f"{VISION}-udp443", VISION)])
def test_a_flow_is_what_the_server_makes_of_it(flow: str, served: str) -> None:
    inbound = changed(lambda raw: None)
    assert isinstance(inbound, FoundInbound)

    link = xrayjson.link(inbound, flow=flow, short_id="a1b2c3d4e5f60718", server_name="elsewhere.example")

    assert link == FoundLink("main", served, "a1b2c3d4e5f60718", parts.SERVER_NAMES[0])


def test_a_flow_of_long_ago_gives_no_link() -> None:
    inbound = changed(lambda raw: None)
    assert isinstance(inbound, FoundInbound)

    assert isinstance(xrayjson.link(inbound, flow="xtls-rprx-direct"), NotCarried)


def test_two_inbounds_of_one_tag_are_refused() -> None:
    twice = parts.config(parts.inbound("a", 443), parts.inbound("a", 8443))

    with pytest.raises(Invalid, match="same tag"):
        xrayjson.read_inbounds(twice, expected="a configuration")
