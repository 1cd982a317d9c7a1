"""The watch over domains: has credentials looked at and DNS asked in time, compares what is known, tells people.

A loop of ``main``. What it begins is in rows (looks that are due, domains that were asked about), so that a restart
repeats little, and several processes share the work. Nothing here is waited for by a request.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from keystead.access.principal import system
from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger
from keystead.kit.loops import repeat
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.outgoing.dns import Lookup, ResolverAway
from keystead.vault import alerts, delegations, findings, looks
from keystead.vault.store.delegations import Answer, Question
from keystead.vault.thresholds import Rules

log = get_logger()

LOOK_EVERY_S = 60.0
# Ends come nearer and balances fall without anything being asked.
COMPARE_EVERY_S = 900.0
ASKED_TOGETHER = 100
_AT_ONCE = 16
# A resolver that is away is asked again after this, and not only at the next turn.
_AGAIN_AFTER = timedelta(minutes=10)
_REQUEST_ID = "domains"


@dataclass(frozen=True)
class Rhythm:
    """How often everything is looked at, and what zones hold; when people are told, and whether they get mail."""

    every: timedelta
    rules: Rules
    has_mail: bool = False
    contents_every: timedelta = timedelta(days=1)


class DomainWatch:
    """Watch the domains of all accounts; one per process."""

    def __init__(
        self,
        transactions: Transactions,
        lookup: Lookup,
        rhythm: Rhythm,
        *,
        providers: Sequence[str],
        account_id: int,
        on_mail: Callable[[], None] = lambda: None,
    ) -> None:
        self._transactions = transactions
        self._lookup = lookup
        self._rhythm = rhythm
        self._providers = providers
        self._system = Call(system(account_id), _REQUEST_ID)
        self._on_mail = on_mail
        self._wake = asyncio.Event()
        self._stale: set[int] = set()
        self._next_compare_s = 0.0

    def wake(self, account_id: int) -> None:
        """Take notice that somebody wants domains of an account looked at now."""
        self.note_seen(account_id)
        self._wake.set()

    def note_seen(self, account_id: int) -> None:
        """Take notice that something of an account was seen which may have to be compared."""
        self._stale.add(account_id)

    async def run(self) -> None:
        """Watch until cancelled; what cannot be done now is done at the next round."""
        await repeat(self.round, LOOK_EVERY_S, self._transactions.clock, failing="domains put off", sooner=self._wake)

    async def round(self) -> None:
        """Begin the looks that are due, ask DNS about some domains, and compare when there is news."""
        await self._begin_looks()
        asked = await self._ask_dns()
        is_more_to_ask = asked == ASKED_TOGETHER
        if is_more_to_ask:
            self._wake.set()
        now_s = self._transactions.clock.monotonic_s()
        if now_s >= self._next_compare_s:
            self._stale.update(await self._transactions.read_many(self._system, findings.list_accounts))
            self._next_compare_s = now_s + COMPARE_EVERY_S
            await self._compare_stale()
        elif not is_more_to_ask:
            await self._compare_stale()

    async def _begin_looks(self) -> None:
        due = await self._transactions.read_many(self._system, looks.list_due, self._providers)
        for account_id, credential_id in due:
            call = Call(system(account_id), _REQUEST_ID)
            await self._transactions.write(call, looks.begin, credential_id, every=self._rhythm.every)

    async def _ask_dns(self) -> int:
        """Ask about some domains and write the answers down; return how many it was asked about."""
        now = self._transactions.clock.now()
        before = now - self._rhythm.every
        claimed = await self._transactions.write(
            self._system, delegations.claim, before=before, again_at=before + _AGAIN_AFTER, limit=ASKED_TOGETHER
        )
        wanted = claimed.value
        if not wanted:
            return 0
        self._stale.update(question.account_id for question in wanted)
        limit = asyncio.Semaphore(_AT_ONCE)
        answers = await asyncio.gather(*(self._answer(question, limit) for question in wanted))
        heard = [answer for answer in answers if answer is not None]
        await self._transactions.write(self._system, delegations.record, heard)
        if len(heard) < len(wanted):
            log.warning("DNS did not answer", domains=len(wanted) - len(heard), of=len(wanted))
        return len(wanted)

    async def _answer(self, question: Question, limit: asyncio.Semaphore) -> Answer | None:
        async with limit:
            try:
                found = await self._lookup.delegation(question.name)
            except ResolverAway:
                return None
        return Answer(question.domain_id, found.name_servers, None if found.problem is None else found.problem.value)

    async def _compare_stale(self) -> None:
        """Compare accounts of which there may be news; one that fails stays so for the next round."""
        told = 0
        for account_id in sorted(self._stale):
            self._stale.discard(account_id)  # before: what is seen from now on is compared once more
            try:
                told += await self._compare(account_id)
            except KeysteadError as error:
                self._stale.add(account_id)
                log.warning("domains not compared", account=account_id, reason=error.message)
        if told and self._rhythm.has_mail:
            self._on_mail()

    async def _compare(self, account_id: int) -> int:
        """Compare what is known of an account's domains, and tell of what is news; return to how many by mail."""
        call, rhythm = Call(system(account_id), _REQUEST_ID), self._rhythm
        await self._transactions.write(call, findings.compare)
        return (await self._transactions.write(call, alerts.tell, rhythm.rules, has_mail=rhythm.has_mail)).value
