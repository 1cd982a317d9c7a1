"""The server gives up on a head that does not end, before it fills the memory."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from keystead.http import listening, server
from keystead.http.doors import Door, Mount
from keystead.http.metrics import Metrics
from tests.support.ids import CountingIds


async def greet(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listener = listening.listen_tcp("127.0.0.1", 0)
    door = Door([Mount("", "test", greet)], ids=CountingIds(), metrics=Metrics(), trusted=())
    stopping = asyncio.Event()
    serving = asyncio.create_task(server.serve([(server.make_server(door, None), listener)], stopping))
    yield listener.getsockname()[1]
    stopping.set()
    await serving


@pytest.mark.parametrize("endless", [b"x" * 65536, b"a: b\r\n" * 10000], ids=["one header", "many headers"])
async def test_a_head_that_does_not_end_is_refused(port: int, endless: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: here\r\nx: ")

    sent = 0
    try:
        async with asyncio.timeout(10):
            while sent < 32 * 1024 * 1024 and not reader.at_eof():
                writer.write(endless)
                await writer.drain()
                await asyncio.sleep(0)
                sent += len(endless)
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()

    assert sent < 8 * 1024 * 1024


async def test_requests_on_one_connection_are_bounded_one_by_one(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = b"GET / HTTP/1.1\r\nhost: here\r\nx: " + b"x" * 20000 + b"\r\n\r\n"

    statuses = []
    for _ in range(10):
        writer.write(request[:15000])
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(request[15000:])
        answer = await reader.readuntil(b"\r\n\r\n")
        statuses.append(answer.split()[1])
    writer.close()

    assert statuses == [b"200"] * 10
