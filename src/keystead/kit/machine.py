"""Questions to the machine: its own address, and whether a port may be had."""

import socket

# TEST-NET-1 (RFC 5737): connecting a datagram socket sends nothing, it only asks the routing table.
_ELSEWHERE = ("192.0.2.1", 9)


def own_address() -> str:
    """Return the address this machine would reach the world from; loopback when it has no way out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def may_listen(host: str, port: int) -> bool:
    """Tell whether a TCP port is permitted to us and free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
