"""Names from outside: host names, ports and address ranges, checked once and in one way."""

import ipaddress
import re

import idna

from keystead.kit.errors import Invalid

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def hostname(text: str) -> str:
    """Return a DNS name in lower-case ASCII form (IDNA 2008 with UTS 46); raise Invalid when it is none."""
    try:
        name = idna.encode(text.strip().rstrip("."), uts46=True, transitional=False).decode().lower()
    except idna.IDNAError as error:
        raise Invalid(f"{text!r} is not a host name: {error}") from error
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise Invalid(f"{text!r} is not a host name")
    return name


def host(text: str) -> str:
    """Return an IP address (IPv6 without brackets) or a DNS name in canonical form; raise Invalid otherwise."""
    bare = text.strip().removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return hostname(text)


def host_port(text: str) -> tuple[str, int]:
    """Split ``host:port`` (IPv6 in brackets) into a canonical host and a port; raise Invalid otherwise."""
    name, colon, port = text.strip().rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise Invalid(f"{text!r} is not host:port")
    return host(name), int(port)


def authority(name: str, port: int) -> str:
    """Return ``host:port`` with an IPv6 address in brackets, as URLs want it."""
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def is_loopback(name: str) -> bool:
    """Tell whether a host is this machine only: ``localhost`` or a loopback address."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def network(text: str) -> Network:
    """Return an address or CIDR range; raise Invalid otherwise."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise Invalid(f"{text!r} is not an address or CIDR range") from error
