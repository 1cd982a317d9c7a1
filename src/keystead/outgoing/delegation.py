"""Asking the servers of a domain's parent to whom they delegate it: what every resolver will be told sooner or later.

A resolver may go on telling what it was told before, for as long as two days; the parent's servers tell what is. They
are found through resolvers (RFC 1034, section 4.2), asked without recursion, over UDP and, where an answer does not
fit, over TCP. Like ``outgoing.dns``, and with its words.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keystead.kit.clock import Clock
from keystead.outgoing.dns import Delegation, NoServers, ResolverAway

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver
    from dns.message import Message

TIMEOUT_S = 4.0
# Of the many servers that some parents have, so many are asked before nobody is taken to answer.
ASKED_MAX = 3
TOGETHER_MAX = 32
# How long a parent's servers are taken to be the same, and not to be found: hundreds of domains ask one after another.
_KEPT_S = 600.0
_NOT_FOUND_S = 10.0
_PORT = 53


@dataclass
class _Parent:
    """What is or will be known of a parent's servers, until a moment."""

    asking: "asyncio.Future[list[str]]"
    until_s: float

    @property
    def has_broken(self) -> bool:
        """Tell whether it ended without an answer: servers that were not found are one."""
        if not self.asking.done():
            return False
        return self.asking.cancelled() or not isinstance(self.asking.exception(), ResolverAway | None)


class ParentLookup:
    """Ask parents' servers, which the resolvers with these addresses, or the machine's own, have named."""

    def __init__(self, clock: Clock, resolvers: Sequence[str] = (), *, port: int = _PORT) -> None:
        self._clock = clock
        self._addresses = tuple(resolvers)
        self._port = port
        self._resolver: Resolver | None = None
        self._parents: dict[str, _Parent] = {}
        self._together = asyncio.Semaphore(TOGETHER_MAX)

    async def delegation(self, name: str) -> Delegation:
        """Return to whom a domain's parent delegates it; raise ResolverAway when no server of the parent answers."""
        async with self._together:
            return await self._delegation(name)

    async def _delegation(self, name: str) -> Delegation:
        from dns import exception  # kept in memory by instances with domains only
        from dns import name as names

        try:
            parent = names.from_text(name).parent()
        except exception.DNSException:  # no name that DNS could have, such as one with an empty label
            return Delegation(problem=NoServers.UNKNOWN)
        servers = await self._servers_of(parent.to_text())
        for address in servers[:ASKED_MAX]:
            answer = await self._asked(address, name)
            if answer is not None:
                return _read(answer, name)
        raise ResolverAway(f"no server of {parent.to_text(omit_final_dot=True)} answered")

    async def _servers_of(self, parent: str) -> list[str]:
        """Return addresses of a parent's servers; whoever asks at the same time waits for the same answer.

        That there is none is the answer for some seconds, too.
        """
        now_s = self._clock.monotonic_s()
        known = self._parents.get(parent)
        if known is None or known.until_s < now_s or known.has_broken:
            known = _Parent(asyncio.ensure_future(self._sought(parent)), now_s + _KEPT_S)
            self._parents[parent] = known
        return await asyncio.shield(known.asking)

    async def _sought(self, parent: str) -> list[str]:
        try:
            return await self._found(parent)
        except ResolverAway:
            self._parents[parent].until_s = self._clock.monotonic_s() + _NOT_FOUND_S
            raise

    async def _found(self, parent: str) -> list[str]:
        from dns import exception

        try:
            named = await self._named(parent)
            found = [await self._addresses_of(server) for server in named]
        except (exception.DNSException, OSError) as error:
            raise ResolverAway(f"no resolver answered: {type(error).__name__}; see KEYSTEAD_DNS_RESOLVERS") from error
        servers = [address for addresses in found for address in addresses]
        if not servers:
            raise ResolverAway(f"the servers of {parent} have no addresses")
        random.shuffle(servers)
        return servers

    async def _named(self, parent: str) -> list[str]:
        """Name the servers of a zone, or of the one above where a name is none, such as ``com.de`` in ``de``."""
        from dns import name, resolver

        zone = name.from_text(parent)
        while True:
            try:
                answer = await self._asking().resolve(zone, "NS", lifetime=TIMEOUT_S)
                return [str(record.target) for record in answer]
            except (resolver.NoAnswer, resolver.NXDOMAIN):
                if zone == name.root:
                    raise
                zone = zone.parent()

    async def _addresses_of(self, server: str) -> list[str]:
        from dns import exception

        try:
            answer = await self._asking().resolve(server, "A", lifetime=TIMEOUT_S)
        except exception.DNSException:
            return []
        return [record.address for record in answer]

    async def _asked(self, address: str, name: str) -> "Message | None":
        """Return a server's answer, or None when it gives none that helps."""
        from dns import asyncquery, exception, flags, message, rcode

        question = message.make_query(name, "NS")
        question.flags &= ~flags.RD
        try:
            answer, _ = await asyncquery.udp_with_fallback(question, address, timeout=TIMEOUT_S, port=self._port)
        except (exception.DNSException, OSError, EOFError):
            return None
        return answer if answer.rcode() in (rcode.NOERROR, rcode.NXDOMAIN) else None

    def _asking(self) -> "Resolver":
        if self._resolver is None:
            from dns.asyncresolver import Resolver

            self._resolver = Resolver(configure=not self._addresses)
            if self._addresses:
                self._resolver.nameservers = list(self._addresses)
            self._resolver.port = self._port
        return self._resolver


def _read(answer: "Message", name: str) -> Delegation:
    """Return what a parent's answer says: the referral in its authority section, or its own answer."""
    from dns import name as names
    from dns import rcode, rdatatype

    wanted = names.from_text(name)
    if answer.rcode() == rcode.NXDOMAIN:
        return Delegation(problem=NoServers.UNKNOWN)
    told = [
        str(record.target).rstrip(".").lower()
        for section in (answer.answer, answer.authority)
        for records in section
        if records.rdtype == rdatatype.NS and records.name == wanted
        for record in records
    ]
    return Delegation(tuple(sorted(set(told)))) if told else Delegation(problem=NoServers.EMPTY)
