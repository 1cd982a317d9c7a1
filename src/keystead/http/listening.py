"""The sockets that the API answers on: opened before anything else is started, so that a taken port stops the start.

The local socket is a Unix socket of mode 0600 in a 0700 directory: the kernel lets only its owner and root connect, so
whoever speaks there is the operator.
"""

import os
import socket
from pathlib import Path

from keystead.kit.errors import Misconfigured

BACKLOG = 2048


def listen_tcp(host: str, port: int) -> socket.socket:
    """Return a listening socket; raise Misconfigured when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"KEYSTEAD_HOST/KEYSTEAD_PORT: cannot listen on {host} port {port}: {error.strerror}; "
            f"free it or choose another, for example KEYSTEAD_PORT={port + 1}"
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
