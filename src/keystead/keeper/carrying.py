"""What is told of connections: values that the table gives, and the one form in which addresses are compared."""

import socket
from contextlib import suppress
from typing import NamedTuple

from keystead.keeper.diag import Socket

_MAPPED = bytes(10) + b"\xff\xff"


class LabelCarried(NamedTuple):
    """Bytes that a label's connections carried through one process, closed ones included; they never fall.

    ``open_*`` is the part of it that connections still open have carried. A handshake's worth per connection and 1/256
    for records are left out, so that the figures stay below what the engine will count. One case is known where they do
    not: uploads that Vision goes on padding, 5 % above; the engine's own count of uploads is live.
    """

    uplink: int = 0
    downlink: int = 0
    open_uplink: int = 0
    open_downlink: int = 0


class Connection(NamedTuple):
    """One live connection as people and pacing see it; bytes as the kernel counts them, handshake included.

    ``tag`` is the inbound that took it in, as a line told; it may stand behind the one whose port it is.
    """

    socket: Socket
    label: str | None
    first_seen_s: float
    moved_s: float
    uplink: int
    downlink: int
    uplink_per_s: int
    downlink_per_s: int
    tag: str | None = None


def canonical(host: str) -> str:
    """Return an address in the one form in which addresses are compared; IPv4 inside IPv6 as IPv4."""
    if ":" not in host:
        return host
    bare = host.strip("[]").partition("%")[0]
    with suppress(OSError):
        packed = socket.inet_pton(socket.AF_INET6, bare)
        if packed.startswith(_MAPPED):
            return socket.inet_ntop(socket.AF_INET, packed[12:])
        return socket.inet_ntop(socket.AF_INET6, packed)
    return host
