"""Operations on what zones and accounts hold at their providers: look, compare, and take what is there for right.

One look into a zone is one request for the records, or one for every thousand of them, and one for the redirects. One
at the bulk redirects of an account is one for its lists, one for every five hundred entries, and one for the rule that
looks into them, however many zones the account has.
"""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from keystead.access.work import Work
from keystead.kit.errors import KeysteadError, Unavailable
from keystead.operations.calls import Call
from keystead.operations.domains.hosts import ZoneHosts
from keystead.operations.transaction import Committed, Transactions
from keystead.providers.errors import SecretRefused
from keystead.vault import bulklists, contents, contentvalue
from keystead.vault.bulklists import ListCompared
from keystead.vault.contents import Compared, Recorded
from keystead.vault.contentvalue import Contents, Entry

# What a caller waits for looks once more when something was changed here meanwhile.
_LOOKS_MAX = 3

# What is seen, and how it differs.
S = TypeVar("S")
C = TypeVar("C")
_S = TypeVar("_S", contravariant=True)
_C = TypeVar("_C", covariant=True)


class Verbs(Protocol[_S, _C]):
    """The verbs of something that is looked at and compared with what is right there: a module of the vault."""

    def find(self, work: Work, ident: int, /) -> _C:
        """Return how it differed when it was last looked at."""
        ...

    def revision(self, work: Work, ident: int, /) -> int:
        """Return the number of what is kept, which grows with every change made here."""
        ...

    def record(self, work: Work, ident: int, seen: _S, /, *, revision: int) -> Recorded:
        """Compare what is seen with what is right."""
        ...

    def note_unanswered(self, work: Work, ident: int, problem: str, /) -> None:
        """Write down why nothing was heard."""
        ...

    def note_problem(self, work: Work, ident: int, problem: str, /, *, is_refused: bool) -> Recorded:
        """Write down why it could not be looked at."""
        ...

    def accept(self, work: Work, ident: int, seen: _S, /, *, revision: int) -> _C:
        """Take what is seen for right."""
        ...


def _nobody(_: int) -> None:
    """Tell nobody."""


class Comparing(Generic[S, C]):
    """What callers, and the watch, may do with what is compared.

    ``on_seen`` is told of an account with something new to compare, ``on_asked`` of one where somebody waits for that.
    """

    def __init__(self, transactions: Transactions, hosts: ZoneHosts, verbs: Verbs[S, C]) -> None:
        self._transactions = transactions
        self._hosts = hosts
        self._verbs = verbs
        self.on_seen: Callable[[int], None] = _nobody
        self.on_asked: Callable[[int], None] = _nobody

    async def find(self, call: Call, ident: int) -> C:
        """Return how it differed when it was last looked at."""
        return await self._transactions.read(call, self._verbs.find, ident)

    async def compare(self, call: Call, ident: int) -> C:
        """Look now, and return how it differs from what is right there."""
        for _ in range(_LOOKS_MAX):
            if await self.look(call, ident):
                break
        self.on_asked(call.principal.account_id)
        return await self.find(call, ident)

    async def accept(self, call: Call, ident: int) -> C:
        """Look now, and take what is there for right."""
        revision = await self._transactions.read(call, self._verbs.revision, ident)
        seen = await self._read(call, ident)
        accepted = await self._transactions.write(call, self._verbs.accept, ident, seen, revision=revision)
        self.on_asked(call.principal.account_id)
        return accepted.value

    async def look(self, call: Call, ident: int) -> bool:
        """Look; return False when something was changed here meanwhile, so that nothing is known.

        Raises what kept it from that, once it is written down; a provider that is away says nothing about what it has.
        """
        revision = await self._transactions.read(call, self._verbs.revision, ident)
        try:
            seen = await self._read(call, ident)
        except Unavailable as error:
            await self._transactions.write(call, self._verbs.note_unanswered, ident, error.message)
            raise
        except KeysteadError as error:
            is_refused = isinstance(error, SecretRefused)
            verb = self._verbs.note_problem
            self._tell(call, await self._transactions.write(call, verb, ident, error.message, is_refused=is_refused))
            raise
        recorded = await self._transactions.write(call, self._verbs.record, ident, seen, revision=revision)
        self._tell(call, recorded)
        return recorded.value.is_known

    def _tell(self, call: Call, recorded: Committed[Recorded]) -> None:
        if recorded.value.is_news:
            self.on_seen(call.principal.account_id)

    async def _read(self, call: Call, ident: int) -> S:
        """Ask the provider."""
        raise NotImplementedError


class ContentOperations(Comparing[Contents, Compared]):
    """What zones hold."""

    def __init__(
        self,
        transactions: Transactions,
        hosts: ZoneHosts,
        *,
        on_seen: Callable[[int], None] = _nobody,
        on_asked: Callable[[int], None] = _nobody,
    ) -> None:
        super().__init__(transactions, hosts, contents)
        self.on_seen, self.on_asked = on_seen, on_asked

    async def _read(self, call: Call, ident: int) -> Contents:
        host = await self._hosts.of_zone(call, ident)
        records = await host.client.records(host.zone.remote_id)
        try:
            found = await host.client.redirect_rules(host.zone.remote_id)
        except SecretRefused:
            # A profile for DNS alone may not read them.
            return contentvalue.contents(records, None)
        return contentvalue.contents(records, () if found is None else found.rules)


class ListOperations(Comparing[Sequence[Entry], ListCompared]):
    """The bulk redirects that accounts hold, each by its credential."""

    def __init__(self, transactions: Transactions, hosts: ZoneHosts) -> None:
        super().__init__(transactions, hosts, bulklists)

    async def _read(self, call: Call, ident: int) -> Sequence[Entry]:
        host = await self._hosts.of_credential(call, ident)
        return contentvalue.list_entries(await host.client.seen_list(host.credential.external_id))
