"""Name servers on loopback: a resolver, and the parents of domains, which delegate them to whom a test says.

Shapes are those of RFC 1034 and 1035: a referral has the delegation in its authority section, and no answer.
"""

import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

ADDRESS = "127.0.0.1"


@dataclass
class NameServers:
    """The stand-in: ``delegated`` says to whom a domain is delegated; None is not at all.

    ``suffixes`` are zones of their own; ``silent`` are domains about which parents do not answer.
    """

    delegated: Callable[[str], Sequence[str] | None] = lambda _: None
    suffixes: set[str] = field(default_factory=lambda: {"pro", "com"})
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def answer(self, wire: bytes) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        answer = dns.message.make_response(query)
        if query.flags & dns.flags.RD:
            self._resolve(answer, name, question.rdtype)
        else:
            self.asked.append(name)
            if name in self.silent:
                return None
            self._refer(answer, name)
        return answer.to_wire()

    def _resolve(self, answer: Any, name: str, kind: int) -> None:
        answer.flags |= dns.flags.RA
        if kind == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "A", ADDRESS))
        elif name in self.suffixes:
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "NS", f"a.nic.{name}."))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)

    def _refer(self, answer: Any, name: str) -> None:
        servers = self.delegated(name)
        if servers is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            return
        if servers:
            answer.authority.append(dns.rrset.from_text(f"{name}.", 60, "IN", "NS", *(f"{one}." for one in servers)))


@contextmanager
def name_servers() -> Iterator[NameServers]:
    """Serve name servers for the duration."""
    standin = NameServers()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, socket = self.request
            told = standin.answer(wire)
            if told is not None:
                socket.sendto(told, self.client_address)

    with socketserver.ThreadingUDPServer((ADDRESS, 0), Handler) as server:
        standin.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield standin
        finally:
            server.shutdown()
            thread.join()
