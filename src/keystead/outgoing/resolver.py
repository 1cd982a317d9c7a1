"""Names to addresses, in threads of their own: a name server that hangs holds up nothing else."""

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from keystead.kit.reach import Address

_THREADS = 4


class Resolver(Protocol):
    """Turn a host into addresses."""

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Return a host's addresses, best first; raise OSError when there are none."""
        ...


class SystemResolver:
    """The machine's own way of resolving, ``/etc/hosts`` included."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolver")

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Return a host's addresses in the order of the system's preference; raise OSError when there are none."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _resolve, host, port)


def _resolve(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))
