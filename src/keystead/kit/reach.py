"""Which addresses outgoing requests may reach: a pure rule over URLs and over addresses that a name resolved to.

Asked twice: when somebody writes a URL down, and for each address right before a connection is made (``outgoing``).
Ranges are those of the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates, read 2026-11);
an address that carries an IPv4 address in itself is judged by that one too.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from keystead.kit import names
from keystead.kit.errors import Invalid
from keystead.kit.names import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

URL_LENGTH_MAX = 2000
_LOWEST_FREE_PORT = 1024
_WEB_PORTS = {"http": 80, "https": 443}
_CLOSED_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        # Public by number, and yet a cloud's own service beside each of its machines (Microsoft Azure's WireServer).
        "168.63.129.16/32",
    )
)
# Whatever is not global unicast is closed; these are parts of global unicast that are not the Internet either.
_OPEN_6 = ipaddress.IPv6Network("2000::/3")
_CLOSED_6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")
)
_TRANSLATED_6 = tuple(ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "::/96"))


@dataclass(frozen=True)
class Url:
    """A checked URL in parts; ``host`` is an address or a DNS name in ASCII, ``target`` path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Return host and port as a Host header has them: without the scheme's own port."""
        whole = names.authority(self.host, self.port)
        return whole if self.port != _WEB_PORTS[self.scheme] else whole.rpartition(":")[0]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


@dataclass(frozen=True)
class Reach:
    """What may be reached: the public Internet over https, and what was opened on purpose.

    ``allowed`` are ranges that are open although they are private; ``is_plain_open`` lets http go anywhere.
    """

    allowed: tuple[Network, ...] = ()
    is_plain_open: bool = False

    def check_url(self, text: str) -> Url:
        """Return a URL in parts; raise Invalid, telling what is wrong with it."""
        url = _parsed(text)
        literal = _literal(url.host)
        problem = None if literal is None else self.refusal(url, literal)
        if literal is None and url.scheme == "http" and not (self.is_plain_open or self.allowed):
            problem = "it must start with https://"
        if problem is not None:
            raise Invalid(f"this URL cannot be used: {problem}", fields={"url": problem})
        return url

    def refusal(self, url: Url, address: Address) -> str | None:
        """Return why this address may not be connected to for a URL, or None when it may."""
        if self._is_allowed(address):
            return None
        if any(_is_closed(inner) for inner in (address, *_carried(address))):
            return "its address is private, local or reserved"
        if url.scheme != "https" and not self.is_plain_open:
            return "it must start with https://"
        if url.port not in _WEB_PORTS.values() and url.port < _LOWEST_FREE_PORT:
            return f"port {url.port} is not for the web; use 443, 80 or one from {_LOWEST_FREE_PORT}"
        return None

    def _is_allowed(self, address: Address) -> bool:
        return any(
            inner in network
            for inner in (address, *_carried(address))
            for network in self.allowed
            if network.version == inner.version
        )


def reach(allowed: Iterable[str], *, is_plain_open: bool = False) -> Reach:
    """Return a reach whose open ranges are written as addresses or CIDR; raise Invalid."""
    return Reach(tuple(names.network(text) for text in allowed), is_plain_open)


def _parsed(text: str) -> Url:
    problem = "write a whole URL such as https://example.com/hook, percent-encoded, without a user or a fragment"
    wrong = Invalid("this is not a URL to send to", fields={"url": problem})
    if len(text) > URL_LENGTH_MAX or not text.isascii() or not text.isprintable() or set(text) & set(' "<>\\^`{|}#'):
        raise wrong
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in _WEB_PORTS or not parts.hostname or "@" in parts.netloc or "%" in parts.netloc or port == 0:
        raise wrong
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        host = names.host(parts.hostname)
    except Invalid:
        raise wrong from None
    return Url(parts.scheme, host, port or _WEB_PORTS[parts.scheme], target)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_closed(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return any(address in network for network in _CLOSED_4)
    if address.scope_id is not None:
        return True
    if _carried(address):  # judged by the address it carries
        return False
    return address not in _OPEN_6 or any(address in network for network in _CLOSED_6)


def _carried(address: Address) -> tuple[ipaddress.IPv4Address, ...]:
    """Return the IPv4 addresses that an IPv6 address would be turned into on its way."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    found = address.ipv4_mapped or address.sixtofour
    if found is None and any(address in network for network in _TRANSLATED_6) and int(address) > 1:
        found = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return () if found is None else (found,)
