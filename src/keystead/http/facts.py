"""Where a request comes from: what the door notes in its ASGI scope, and which forwarded addresses it believes."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from keystead.kit.names import Network
from keystead.operations.calls import RequestFacts

FACTS_KEY = "keystead.request"


def facts_of(scope: Any) -> RequestFacts:
    """Return what the door noted in an ASGI scope."""
    facts: RequestFacts = scope[FACTS_KEY]
    return facts


def origin(scope: Any, headers: Sequence[tuple[bytes, bytes]], trusted: Sequence[Network]) -> tuple[str, str]:
    """Return the client's address and scheme; forwarded headers count only when a trusted proxy sent them.

    The rightmost address that is not a trusted proxy's is the client's: everything left of it was written by
    somebody we do not trust.
    """
    peer = _unmapped((scope.get("client") or ("",))[0])
    scheme: str = scope.get("scheme", "http")
    if not trusted or not _is_within(peer, trusted):
        return peer, scheme
    forwarded = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    hops = [part.strip() for part in ",".join(forwarded).split(",") if part.strip()]
    protocols = [value.decode("latin-1").strip() for name, value in headers if name == b"x-forwarded-proto"]
    if protocols and protocols[-1] in ("http", "https"):
        scheme = protocols[-1]
    for hop in reversed(hops):
        if not _is_within(hop, trusted):
            return (hop if _is_address(hop) else peer), scheme
    return (hops[0] if hops and _is_address(hops[0]) else peer), scheme


def _unmapped(peer: str) -> str:
    """Return a peer's address; a listener on ``::`` is told those of IPv4 as ``::ffff:192.0.2.1`` (RFC 4291)."""
    bare = peer.removeprefix("::ffff:")
    return bare if "." in bare else peer


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_within(text: str, networks: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in networks if network.version == address.version)
