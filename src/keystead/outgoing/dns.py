"""Asking DNS which name servers a domain has: the words, and the port. ``outgoing.delegation`` is behind it.

Whether a name does not exist or has no servers is an answer, too; servers that are out of reach give none.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from keystead.kit.errors import Unavailable


class NoServers(StrEnum):
    """Why DNS names no name servers for a domain."""

    UNKNOWN = "the name does not exist in DNS"
    EMPTY = "DNS has no name servers for the name"


@dataclass(frozen=True)
class Delegation:
    """What DNS says of a domain: its name servers, sorted, in small letters; or why there are none."""

    name_servers: tuple[str, ...] = ()
    problem: NoServers | None = None


class ResolverAway(Unavailable):
    """No server answered: nothing is known of the name."""

    code = "resolver_away"


class Lookup(Protocol):
    """Ask DNS."""

    async def delegation(self, name: str) -> Delegation:
        """Return what DNS says of a domain's name servers; raise ResolverAway when nobody answers."""
        ...
