"""The sockets that the API answers on: opened before anything else is started, so that a taken port stops the start.

The local socket is a Unix socket of mode 0600 in a 0700 directory: the kernel lets only its owner and root connect, so
whoever speaks there is the operator.
"""

import os
import socket
from contextlib import ExitStack
from pathlib import Path

from keystead.kit.errors import Misconfigured
from keystead.settings import Settings
from keystead.settings.places import Address

BACKLOG = 2048
# The settings that name the API's own port.
MAIN = "KEYSTEAD_HOST/KEYSTEAD_PORT"


def listen_all(settings: Settings) -> dict[Address, socket.socket]:
    """Return a listening socket for every door; raise Misconfigured when an address is taken or not ours."""
    with ExitStack() as failing:
        opened = {}
        for address in settings.layout:
            listener = listen_tcp(*address, setting=settings.setting_of(address))
            opened[address] = failing.enter_context(listener)
        failing.pop_all()
    return opened


def listen_tcp(host: str, port: int, *, setting: str = MAIN) -> socket.socket:
    """Return a listening socket; raise Misconfigured, naming the setting, when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"{setting}: cannot listen on {host} port {port}: {error.strerror}; "
            f"free it or choose another, for example {'KEYSTEAD_PORT=' if setting == MAIN else ''}{port + 1}"
        ) from error
    listener.listen(BACKLOG)
    return listener


def listen_local(path: Path) -> socket.socket:
    """Return a listening Unix socket that only its owner and root may open; a stale one is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(64)
    return listener
