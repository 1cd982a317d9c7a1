"""An inbound in Xray's own JSON, as all six panels keep it: either a listener that can be carried, or why not.

Keystead serves VLESS + REALITY over plain TCP. What a client's link holds of an inbound is its port, public key, server
name, short id and flow; an inbound is carried when Keystead can honour all of them. Names of fields are those of
Xray-core v26.7.28, infra/conf (vless.go, transport_internet.go, transport_security.go), older ones beside them.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from keystead.engines.xray.keys import public_of
from keystead.engines.xray.state import VISION
from keystead.importing import fields
from keystead.importing.fields import Record
from keystead.importing.found import FoundInbound, FoundLink, NotCarried, What, without_duplicates
from keystead.kit import names
from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret

INBOUNDS_MAX = 2_000
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what Xray takes when nothing is said
_SHORT_ID = re.compile(r"(?:[0-9a-f]{2}){0,8}")
_PORT = re.compile(r"\d{1,5}")
_PROTOCOLS = {
    "vless": "VLESS",
    "vmess": "VMess",
    "trojan": "Trojan",
    "shadowsocks": "Shadowsocks",
    "hysteria": "Hysteria",
}
# What carries other people's customers; the rest of a configuration (API, tunnels) is machinery of the panel.
_SERVING = frozenset({*_PROTOCOLS, "wireguard", "socks", "http", "mixed"})
_PLAIN = frozenset({"tcp", "raw"})
# A client writes the last one for itself; the server's side of it is the ordinary one.
_FLOWS = {"": "", "none": "", VISION: VISION, f"{VISION}-udp443": VISION}


NOTHING_SAID: Mapping[str, str] = {}


@dataclass
class Listeners:
    """The inbounds of one source: which can be carried, why the others cannot, and all their tags in order."""

    carried: dict[str, FoundInbound] = field(default_factory=dict)
    refused: dict[str, NotCarried] = field(default_factory=dict)

    def add(self, tag: str, found: FoundInbound | NotCarried) -> None:
        """Take up what became of an inbound."""
        if isinstance(found, FoundInbound):
            self.carried[tag] = found
        else:
            self.refused[tag] = found

    def links(
        self, tags: Iterable[str], *, flow: str, short_id: str = "", server_names: Mapping[str, str] = NOTHING_SAID
    ) -> tuple[tuple[FoundLink, ...], list[NotCarried]]:
        """Return a customer's links to inbounds, and why some of the inbounds give none.

        ``server_names`` says by tag what the panel writes into links.
        """
        links: list[FoundLink] = []
        left: list[NotCarried] = []
        for tag in tags:
            inbound = self.carried.get(tag)
            if inbound is None:
                left.append(self.refused.get(tag) or NotCarried(What.INBOUND, f"inbound {_shown(tag)} is gone"))
                continue
            made = link(inbound, flow=flow, short_id=short_id, server_name=server_names.get(tag, ""))
            if isinstance(made, FoundLink):
                links.append(made)
            else:
                left.append(made)
        return tuple(links), left

    @property
    def inbounds(self) -> tuple[FoundInbound, ...]:
        """Return the inbounds that can be carried."""
        return tuple(self.carried.values())


def read_inbounds(config: Record, *, expected: str) -> list[tuple[str, Record]]:
    """Return the inbounds of a configuration that serve customers, each with its tag, in order."""
    try:
        found = fields.mappings(config, "inbounds")
        tagged = [(fields.text(raw, "tag") or f"number {number}", raw) for number, raw in enumerate(found, 1)]
        serving = [(tag, raw) for tag, raw in tagged if fields.text(raw, "protocol").lower() in _SERVING]
    except Invalid as error:
        raise Invalid(f"{error.message}; the file should be {expected}") from error
    if not serving:
        raise Invalid(f"the configuration has no inbounds that serve customers; it should be {expected}")
    if len(serving) > INBOUNDS_MAX:
        raise Invalid(f"the configuration has more than {INBOUNDS_MAX} inbounds")
    if len({tag for tag, _ in serving}) < len(serving):
        raise Invalid("two inbounds of the configuration have the same tag")
    return serving


def read_listeners(config: Record, *, expected: str) -> tuple[Listeners, dict[str, Record]]:
    """Return the listeners of a configuration, and its inbounds by tag."""
    listeners, by_tag = Listeners(), dict(read_inbounds(config, expected=expected))
    for tag, raw in by_tag.items():
        listeners.add(tag, read_inbound(tag, raw, shown_public_key=_shown_public_key(raw)))
    return listeners, by_tag


def read_inbound(
    tag: str, raw: Record, *, shown_public_key: str = "", is_enabled: bool = True
) -> FoundInbound | NotCarried:
    """Return an inbound as it can be carried, or why it cannot.

    ``shown_public_key`` is what the panel writes into links; it has to belong to the private key.
    """
    try:
        obstacle = next(_obstacles(tag, raw), None)
        return obstacle or _inbound(tag, raw, shown_public_key, is_enabled=is_enabled)
    except Invalid as error:
        return NotCarried(What.INBOUND, f"inbound {_shown(tag)} is not carried: {error.message}")


def link(inbound: FoundInbound, *, flow: str, short_id: str = "", server_name: str = "") -> FoundLink | NotCarried:
    """Return a customer's link to an inbound, or why there is none.

    A short id or server name that the inbound does not accept is replaced by its first: who has such a link cannot
    connect today either.
    """
    if flow not in _FLOWS:
        return NotCarried(
            What.TRANSPORT, f"flow {_shown(flow)} at inbound {_shown(inbound.tag)} is none that Xray serves"
        )
    return FoundLink(
        inbound.tag,
        _FLOWS[flow],
        short_id if short_id in inbound.short_ids else inbound.short_ids[0],
        server_name if server_name in inbound.server_names else inbound.server_names[0],
    )


def _shown_public_key(raw: Record) -> str:
    """Return the public key that people write beside the private one; Xray itself ignores it."""
    stream = raw.get("streamSettings")
    reality = stream.get("realitySettings") if isinstance(stream, Mapping) else None
    shown = reality.get("publicKey") if isinstance(reality, Mapping) else None
    return shown if isinstance(shown, str) else ""


def clients(raw: Record) -> list[tuple[str, str]]:
    """Return the clients that stand in an inbound: the VLESS id as it is written, and the flow."""
    try:
        settings = fields.mapping(raw, "settings")
        listed = [*fields.mappings(settings, "clients"), *fields.mappings(settings, "users")]
    except Invalid:
        return []
    return [(str(client.get("id") or ""), str(client.get("flow") or "")) for client in listed]


def protocol_name(protocol: str) -> str:
    """Return a protocol's name as people write it."""
    return _PROTOCOLS.get(protocol.lower(), _shown(protocol) or "an unnamed protocol")


def _obstacles(tag: str, raw: Record) -> Iterator[NotCarried]:
    """Yield what makes an inbound one that Keystead cannot serve."""
    where = f"inbound {_shown(tag)}"
    protocol = fields.text(raw, "protocol").lower()
    if protocol != "vless":
        yield NotCarried(What.PROTOCOL, f"{protocol_name(protocol)} at {where} is not carried: Keystead serves VLESS")
    stream = fields.mapping(raw, "streamSettings")
    network = (fields.text(stream, "network") or fields.text(stream, "method", "tcp")).lower()
    if network not in _PLAIN:
        yield NotCarried(
            What.TRANSPORT, f"transport {_shown(network)} at {where} is not carried: Keystead serves plain TCP"
        )
    security = fields.text(stream, "security", "none").lower()
    if security != "reality":
        told = {"tls": "TLS with a certificate", "none": "no encryption", "": "no encryption"}.get(
            security, _shown(security)
        )
        yield NotCarried(What.SECURITY, f"{told} at {where} is not carried: Keystead serves REALITY")
    if fields.text(fields.mapping(raw, "settings"), "decryption", "none") not in ("", "none"):
        yield NotCarried(What.SECURITY, f"VLESS encryption at {where} is not carried: its links would stop working")
    yield from _stream_obstacles(where, stream)


def _stream_obstacles(where: str, stream: Record) -> Iterator[NotCarried]:
    if fields.text(fields.mapping(stream, "realitySettings"), "mldsa65Seed"):
        yield NotCarried(What.SECURITY, f"{where} signs with ML-DSA-65, which its links check; that is not carried")
    tcp = fields.mapping(stream, "tcpSettings") or fields.mapping(stream, "rawSettings")
    if fields.text(fields.mapping(tcp, "header"), "type", "none").lower() not in ("", "none"):
        yield NotCarried(What.TRANSPORT, f"HTTP disguise at {where} is not carried: Keystead serves plain TCP")
    announced = (fields.flag(place, "acceptProxyProtocol", False) for place in (tcp, fields.mapping(stream, "sockopt")))
    if any(announced):
        yield NotCarried(
            What.TRANSPORT, f"{where} stands behind a proxy that speaks the PROXY protocol; that is not carried"
        )
    if fields.mapping(stream, "finalmask"):
        yield NotCarried(What.TRANSPORT, f"the mask (finalmask) at {where} is not carried: Keystead serves plain TCP")


def _inbound(tag: str, raw: Record, shown_public_key: str, *, is_enabled: bool) -> FoundInbound:
    reality = fields.mapping(fields.mapping(raw, "streamSettings"), "realitySettings")
    listen, notes = _listen(raw, tag)
    private_key = Secret(fields.text(reality, "privateKey").strip())
    public_key = public_of(private_key)
    shown = shown_public_key.strip().rstrip("=")
    if shown and shown != public_key:
        raise Invalid("the public key in its links does not belong to its private key")
    server_names, dropped = _server_names(reality, tag)
    target, more = _target(reality, tag)
    if fields.sequence(fields.mapping(raw, "settings"), "fallbacks"):
        more.append(
            NotCarried(
                What.FALLBACK,
                f"the fallbacks of inbound {_shown(tag)} are not carried; what they lead to is not served",
            )
        )
    return FoundInbound(
        tag=tag,
        listen=listen,
        port=_port(raw),
        private_key=private_key,
        public_key=public_key,
        target=target,
        server_names=server_names,
        short_ids=_short_ids(reality),
        is_enabled=is_enabled,
        notes=without_duplicates([*notes, *dropped, *more]),
    )


def _listen(raw: Record, tag: str) -> tuple[str, list[NotCarried]]:
    written = fields.text(raw, "listen").partition(",")[0].strip() or EVERYWHERE
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        raise Invalid(
            "it listens on a socket or a name, not on an address; whatever stands before it is not known"
        ) from None
    if not address.is_loopback:
        return str(address), []
    sentence = (
        f"inbound {_shown(tag)} listens on this machine only ({address}): customers come through another program, "
        "which has to go on leading them here"
    )
    return str(address), [NotCarried(What.MACHINE, sentence)]


def _port(raw: Record) -> int:
    written = raw.get("port")
    if isinstance(written, str) and _PORT.fullmatch(written.strip()):
        written = int(written)
    if isinstance(written, bool) or not isinstance(written, int):
        raise Invalid("it listens on several ports, or on one that the environment names")
    if not 1 <= written <= 65535:
        raise Invalid(f"{written} is no port")
    return written


def _target(reality: Record, tag: str) -> tuple[str, list[NotCarried]]:
    written = reality.get("target", reality.get("dest"))
    if isinstance(written, int) and not isinstance(written, bool):
        written = f"localhost:{written}"
    if not isinstance(written, str) or not written:
        raise Invalid("it has no REALITY target")
    if _PORT.fullmatch(written.strip().removeprefix(":")):
        written = f"localhost:{written.strip().removeprefix(':')}"
    try:
        host, port = names.host_port(written)
    except Invalid:
        raise Invalid("its REALITY target is not of the form host:port") from None
    if not names.is_loopback(host):
        return names.authority(host, port), []
    sentence = (
        f"the REALITY target of inbound {_shown(tag)} is a program of this machine ({host}:{port}), which has to stay"
    )
    return names.authority(host, port), [NotCarried(What.MACHINE, sentence)]


def _server_names(reality: Record, tag: str) -> tuple[tuple[str, ...], list[NotCarried]]:
    carried: list[str] = []
    dropped: list[NotCarried] = []
    for written in fields.texts(reality, "serverNames"):
        try:
            carried.append(names.hostname(written))
        except Invalid:
            shown = _shown(written) or "(none)"
            dropped.append(NotCarried(What.NAME, f"server name {shown} of inbound {_shown(tag)} is no host name"))
    if not carried:
        raise Invalid("it has no server name")
    return tuple(dict.fromkeys(carried)), dropped


def _short_ids(reality: Record) -> tuple[str, ...]:
    found = [written.lower() for written in fields.texts(reality, "shortIds")]
    if not found:
        raise Invalid("it has no short id")
    if not all(_SHORT_ID.fullmatch(short_id) for short_id in found):
        raise Invalid("a short id is not hexadecimal of even length up to 16")
    return tuple(dict.fromkeys(found))


def _shown(written: str) -> str:
    """Return foreign text as it may stand in a sentence."""
    return fields.shown_name(written)[:80]
