"""Zones are looked into now and then: what they hold is compared with what is right there.

A few zones at a time: four hundred of one account at Cloudflare take some twenty minutes, and most of the requests that
it answers are left to people. What differs is a finding, which the watch over domains tells of.
"""

from datetime import timedelta

from keystead.access.principal import system
from keystead.kit.errors import KeysteadError, Unavailable
from keystead.kit.log import get_logger
from keystead.kit.loops import repeat
from keystead.operations.calls import Call
from keystead.operations.domains.contents import ContentOperations
from keystead.operations.transaction import Transactions
from keystead.vault import contents
from keystead.vault.store.contents import Question

log = get_logger()

LOOK_EVERY_S = 30.0
# Two requests for each: at most 200 of the 1,200 that Cloudflare answers a token in five minutes.
TOGETHER_MAX = 10
# A zone that nothing was heard of is looked into again after this, and not only at its next turn.
_AGAIN_AFTER = timedelta(minutes=10)
_REQUEST_ID = "contents"


class ContentWatch:
    """Look into zones of all accounts; one per process, which share the zones of one database."""

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

    async def run(self) -> None:
        """Look into what is due until cancelled."""
        await repeat(self.round, LOOK_EVERY_S, self._transactions.clock, failing="looks into zones put off")

    async def round(self) -> int:
        """Look into the zones that are due now, one after the other; return how many those were.

        Where a provider does not answer, or not for now, the other zones of the credential are left for later as well.
        """
        before = self._transactions.clock.now() - self._every
        claimed = await self._transactions.write(
            self._system, contents.claim, before=before, again_at=before + _AGAIN_AFTER, limit=TOGETHER_MAX
        )
        away: set[int] = set()
        for question in claimed.value:
            if question.credential_id not in away and not await self._look(question):
                away.add(question.credential_id)
        return len(claimed.value)

    async def _look(self, question: Question) -> bool:
        """Look into a zone; return False where its provider did not answer."""
        call = Call(system(question.account_id), _REQUEST_ID)
        try:
            await self._operations.look(call, question.zone_id)
        except Unavailable as error:
            log.info("a look into a zone put off", zone=question.zone_id, reason=error.message)
            return False
        except KeysteadError as error:
            log.info("a zone could not be looked into", zone=question.zone_id, reason=error.message)
        return True
