"""Put on record what is about to be changed at a provider, and what became of it: around every request that changes.

The intent is committed before the provider is asked; a kill in between leaves it as the only trace, and it says what
may be there (``vault.intents``).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from keystead.kit.errors import Invalid, KeysteadError, NotFound
from keystead.kit.log import get_logger
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.providers.errors import ProviderRejected, ProviderUnavailable
from keystead.vault import intents
from keystead.vault.intents import Change

log = get_logger()


class ChangeRecords:
    """Write intents and outcomes, each in a transaction of its own."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    @asynccontextmanager
    async def changing(self, call: Call, change: Change, subject: str, **facts: object) -> AsyncIterator[None]:
        """Put on record that something is about to be changed at its provider, and that it failed when it does."""
        await self._transactions.write(call, intents.put, change, subject=subject, **facts)
        try:
            yield
        except KeysteadError as error:
            await self._note_failure(call, change, subject, error)
            raise

    async def done(self, call: Call, change: Change, subject: str, **facts: object) -> None:
        """Put on record that a change was made which has no rows here."""
        await self._transactions.write(call, intents.done, change, subject=subject, **facts)

    async def _note_failure(self, call: Call, change: Change, subject: str, error: KeysteadError) -> None:
        """Put a failure on record; where that fails too, the intent alone says what is not known."""
        may_have_landed, reason = _may_have_landed(error), error.code
        try:
            await self._transactions.write(
                call, intents.failed, change, subject=subject, reason=reason, may_have_landed=may_have_landed
            )
        except KeysteadError as failure:
            log.error("the failure of a change is not on record", change=change.value, reason=failure.message)


def _may_have_landed(error: KeysteadError) -> bool:
    """Tell whether a change may have been made although it failed here.

    What is invalid was not asked for; whatever else is not the provider's came after it.
    """
    if isinstance(error, ProviderUnavailable):
        return error.may_have_landed
    return not isinstance(error, (ProviderRejected, NotFound, Invalid))
