"""Zones are looked into now and then: what they hold is compared with what is right there.

A few zones at a time: four hundred of one account at Cloudflare take some twenty minutes, and most of the requests that
it answers are left to people. What differs is a finding, which the watch over domains tells of.
"""

from collections.abc import Callable
from datetime import timedelta

from keystead.access.principal import system
from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger
from keystead.operations.calls import Call
from keystead.operations.domains.contents import ContentOperations
from keystead.operations.transaction import Transactions
from keystead.vault import contents
from keystead.vault.store.contents import Question

log = get_logger()

LOOK_EVERY_S = 30.0
# Two requests for each: at most 200 of the 1,200 that Cloudflare answers a token in five minutes.
TOGETHER_MAX = 10
_REQUEST_ID = "contents"


class ContentWatch:
    """Look into zones of all accounts; one per process, which share the zones of one database.

    ``on_seen`` is told that something may have to be compared.
    """

    def __init__(
        self,
        transactions: Transactions,
        operations: ContentOperations,
        *,
        every: timedelta,
        account_id: int,
    ) -> None:
        self._transactions = transactions
        self._operations = operations
        self._every = every
        self._system = Call(system(account_id), _REQUEST_ID)
        self.on_seen: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Look into what is due until cancelled."""
        while True:
            try:
                await self.round()
            except KeysteadError as error:
                log.warning("looks into zones put off", reason=error.message)
            await self._transactions.clock.sleep(LOOK_EVERY_S)

    async def round(self) -> int:
        """Look into the zones that are due now, one after the other; return how many those were."""
        before = self._transactions.clock.now() - self._every
        claimed = await self._transactions.write(self._system, contents.claim, before=before, limit=TOGETHER_MAX)
        for question in claimed.value:
            await self._look(question)
        if claimed.value:
            self.on_seen()
        return len(claimed.value)

    async def _look(self, question: Question) -> None:
        call = Call(system(question.account_id), _REQUEST_ID)
        try:
            await self._operations.look(call, question.zone_id)
        except KeysteadError as error:
            log.info("a zone could not be looked into", zone=question.zone_id, reason=error.message)
