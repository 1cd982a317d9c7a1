"""Asking DNS which name servers a domain has, as anybody on the Internet is told. A port, and dnspython behind it.

The answer is that of a recursive resolver: the machine's own, or those the settings name. It may be as old as its time
to live. Whether a name does not exist or its servers do not answer for it is an answer, too; a resolver that is out of
reach is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from keystead.kit.errors import Unavailable

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

TIMEOUT_S = 5.0


class NoServers(StrEnum):
    """Why DNS names no name servers for a domain."""

    UNKNOWN = "the name does not exist in DNS"
    EMPTY = "DNS has no name servers for the name"
    LAME = "the name servers do not answer for the name"


@dataclass(frozen=True)
class Delegation:
    """What DNS says of a domain: its name servers, sorted, in small letters; or why there are none."""

    name_servers: tuple[str, ...] = ()
    problem: NoServers | None = None


class ResolverAway(Unavailable):
    """No resolver answered: nothing is known of the name."""

    code = "resolver_away"


class Lookup(Protocol):
    """Ask DNS."""

    async def delegation(self, name: str) -> Delegation:
        """Return what DNS says of a domain's name servers; raise ResolverAway when nobody answers."""
        ...


class DnsLookup:
    """Ask recursive resolvers: those with these addresses, or the machine's own."""

    def __init__(self, resolvers: Sequence[str] = ()) -> None:
        self._addresses = tuple(resolvers)
        self._resolver: Resolver | None = None

    async def delegation(self, name: str) -> Delegation:
        """Return what DNS says of a domain's name servers; raise ResolverAway when nobody answers."""
        from dns import exception, resolver  # kept in memory by instances with domains only

        try:
            answer = await self._asking().resolve(name, "NS", lifetime=TIMEOUT_S)
        except resolver.NXDOMAIN:
            return Delegation(problem=NoServers.UNKNOWN)
        except resolver.NoAnswer:
            return Delegation(problem=NoServers.EMPTY)
        except resolver.NoNameservers:
            return Delegation(problem=NoServers.LAME)
        except (exception.DNSException, OSError) as error:
            raise ResolverAway(f"no resolver answered: {type(error).__name__}; see KEYSTEAD_DNS_RESOLVERS") from error
        return Delegation(tuple(sorted(str(record.target).rstrip(".").lower() for record in answer)))

    def _asking(self) -> "Resolver":
        if self._resolver is None:
            from dns.asyncresolver import Resolver

            self._resolver = Resolver(configure=not self._addresses)
            if self._addresses:
                self._resolver.nameservers = list(self._addresses)
        return self._resolver
