"""Who listens where: an engine starts only on ports that nobody else serves.

Xray sets SO_REUSEPORT on its listeners, so two of them share a port in silence and the kernel deals connections to
both: an orphan would go on serving deleted keys to every second dial (seen with v26.7.28). So the question is asked
without SO_REUSEPORT before every start. SO_REUSEADDR lets connections that are still closing pass.
"""

import errno
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from keystead.keeper import diag
from keystead.kit.errors import Misconfigured
from keystead.kit.names import authority

_ANY = ("0.0.0.0", "::")  # noqa: S104 - recognised here, not listened on
_HELD = {errno.EADDRINUSE}
_FORBIDDEN = {errno.EACCES, errno.EPERM}


@dataclass(frozen=True, order=True)
class Listen:
    """An address and TCP port that an engine is about to serve."""

    host: str
    port: int


def require_free(listens: Iterable[Listen]) -> None:
    """Raise Misconfigured, naming the holder if it can be seen, when one of these cannot be listened on."""
    for listen in sorted(set(listens)):
        for host, error in _refusals(listen):
            raise Misconfigured(_told(host, listen.port, error)) from error


def is_free(listen: Listen) -> bool:
    """Tell whether an address and port can be listened on; who holds it is not asked, which takes far longer."""
    return not any(True for _ in _refusals(listen))


def free_loopback_port() -> int:
    """Return a port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _refusals(listen: Listen) -> Iterator[tuple[str, OSError]]:
    """Try to listen, and yield where the system refuses it and why."""
    for host in _ANY if listen.host in _ANY else (listen.host,):
        error = _refusal(host, listen.port)
        # A machine without IPv4 or IPv6: nobody can hold that half.
        if error is not None and (host == listen.host or error.errno in _HELD | _FORBIDDEN):
            yield host, error


def _refusal(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((host, port))
    except OSError as error:
        return error
    return None


def _told(host: str, port: int, error: OSError) -> str:
    where = authority(host, port)
    if error.errno in _HELD:
        return f"{where} is in use by {_holder(host, port)}; stop it or choose another port"
    if error.errno in _FORBIDDEN:
        return f"{where} needs a privilege this process lacks; choose a port ≥ 1024"
    return f"{where} is not an address of this machine: {error.strerror}"


def _holder(host: str, port: int) -> str:
    with suppress(OSError):
        for listener in diag.listeners([port]):
            if host in {*_ANY, listener.host} or listener.host in _ANY:
                found = diag.holder(listener.inode)
                return f"{found[1]} (pid {found[0]})" if found else f"a program of user {listener.uid}"
    return "another program"
