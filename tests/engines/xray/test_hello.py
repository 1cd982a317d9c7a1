"""The hello that asks for X25519 alone: what counts as an agreement."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from keystead.engines.xray.hello import agrees_to_x25519, is_agreement

RANDOM, SESSION, SHARE = bytes(32), bytes(32), bytes(32)


def server_hello(*extensions: bytes, kind: int = 2) -> bytes:
    extended = b"".join(extensions)
    body = b"\x03\x03" + RANDOM + b"\x20" + SESSION + b"\x13\x01\x00" + len(extended).to_bytes(2, "big") + extended
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


VERSION = b"\x00\x2b\x00\x02\x03\x04"
X25519 = b"\x00\x33\x00\x24\x00\x1d\x00\x20" + SHARE
RETRY = b"\x00\x33\x00\x02\x00\x1d"
HYBRID = b"\x00\x33\x00\x24\x11\xec\x00\x20" + SHARE


@pytest.mark.parametrize(
    ("message", "is_one"),
    [
        (server_hello(VERSION, X25519), True),
        (server_hello(X25519, VERSION), True),
        (server_hello(X25519), False),
        (server_hello(VERSION), False),
        (server_hello(VERSION, RETRY), False),
        (server_hello(VERSION, HYBRID), False),
        (server_hello(VERSION, X25519, kind=1), False),
        (server_hello(VERSION, X25519)[:40], False),
        (server_hello(VERSION, X25519)[:-1], False),
        (b"\x02", False),
        (b"", False),
    ],
)
def test_only_tls13_with_a_share_of_x25519_is_an_agreement(message: bytes, is_one: bool) -> None:
    assert is_agreement(message) is is_one


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28", b"\x16\x03"]
)
async def test_another_answer_or_none_is_no_agreement(answer: bytes) -> None:
    async with answering(answer) as port:
        assert not await agrees_to_x25519("127.0.0.1", port, "site.example")
