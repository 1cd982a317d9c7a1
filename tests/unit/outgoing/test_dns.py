"""The lookup against a name server on loopback."""

import asyncio
from collections.abc import AsyncIterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from keystead.outgoing import dns as lookup
from keystead.outgoing.dns import Delegation, DnsLookup, NoServers, ResolverAway


class _Server(asyncio.DatagramProtocol):
    """Answers by name: example.com has two servers, lame.test is refused, empty.test has none, all else is unknown."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text()
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if name == "example.com.":
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "NS", "NS2.Example.net.", "ns1.example.net."))
        elif name == "lame.test.":
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name != "empty.test.":
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), addr)  # type: ignore[attr-defined]


@pytest.fixture
async def asking(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DnsLookup]:
    monkeypatch.setattr(lookup, "TIMEOUT_S", 20.0)  # a machine under load loses no datagram, it is late
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(_Server, local_addr=("127.0.0.1", 0))
    made = DnsLookup(["127.0.0.1"])
    made._asking().port = transport.get_extra_info("sockname")[1]
    yield made
    transport.close()


async def test_a_domains_servers_are_sorted_and_small(asking: DnsLookup) -> None:
    assert await asking.delegation("example.com") == Delegation(("ns1.example.net", "ns2.example.net"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [("nobody.test", NoServers.UNKNOWN), ("empty.test", NoServers.EMPTY), ("lame.test", NoServers.LAME)],
)
async def test_what_has_no_servers_says_why(asking: DnsLookup, name: str, problem: NoServers) -> None:
    assert await asking.delegation(name) == Delegation(problem=problem)


async def test_a_resolver_that_does_not_answer_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "TIMEOUT_S", 0.05)
    made = DnsLookup(["127.0.0.1"])
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    made._asking().port = transport.get_extra_info("sockname")[1]

    with pytest.raises(ResolverAway):
        await made.delegation("example.com")

    transport.close()
