"""What the watch over domains asks of any registrar, and how each of them answers it.

Whoever is a registrar by ``providers/registrar.py`` is watched as it is, by one list of all its domains
(``WholeList``); one whose lists come in pages at a limited pace has an adapter, named in ``vault_parts``.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Protocol

from keystead.operations.calls import Call
from keystead.operations.domains.registrars import Open
from keystead.operations.providers.namecheap import NamecheapOperations
from keystead.providers import registrar as provided
from keystead.providers.errors import ProviderUnreadable
from keystead.providers.namecheap import Namecheap
from keystead.providers.registrar import RegisteredDomain
from keystead.vault.registrations import SeenRegistration


@dataclass(frozen=True)
class Listed:
    """A page of an account's domains, and what to ask with for the next one; None after the last."""

    items: Sequence[SeenRegistration]
    following: str | None = None


class WatchedRegistrar(Protocol):
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
OpenRegistrar = Callable[[Call, int], Awaitable[WatchedRegistrar]]


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
        return await self._client.name_servers(domain)

    async def balance(self) -> Decimal:
        """Return what the account has to spend."""
        return amount(await self._client.balance())


class WholeList:
    """Any registrar whose client lists all domains at once."""

    def __init__(self, client: provided.Registrar) -> None:
        self._client = client

    async def listed(self, cursor: str | None) -> Listed:
        """Return all of the account's domains."""
        del cursor
        return Listed([_seen(one) for one in await self._client.domains()])

    async def name_servers(self, domain: str) -> Sequence[str]:
        """Return the name servers that the registrar has for a domain."""
        return await self._client.name_servers(domain)

    async def balance(self) -> Decimal:
        """Return what the account has to spend."""
        return amount(await self._client.balance())


def opening(opener: Open) -> OpenRegistrar:
    """Return how a registrar is opened whose client lists all domains at once."""

    async def opened(call: Call, credential_id: int) -> WatchedRegistrar:
        return WholeList(await opener(call, credential_id))

    return opened


def opening_namecheap(namecheap: NamecheapOperations) -> OpenRegistrar:
    """Return how Namecheap is opened."""

    async def opened(call: Call, credential_id: int) -> WatchedRegistrar:
        return NamecheapRegistrar(await namecheap.opened(call, credential_id))

    return opened


def amount(text: str) -> Decimal:
    """Return a sum as registrars write it, commas between thousands included; raise ProviderUnreadable."""
    try:
        return Decimal(text.replace(",", "").strip())
    except InvalidOperation:
        raise ProviderUnreadable("the registrar answered a balance that is no number") from None


def _seen(one: RegisteredDomain) -> SeenRegistration:
    return SeenRegistration(one.name, one.expires_on, one.renews_itself, one.is_locked, one.has_own_dns)
