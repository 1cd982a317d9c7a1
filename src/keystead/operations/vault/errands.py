"""Carrying out errands at providers: at once for whoever waits for them, and by a loop when they come due.

What an errand of a kind does is a function handed in by the operations that write such errands. An errand that fails
for now is put off, ever longer, and given up after some days; what was given up stays to be seen. Several processes
share the errands of one database by lease.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from keystead.access.principal import system
from keystead.kit.errors import KeysteadError, StorageBusy, StorageFailed, Unavailable
from keystead.kit.log import get_logger
from keystead.kit.loops import repeat
from keystead.kit.secret import Secret
from keystead.kit.waiting import all_of
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.vault import errands
from keystead.vault.errands import Kind
from keystead.vault.store.errands import Errand, Shown

log = get_logger()

# The waits between attempts; the last one goes on until the errand is given up, after three days.
DELAYS_S = (10, 30, 120, 600, 1800, 3600)
ATTEMPTS_MAX = 76
_LOOK_EVERY_S = 2.0
_TOGETHER_MAX = 8
_REQUEST_ID = "errands"


@dataclass(frozen=True)
class Done:
    """An errand that needs nothing more; ``facts`` go on record, ``value`` to whoever waits."""

    facts: Mapping[str, object]
    value: object = None


@dataclass(frozen=True)
class Later:
    """An errand that has to be carried out again: when (None: as after a failure), why, and how far it has come."""

    problem: str | None
    after: timedelta | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Never:
    """An errand that cannot be carried out."""

    problem: str


Outcome = Done | Later | Never
Handler = Callable[[Errand, Secret[str] | None], Awaitable[Outcome]]


class ErrandRunner:
    """Carry out errands; one per process."""

    def __init__(self, transactions: Transactions, *, account_id: int, is_alone: bool) -> None:
        self._transactions = transactions
        self._call = Call(system(account_id), _REQUEST_ID)
        self._begins_anew = is_alone
        self._handlers: dict[str, Handler] = {}

    def on(self, kind: Kind, handler: Handler) -> None:
        """Say what an errand of a kind does."""
        self._handlers[kind.value] = handler

    async def list_(self, call: Call) -> list[Shown]:
        """Return the account's errands: what waits, and what was given up."""
        return await self._transactions.read_many(call, errands.list_)

    async def carry_out(self, errand_id: int) -> Outcome | None:
        """Carry one errand out now, once; return how it went, or None when it is done already or somebody else's.

        What the database refuses to take down is left to the loop.
        """
        try:
            errand = (await self._transactions.write(self._call, errands.claim, errand_id)).value
            return None if errand is None else await self._carry_out(errand)
        except (StorageBusy, StorageFailed) as error:
            log.warning("errand left to the loop", errand=errand_id, reason=error.message)
            return Later(error.message)

    async def run(self) -> None:
        """Carry out what is due until cancelled.

        The only process of its database begins with everything that waits: whoever was about it is gone.
        """
        if self._begins_anew:
            await self._transactions.write(self._call, errands.make_all_due)
            self._begins_anew = False  # what a crash of this loop leaves is our own
        await repeat(self.round, _LOOK_EVERY_S, self._transactions.clock, failing="errands put off")

    async def round(self) -> int:
        """Carry out what is due now; return how many errands that were. One that fails does not leave others behind."""
        due = (await self._transactions.write(self._call, errands.claim_due, _TOGETHER_MAX)).value
        await all_of(*(self._carry_out(errand) for errand in due))
        return len(due)

    async def _carry_out(self, errand: Errand) -> Outcome:
        call = Call(system(errand.account_id), _REQUEST_ID)
        try:
            secret = await self._transactions.read(call, errands.open_secret, errand)
            outcome = await self._handlers[errand.kind](errand, secret)
        except Unavailable as error:
            outcome = Later(error.message, timedelta(seconds=max(error.retry_after_s, _delay_s(errand.attempts))))
        except StorageFailed as error:
            outcome = Later(error.message)
        except KeysteadError as error:
            outcome = Never(error.message)
        if isinstance(outcome, Later) and outcome.problem is not None and errand.attempts >= ATTEMPTS_MAX:
            outcome = Never(outcome.problem)
        await self._write_down(call, errand, outcome)
        return outcome

    async def _write_down(self, call: Call, errand: Errand, outcome: Outcome) -> None:
        write = self._transactions.write
        match outcome:
            case Done(facts):
                await write(call, errands.finish, errand, **facts)
            case Later(problem, after, details):
                wait = after or timedelta(seconds=_delay_s(errand.attempts))
                await write(call, errands.put_off, errand, after=wait, problem=problem, details=details)
                log.info("errand put off", kind=errand.kind, errand=errand.id, reason=problem)
            case Never(problem):
                await write(call, errands.give_up, errand, problem)
                log.warning("errand given up", kind=errand.kind, errand=errand.id, reason=problem)


def _delay_s(attempts: int) -> int:
    return DELAYS_S[min(attempts, len(DELAYS_S)) - 1]
