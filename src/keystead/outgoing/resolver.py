"""Names to addresses, in threads of their own: a name server that hangs holds up nothing else, not even a stop."""

import asyncio
import ipaddress
import socket
import threading
from contextlib import suppress
from typing import Protocol

from keystead.kit.reach import Address

_TOGETHER_MAX = 8


class Resolver(Protocol):
    """Turn a host into addresses."""

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Return a host's addresses, best first; raise OSError when there are none."""
        ...


class SystemResolver:
    """The machine's own way of resolving, ``/etc/hosts`` included."""

    def __init__(self) -> None:
        self._together = asyncio.Semaphore(_TOGETHER_MAX)

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Return a host's addresses in the order of the system's preference; raise OSError when there are none.

        A question that nobody waits for any more keeps its place until the system has answered it.
        """
        await self._together.acquire()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Address]] = loop.create_future()

        def tell(found: list[Address] | OSError | UnicodeError) -> None:
            self._together.release()
            if future.done():
                return
            if isinstance(found, list):
                future.set_result(found)
            else:
                future.set_exception(found)

        def ask() -> None:
            found = _resolve(host, port)
            with suppress(RuntimeError):  # the loop has ended meanwhile, and nobody waits
                loop.call_soon_threadsafe(tell, found)

        # Not of a pool: the interpreter would wait at its end for a name server that does not answer.
        threading.Thread(target=ask, name="resolver", daemon=True).start()
        return await future


def _resolve(host: str, port: int) -> list[Address] | OSError | UnicodeError:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return error
    return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))
