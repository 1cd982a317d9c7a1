"""Serving: uvicorn on the public port and on the local socket, started ready and stopped gracefully.

The sockets come from ``listening.py``, since they are opened long before.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from keystead.http.doors import HEADERS_SIZE_MAX_BYTES, Door
from keystead.http.listening import BACKLOG

GRACE_S = 10
# What the door lets pass, the longest path there may be, and as much as one packet from the kernel brings at once.
_HEAD_SIZE_MAX_BYTES = HEADERS_SIZE_MAX_BYTES * 4
_HEAD_REFUSED = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
# As long as the largest body takes over a mobile network that is hardly there (1 MB at 140 kbit/s).
ARRIVAL_MAX_S = 60.0
_HEAD_BEGINS = b"HTTP/1.1 "
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True)
class TlsFiles:
    """Certificate chain and key in PEM."""

    certificate: Path
    key: Path


class _HeadsWithBodies:
    """A connection's way out, on which the head of an answer leaves together with what is sent right after it.

    Each write of uvicorn's is a call of the system and wakes the reader at once (uvloop 0.23), who then waits again.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send; a head is sent with the next write of this turn of the loop, or by itself after it."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data.startswith(_HEAD_BEGINS):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Send what is held back, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            self.write(b"")


class BoundedRequests(HttpToolsProtocol):
    """HTTP/1.1 on one connection, closed when a request's head outgrows every limit of the door, or does not arrive.

    The door refuses what is too long, but it is asked when a head is complete: one that does not end would be kept in
    memory for as long as somebody sends it (uvicorn 0.54 bounds heads in its other parser only). Nor does uvicorn bound
    the time in which a request comes, so that anybody could hold all file descriptors by sending a byte now and then.
    """

    _head_size_bytes = 0
    _is_head_open = False
    _is_whole = False
    _arrival: asyncio.TimerHandle | None = None
    # Requests that are whole, and are or will be answered.
    _owed: tuple[RequestResponseCycle, ...] = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Expect a first request."""
        super().connection_made(transport)
        self.transport = cast(asyncio.Transport, _HeadsWithBodies(transport, self.loop))
        self._bound_arrival()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._has_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrived."""
        super().data_received(data)
        if self._is_whole and self.cycle is not None and not self.cycle.response_complete:
            self._has_arrived()
        else:
            self._bound_arrival()
        if not self._is_head_open:
            self._head_size_bytes = 0
            return
        self._head_size_bytes += len(data)
        if self._head_size_bytes > _HEAD_SIZE_MAX_BYTES and not self.transport.is_closing():
            self.transport.write(_HEAD_REFUSED)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Take notice that a head begins."""
        self._is_head_open, self._is_whole = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Take notice that a head is whole."""
        self._is_head_open = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Take notice that a request is whole."""
        self._is_whole = True
        super().on_message_complete()
        if self.cycle is not None:  # it is None for what asks to be upgraded
            self._owed = (*self._unanswered(), self.cycle)

    def on_response_complete(self) -> None:
        """Let what comes next begin anew: nothing may have been read while an answer was owed."""
        super().on_response_complete()
        if self._arrival is not None:
            self._has_arrived()
            self._bound_arrival()

    def _unanswered(self) -> tuple[RequestResponseCycle, ...]:
        return tuple(cycle for cycle in self._owed if not cycle.response_complete)

    def _bound_arrival(self) -> None:
        if self._arrival is None and not self.transport.is_closing():
            self._arrival = self.loop.call_later(ARRIVAL_MAX_S, self._give_up)

    def _has_arrived(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _give_up(self) -> None:
        """Close a connection on which no request became whole in time; one that is being answered says nothing.

        While the answer to an earlier request is owed the connection stays.
        """
        self._arrival = None
        if self._unanswered():
            self._bound_arrival()
            return
        if self._is_head_open and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(_TOO_SLOW)
        self.transport.close()


class Server(uvicorn.Server):
    """A uvicorn server whose signals are handled by whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: two servers share one process."""
        yield


def make_server(door: Door, tls: TlsFiles | None) -> Server:
    """Return a server for a door."""
    options: dict[str, Any] = {}
    if tls is not None:
        options = {"ssl_certfile": str(tls.certificate), "ssl_keyfile": str(tls.key)}
    return Server(
        uvicorn.Config(
            door,
            loop="uvloop",
            http=BoundedRequests,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=30,
            backlog=BACKLOG,
            **options,
        )
    )


async def serve(servers: list[tuple[Server, socket.socket]], stopping: asyncio.Event) -> None:
    """Serve until ``stopping`` is set, then finish the requests under way."""

    async def stop() -> None:
        await stopping.wait()
        for server, _ in servers:
            server.should_exit = True

    async with asyncio.TaskGroup() as group:
        watcher = group.create_task(stop())
        serving = [group.create_task(server.serve(sockets=[listener])) for server, listener in servers]
        await asyncio.wait(serving)
        watcher.cancel()
