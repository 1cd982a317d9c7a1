"""Operations on what zones hold: look into one, compare it with what is right there, and take what is there for right.

One look is one request for the records, or one for every thousand of them, and one for the redirects.
"""

from collections.abc import Callable

from keystead.kit.errors import KeysteadError, StorageBusy, StorageFailed, Unavailable
from keystead.operations.calls import Call
from keystead.operations.domains.hosts import ZoneHosts
from keystead.operations.transaction import Committed, Transactions
from keystead.providers.errors import SecretRefused
from keystead.vault import contents, contentvalue
from keystead.vault.contents import Compared, Recorded
from keystead.vault.contentvalue import Contents

# What a caller waits for looks once more when something was changed here meanwhile.
_LOOKS_MAX = 3


def _nobody(_: int) -> None:
    """Tell nobody."""


class ContentOperations:
    """What callers, and the watch, may do with what zones hold.

    ``on_seen`` is told of an account with something new to compare, ``on_asked`` of one where somebody waits for that.
    """

    def __init__(
        self,
        transactions: Transactions,
        hosts: ZoneHosts,
        *,
        on_seen: Callable[[int], None] = _nobody,
        on_asked: Callable[[int], None] = _nobody,
    ) -> None:
        self._transactions = transactions
        self._hosts = hosts
        self._on_seen = on_seen
        self._on_asked = on_asked

    async def find(self, call: Call, zone_id: int) -> Compared:
        """Return how a zone differed when it was last looked into."""
        return await self._transactions.read(call, contents.find, zone_id)

    async def compare(self, call: Call, zone_id: int) -> Compared:
        """Look into a zone now, and return how it differs from what is right there."""
        for _ in range(_LOOKS_MAX):
            if await self.look(call, zone_id):
                break
        self._on_asked(call.principal.account_id)
        return await self.find(call, zone_id)

    async def accept(self, call: Call, zone_id: int) -> Compared:
        """Look into a zone now, and take what it holds for right."""
        revision = await self._transactions.read(call, contents.revision, zone_id)
        seen = await self._read(call, zone_id)
        accepted = await self._transactions.write(call, contents.accept, zone_id, seen, revision=revision)
        self._on_asked(call.principal.account_id)
        return accepted.value

    async def look(self, call: Call, zone_id: int) -> bool:
        """Look into a zone; return False when something was changed here meanwhile, so that nothing is known.

        Raises what kept it from that, once it is written down; a provider that is away says nothing about the zone.
        """
        await self._transactions.check(call, contents.record)
        revision = await self._transactions.read(call, contents.revision, zone_id)
        try:
            seen = await self._read(call, zone_id)
        except (StorageBusy, StorageFailed):
            raise  # it says nothing about the zone, and is written down nowhere
        except Unavailable as error:
            await self._transactions.write(call, contents.note_unanswered, zone_id, error.message)
            raise
        except KeysteadError as error:
            is_refused = isinstance(error, SecretRefused)
            verb = contents.note_problem
            self._tell(call, await self._transactions.write(call, verb, zone_id, error.message, is_refused=is_refused))
            raise
        recorded = await self._transactions.write(call, contents.record, zone_id, seen, revision=revision)
        self._tell(call, recorded)
        return recorded.value.is_known

    def _tell(self, call: Call, recorded: Committed[Recorded]) -> None:
        if recorded.value.is_news:
            self._on_seen(call.principal.account_id)

    async def _read(self, call: Call, zone_id: int) -> Contents:
        host = await self._hosts.of_zone(call, zone_id)
        records = await host.client.records(host.zone.remote_id)
        try:
            found = await host.client.redirect_rules(host.zone.remote_id)
        except SecretRefused:
            # A profile for DNS alone may not read them.
            return contentvalue.contents(records, None)
        return contentvalue.contents(records, () if found is None else found.rules)
