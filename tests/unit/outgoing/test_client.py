"""The client for the outside against a real server: it connects to what it checked and to nothing else."""

import asyncio
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from keystead.http import tls
from keystead.keeper.ports import free_loopback_port
from keystead.kit.clock import SystemClock
from keystead.kit.reach import Address, Reach, reach
from keystead.outgoing import client as client_module
from keystead.outgoing.client import OutgoingClient, Problem, Reply
from keystead.outgoing.resolver import SystemResolver
from tests.support.receiver import Receiver, receiving

LOOPBACK = reach(["127.0.0.1/32"])


class FakeResolver:
    """Names of a test; each question takes the next answer, the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def addresses(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not answer:
            raise OSError("no such name")
        return [ipaddress.ip_address(text) for text in answer]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


async def post(
    url: str, resolver: FakeResolver, opened: Reach = LOOPBACK, context: ssl.SSLContext | None = None
) -> Reply:
    sender = OutgoingClient(opened, resolver, SystemClock(), tls=context)
    return await sender.post(url, {"webhook-id": "evt_1"}, b'{"a":1}')


async def test_the_host_stays_in_the_header_and_the_path_as_it_was_written(receiver: Receiver) -> None:
    resolver = FakeResolver(["127.0.0.1"])

    reply = await post(f"http://hook.test:{receiver.port}/a%20b/%2F?x=%3D&y", resolver)

    (request,) = receiver.received
    assert (reply.status, reply.problem) == (204, None)
    assert request.headers["host"] == f"hook.test:{receiver.port}"
    assert (request.path, request.body) == ("/a%20b/%2F?x=%3D&y", b'{"a":1}')
    assert request.headers["webhook-id"] == "evt_1"


@pytest.mark.parametrize("address", ["127.0.0.2", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.2"])
async def test_a_name_that_leads_to_a_private_address_is_refused(receiver: Receiver, address: str) -> None:
    reply = await post(f"http://hook.test:{receiver.port}/", FakeResolver([address]))

    assert (reply.status, reply.problem) == (None, Problem.ADDRESS)
    assert receiver.received == []


async def test_a_name_that_changes_its_mind_is_not_asked_again(receiver: Receiver) -> None:
    rebinding = FakeResolver(["127.0.0.1"], ["10.0.0.1"])

    reply = await post(f"http://hook.test:{receiver.port}/", rebinding)

    assert reply.status == 204
    assert rebinding.asked == ["hook.test"]


async def test_without_permission_the_loopback_is_closed_however_it_is_written(receiver: Receiver) -> None:
    told = {
        host: (
            await OutgoingClient(reach([], is_plain_open=True), SystemResolver(), SystemClock()).post(
                f"http://{host}:{receiver.port}/", {}, b""
            )
        ).problem
        for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "0177.0.0.1", "[::ffff:127.0.0.1]")
    }

    assert set(told.values()) <= {Problem.ADDRESS, Problem.URL, Problem.NAME}
    assert receiver.received == []


async def test_a_redirect_is_an_answer_like_any_other(receiver: Receiver) -> None:
    receiver.statuses, receiver.headers = [302], {"location": "http://127.0.0.1:1/", "retry-after": "7"}

    reply = await post(receiver.url, FakeResolver(["127.0.0.1"]))

    assert (reply.status, reply.retry_after_s) == (302, 7)
    assert len(receiver.received) == 1


async def test_the_next_address_is_tried_when_one_does_not_answer(receiver: Receiver) -> None:
    opened = reach(["127.0.0.0/8"])

    reply = await post(f"http://hook.test:{receiver.port}/", FakeResolver(["127.0.0.9", "127.0.0.1"]), opened)

    assert reply.status == 204


async def test_what_keeps_a_request_from_an_answer_is_told_in_words(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = free_loopback_port()
    assert (await post("http://hook.test/", FakeResolver([]))).problem is Problem.NAME
    assert (await post(f"http://hook.test:{closed}/", FakeResolver(["127.0.0.1"]))).problem is Problem.CONNECT
    assert (await post("ftp://hook.test/", FakeResolver(["127.0.0.1"]))).problem is Problem.URL
    assert (await post(f"https://hook.test:{receiver.port}/", FakeResolver(["127.0.0.1"]))).problem is Problem.TLS

    receiver.delay_s = 0.5
    monkeypatch.setattr(client_module, "TOTAL_TIMEOUT_S", 0.1)  # the real one would take fifteen seconds
    assert (await post(receiver.url, FakeResolver(["127.0.0.1"]))).problem is Problem.TIME


async def test_a_server_that_speaks_something_else_or_for_ever_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP\r\n")
        await writer.drain()
        writer.close()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            pass

    for handler, status, problem in ((babble, None, Problem.PROTOCOL), (flood, 200, None)):
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        reply = await post(f"http://127.0.0.1:{port}/", FakeResolver(["127.0.0.1"]))

        server.close()
        await server.wait_closed()
        assert (reply.status, reply.problem) == (status, problem)
        assert reply.duration_ms < 5000


async def test_tls_names_the_host_and_checks_its_certificate(tmp_path: Path) -> None:
    certificate = tls.self_signed(tmp_path, "hook.test")
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    with receiving(certificate=certificate) as receiver:
        resolver = FakeResolver(["127.0.0.1"])

        reply = await post(f"https://hook.test:{receiver.port}/", resolver, context=trusting)
        other = await post(f"https://other.test:{receiver.port}/", resolver, context=trusting)
        distrusted = await post(f"https://hook.test:{receiver.port}/", resolver)

        assert (reply.status, receiver.received[0].sni) == (204, "hook.test")
        assert (other.problem, distrusted.problem) == (Problem.TLS, Problem.TLS)
        assert len(receiver.received) == 1
