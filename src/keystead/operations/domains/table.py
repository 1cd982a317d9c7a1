"""Operations on the table of domains: list, write, compare; and on what is looked at in the background."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from keystead.kit.errors import Unsupported
from keystead.kit.page import Page
from keystead.operations.calls import Call
from keystead.operations.domains.watch.registrars import OpenRegistrar
from keystead.operations.transaction import Transactions
from keystead.vault import credentials, domains, findings, looks
from keystead.vault.domains import Entry, Shown, Written
from keystead.vault.store.domaintable import Narrowed, Row, Window
from keystead.vault.store.findings import Finding
from keystead.vault.store.looks import Look


class DomainOperations:
    """What callers may do with domains; ``on_asked`` is told whose domains somebody wants looked at now."""

    def __init__(
        self,
        transactions: Transactions,
        registrars: Mapping[str, OpenRegistrar],
        *,
        providers: Sequence[str],
        every: timedelta,
        on_asked: Callable[[int], None],
    ) -> None:
        self._transactions = transactions
        self._registrars = registrars
        self._providers = providers
        self._every = every
        self._on_asked = on_asked

    def now(self) -> datetime:
        """Return the time by which ends are counted."""
        return self._transactions.clock.now()

    async def list_(self, call: Call, wanted: Narrowed, window: Window, *, is_of_all: bool = False) -> list[Row]:
        """Return a page of the account's domains, or of all accounts'."""
        verb = domains.list_all if is_of_all else domains.list_
        return await self._transactions.read_many(call, verb, wanted, window)

    async def find(self, call: Call, domain_id: int) -> Shown:
        """Return a domain with its findings."""
        return await self._transactions.read(call, domains.find, domain_id)

    async def write(self, call: Call, domain_id: int, *, note: str | None, tags: Sequence[str] | None) -> Shown:
        """Write a note and tags beside a domain."""
        return (await self._transactions.write(call, domains.write, domain_id, note=note, tags=tags)).value

    async def put(self, call: Call, entries: Sequence[Entry]) -> Written:
        """Write many domains down at once."""
        written = (await self._transactions.write(call, domains.put, entries)).value
        if written.added:
            self._on_asked(call.principal.account_id)
        return written

    async def remove(self, call: Call, domain_id: int) -> None:
        """Delete a domain that nobody shows any more."""
        await self._transactions.write(call, domains.remove, domain_id)

    async def drift(self, call: Call, page: Page) -> list[Finding]:
        """Return the account's findings."""
        return await self._transactions.read_many(call, findings.list_, page)

    async def looks(self, call: Call) -> dict[int, Look]:
        """Return what was found at the account's credentials."""
        return await self._transactions.read_many(call, looks.list_)

    async def look(self, call: Call, credential_id: int | None) -> list[int]:
        """Have one credential looked at now, or all, and DNS asked about all domains; return which credentials."""
        now = self._transactions.clock.now()
        if credential_id is None:
            found = await self._transactions.read_many(call, credentials.list_)
        else:
            found = [await self._transactions.read(call, credentials.find, credential_id)]
        wanted = [one.id for one in found if one.provider in self._providers and one.status_at(now).value == "active"]
        await self._transactions.write(call, looks.ask, wanted, every=self._every)
        self._on_asked(call.principal.account_id)
        return wanted

    async def balance(self, call: Call, credential_id: int) -> Decimal:
        """Ask a registrar what an account has to spend, and keep the answer; raise Unsupported for another provider."""
        found = await self._transactions.read(call, credentials.find, credential_id)
        if found.provider not in self._registrars:
            raise Unsupported(f"{found.provider} has no balance to be asked for")
        registrar = await self._registrars[found.provider](call, credential_id)
        balance = await registrar.balance()
        await self._transactions.write(call, looks.note_balance, credential_id, str(balance))
        return balance
