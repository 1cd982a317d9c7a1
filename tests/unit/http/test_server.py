"""The server gives up on a request that does not end, before it fills the memory or the table of open files."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from keystead.http import listening, server
from keystead.http.doors import App, Door, Mount
from keystead.http.metrics import Metrics
from tests.support.ids import CountingIds


async def greet(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def served(app: App) -> AsyncIterator[int]:
    listener = listening.listen_tcp("127.0.0.1", 0)
    door = Door([Mount("", "test", app)], ids=CountingIds(), metrics=Metrics(), trusted=())
    stopping = asyncio.Event()
    serving = asyncio.create_task(server.serve([(server.make_server(door, None), listener)], stopping))
    yield listener.getsockname()[1]
    stopping.set()
    await serving


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with served(greet) as made:
        yield made


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ARRIVAL_MAX_S", 0.3)  # a test does not wait a minute


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


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nhost: he", b"HTTP/1.1 408 Request Timeout"),
        (b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\n\r\nhalf", b"HTTP/1.1 200 OK"),
    ],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a_request_that_does_not_arrive_is_given_up(port: int, hurry: None, sent: bytes, told: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)

    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()

    assert answer.partition(b"\r\n")[0] == told


async def test_line_ends_after_a_request_keep_no_connection_open(port: int, hurry: None) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\r\n")

    async with asyncio.timeout(20):
        rest = await reader.read()
    writer.close()

    assert rest == b""


async def test_a_request_that_arrived_is_not_hurried(port: int, hurry: None) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for _ in range(2):
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        answers.append(await reader.readuntil(b"\r\n\r\n"))
        await asyncio.sleep(0.6)
    writer.close()

    assert [answer.split()[1] for answer in answers] == [b"200", b"200"]


@pytest.mark.parametrize(
    "second", [b"GET / HTTP/1.1\r\nhost: he", b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\n\r\nhalf"]
)
async def test_an_answer_that_is_owed_is_not_lost_to_a_second_request_that_stalls(second: bytes, hurry: None) -> None:
    may_answer, asked = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        asked.set()
        await may_answer.wait()
        await greet(scope, receive, send)

    async with served(slow) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        async with asyncio.timeout(60):
            await asked.wait()
            writer.write(second)
            await asyncio.sleep(1)
            may_answer.set()
            answer = await reader.read()
        writer.close()

    assert answer.startswith(b"HTTP/1.1 200 OK")


class Transport:
    """What is written, call by call."""

    def __init__(self) -> None:
        self.calls: list[list[bytes]] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.calls.append([data])

    def writelines(self, parts: Sequence[bytes]) -> None:
        self.calls.append(list(parts))

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
async def way_out() -> tuple[Transport, asyncio.Transport]:
    transport = Transport()
    joined = server._HeadsWithBodies(cast(asyncio.Transport, transport), asyncio.get_running_loop())
    return transport, cast(asyncio.Transport, joined)


HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


async def test_the_head_of_an_answer_leaves_with_its_body(way_out: tuple[Transport, asyncio.Transport]) -> None:
    transport, out = way_out
    for data in (HEAD, b"body", b"more"):
        out.write(data)

    assert transport.calls == [[HEAD, b"body"], [b"more"]]


async def test_a_head_that_nothing_follows_does_not_wait(way_out: tuple[Transport, asyncio.Transport]) -> None:
    transport, out = way_out
    out.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    await asyncio.sleep(0)

    assert b"".join(transport.calls[0]) == b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_a_head_is_sent_before_its_connection_is_closed(way_out: tuple[Transport, asyncio.Transport]) -> None:
    transport, out = way_out
    out.write(HEAD)
    out.close()

    assert (b"".join(transport.calls[0]), transport.is_closed) == (HEAD, True)
