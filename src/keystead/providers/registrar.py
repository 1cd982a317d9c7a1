"""What registrars have in common, whatever their wires: an account's domains and balance, and a domain's name servers.

Namecheap and NameSilo are registrars; whoever works on domains takes either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol


@dataclass(frozen=True)
class RegisteredDomain:
    """A domain of an account at its registrar; None stands for what the registrar does not tell in its list."""

    name: str
    expires_on: date | None
    is_expired: bool | None = None
    is_locked: bool | None = None
    renews_itself: bool | None = None
    has_own_dns: bool | None = None


@dataclass(frozen=True)
class NameServers:
    """A domain's name servers at the registrar, in its order.

    ``is_own_dns`` says that they are the registrar's own by a choice that is made otherwise than by naming them.
    """

    names: tuple[str, ...]
    is_own_dns: bool = False


class Registrar(Protocol):
    """A client of a registrar."""

    async def balance(self) -> str:
        """Return what the account has to spend, a decimal number without a currency."""
        ...

    async def domains(self) -> list[RegisteredDomain]:
        """Return every domain of the account: all pages."""
        ...

    async def name_servers(self, domain: str) -> list[str]:
        """Return the name servers of a registered domain, as the registrar has them."""
        ...

    async def set_name_servers(self, domain: str, servers: Sequence[str]) -> None:
        """Point a registered domain at its name servers.

        Raises Invalid for a name that is not a registered one, and ProviderRejected when the registrar leaves them.
        """
        ...

    async def pointed(self, domain: str) -> NameServers:
        """Return a registered domain's name servers, as they would have to be chosen again."""
        ...

    async def point_back(self, domain: str, former: NameServers) -> None:
        """Point a registered domain at the name servers that ``pointed`` told before."""
        ...
