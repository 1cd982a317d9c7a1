"""Who listens where: an engine starts only on ports that nobody else serves.

Xray sets SO_REUSEPORT on its listeners, so two of them share a port in silence and the kernel deals connections to
both: an orphan would go on serving deleted keys to every second dial (seen with v26.7.28). So the question is asked
without SO_REUSEPORT before every start. SO_REUSEADDR lets connections that are still closing pass.
"""

import errno
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from keystead.keeper import diag
from keystead.kit.errors import Misconfigured
from keystead.kit.names import authority

_ANY = ("0.0.0.0", "::")  # noqa: S104 - recognised here, not listened on


@dataclass(frozen=True, order=True)
class Listen:
    """An address and TCP port that an engine is about to serve."""

    host: str
    port: int


def require_free(listens: Iterable[Listen]) -> None:
    """Raise Misconfigured, naming the holder if it can be seen, when one of these cannot be listened on."""
    for listen in sorted(set(listens)):
        for host in _ANY if listen.host in _ANY else (listen.host,):
            _require_free(host, listen.port, is_alternative=host != listen.host)


def is_free(listen: Listen) -> bool:
    """Tell whether an address and port can be listened on."""
    try:
        require_free([listen])
    except Misconfigured:
        return False
    return True


def free_loopback_port() -> int:
    """Return a port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _require_free(host: str, port: int, *, is_alternative: bool) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    where = authority(host, port)
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Misconfigured(
                f"{where} is in use by {_holder(host, port)}; stop it or choose another port"
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise Misconfigured(f"{where} needs a privilege this process lacks; choose a port ≥ 1024") from error
        if is_alternative:
            return  # a machine without IPv4 or IPv6: nobody can hold that half
        raise Misconfigured(f"{where} is not an address of this machine: {error.strerror}") from error


def _holder(host: str, port: int) -> str:
    with suppress(OSError):
        for listener in diag.listeners([port]):
            if host in {*_ANY, listener.host} or listener.host in _ANY:
                found = diag.holder(listener.inode)
                return f"{found[1]} (pid {found[0]})" if found else f"a program of user {listener.uid}"
    return "another program"
