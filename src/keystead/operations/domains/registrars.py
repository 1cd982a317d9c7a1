"""Operations at any registrar, whichever provider it is: domains, and the name servers of one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.operations.vault.changes import ChangeRecords
from keystead.providers.registrar import RegisteredDomain, Registrar
from keystead.vault import credentials, zones
from keystead.vault.errors import CredentialNotFound
from keystead.vault.intents import Change

Open = Callable[[Call, int], Awaitable[Registrar]]


class RegistrarOperations:
    """What callers may do with credentials of registrars; ``openers`` say by provider how one is opened."""

    def __init__(self, transactions: Transactions, openers: Mapping[str, Open]) -> None:
        self._transactions = transactions
        self._openers = openers

    @property
    def providers(self) -> Sequence[str]:
        """Return the providers that are registrars."""
        return tuple(self._openers)

    async def domains(self, call: Call, provider: str, credential_id: int) -> list[RegisteredDomain]:
        """Return every domain of a credential's account."""
        return await (await self.opened(call, provider, credential_id)).domains()

    async def name_servers(self, call: Call, provider: str, credential_id: int, domain: str) -> list[str]:
        """Return a domain's name servers, as its registrar has them."""
        return await (await self.opened(call, provider, credential_id)).name_servers(domain)

    async def set_name_servers(
        self, call: Call, provider: str, credential_id: int, domain: str, servers: Sequence[str]
    ) -> None:
        """Point a domain at its name servers."""
        registrar = await self.opened(call, provider, credential_id)
        async with pointing(self._transactions, call, credential_id, domain, servers):
            await registrar.set_name_servers(domain, list(servers))

    async def opened(self, call: Call, provider: str, credential_id: int) -> Registrar:
        """Return a registrar with a credential's secret; raise CredentialNotFound for one of no registrar."""
        await self._transactions.check(call, credentials.use)
        if provider not in self._openers:
            raise CredentialNotFound(credential_id)
        return await self._openers[provider](call, credential_id)

    async def of_credential(self, call: Call, credential_id: int) -> Registrar:
        """Return the registrar that a credential is for."""
        credential = await self._transactions.read(call, credentials.find, credential_id)
        return await self.opened(call, credential.provider, credential_id)


@asynccontextmanager
async def pointing(
    transactions: Transactions, call: Call, credential_id: int, domain: str, servers: Sequence[str]
) -> AsyncIterator[None]:
    """Put on record that a domain is about to be pointed at name servers, and once it is, or that it failed."""
    facts, subject = {"domain": domain, "name_servers": list(servers)}, credentials.subject(credential_id)
    async with ChangeRecords(transactions).changing(call, Change.NAME_SERVERS, subject, **facts):
        yield
        await transactions.write(call, zones.note_name_servers, credential_id, domain, servers)
