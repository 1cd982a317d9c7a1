"""What the watch over domains asks of any registrar, and how each of them answers it.

A further registrar is one more function that opens a ``Registrar`` with a credential, named in ``vault_operations``.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Protocol

from keystead.http.calls import Call
from keystead.http.namecheap_operations import NamecheapOperations
from keystead.providers.errors import ProviderUnreadable
from keystead.providers.namecheap import Namecheap, RegisteredDomain
from keystead.vault.registrations import SeenRegistration


@dataclass(frozen=True)
class Listed:
    """A page of an account's domains, and what to ask with for the next one; None after the last."""

    items: Sequence[SeenRegistration]
    following: str | None = None


class Registrar(Protocol):
    """A registrar, asked with one credential."""

    async def listed(self, cursor: str | None) -> Listed:
        """Return the first page of the account's domains, or the one that a page before named."""
        ...

    async def name_servers(self, domain: str) -> Sequence[str]:
        """Return the name servers that the registrar has for a domain."""
        ...

    async def balance(self) -> Decimal:
        """Return what the account has to spend."""
        ...


# Opens a credential, which notes its use, and returns the registrar it is for.
OpenRegistrar = Callable[[Call, int], Awaitable[Registrar]]


class NamecheapRegistrar:
    """Namecheap, which writes days as month, day and year, and tells name servers by the domain only."""

    def __init__(self, client: Namecheap) -> None:
        self._client = client

    async def listed(self, cursor: str | None) -> Listed:
        """Return a page of the account's domains."""
        page = int(cursor or 1)
        found, is_last = await self._client.domains_on(page)
        return Listed([_seen(one) for one in found], None if is_last else str(page + 1))

    async def name_servers(self, domain: str) -> Sequence[str]:
        """Return the name servers that Namecheap has for a domain."""
        return (await self._client.name_servers(domain)).names

    async def balance(self) -> Decimal:
        """Return what the account has to spend."""
        return amount(await self._client.balance())


def opening_namecheap(namecheap: NamecheapOperations) -> OpenRegistrar:
    """Return how Namecheap is opened."""

    async def opened(call: Call, credential_id: int) -> Registrar:
        return NamecheapRegistrar(await namecheap.opened(call, credential_id))

    return opened


def amount(text: str) -> Decimal:
    """Return a sum as registrars write it, commas between thousands included; raise ProviderUnreadable."""
    try:
        return Decimal(text.replace(",", "").strip())
    except InvalidOperation:
        raise ProviderUnreadable("the registrar answered a balance that is no number") from None


def american_day(text: str) -> date | None:
    """Return month, day and year, with slashes between, as a date; None for something else."""
    parts = text.split("/")
    try:
        month, day, year = map(int, parts)
        return date(year, month, day)
    except ValueError:
        return None


def _seen(one: RegisteredDomain) -> SeenRegistration:
    return SeenRegistration(one.name, american_day(one.expires), one.renews_itself, one.is_locked, one.has_own_dns)
