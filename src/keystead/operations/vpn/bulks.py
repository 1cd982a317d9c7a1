"""Operations on bulks: plan, start, look, cancel, hand over; and the handler that carries the job of one out.

What a bulk has committed is carried through: while an engine is away the bulk waits for it. A key that is created and
refused by its engine for good is taken back and named with the reason.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from keystead.access import principal
from keystead.jobs.store import Job
from keystead.kit.page import Page
from keystead.kit.waiting import ended
from keystead.operations.calls import Call
from keystead.operations.transaction import Committed, Transactions
from keystead.reconcile.marks import Mark
from keystead.reconcile.settle import Outcome
from keystead.vpn import bulkparts, bulks
from keystead.vpn.bulkparts import Means, Part
from keystead.vpn.bulks import Bulk, Handed
from keystead.vpn.bulkvalue import BulkPlan, Order
from keystead.vpn.enforcing import Figures
from keystead.vpn.ports import PortPool
from keystead.vpn.store.bulks import Item
from keystead.vpn.targets import TargetWatch

T = TypeVar("T")

EXAMINED_TIMEOUT_S = 15.0
COMPARISON_TIMEOUT_S = 15.0
# The engine is waited for again and again: this is only how often the marks are looked at anew.
_SETTLE_S = 30.0
_HANDED_TOGETHER = 500


@dataclass(frozen=True)
class BulkPlace:
    """What bulks are carried out with: the scope, the pool of ports, how long former places go on, the public host."""

    scope: str
    pool: PortPool
    grace_s: int
    public_host: str


class BulkOperations:
    """What callers may do with bulks; ``on_started`` is told that there is a job to be done."""

    def __init__(
        self,
        transactions: Transactions,
        figures: Figures,
        targets: TargetWatch,
        place: BulkPlace,
        *,
        on_started: Callable[[], None],
    ) -> None:
        self._transactions = transactions
        self._figures = figures
        self._targets = targets
        self._place = place
        self._on_started = on_started

    async def plan(self, call: Call, order: Order) -> BulkPlan:
        """Return what an order would do now."""
        told = self._transactions
        return await told.read_many(call, bulks.plan, order=order, pool=self._place.pool, is_applied=told.is_applied)

    async def start(self, call: Call, order: Order, *, digest: str | None) -> Bulk:
        """Begin to carry a plan out; it goes on by itself, also when Keystead is started anew."""
        told, pool = self._transactions, self._place.pool
        wanted = {"order": order, "digest": digest, "pool": pool, "is_applied": told.is_applied}
        committed: Committed[Bulk] = await told.write(call, bulks.start, **wanted)  # type: ignore[arg-type]
        self._on_started()
        return committed.value

    async def list_(self, call: Call, page: Page) -> Sequence[Job]:
        """Return bulks, the newest first."""
        return await self._transactions.read_many(call, bulks.list_, page=page)

    async def find(self, call: Call, number: int) -> Bulk:
        """Return how a bulk stands."""
        return await self._transactions.read_many(call, bulks.find, number=number)

    async def pause(self, call: Call, number: int) -> Bulk:
        """Have nothing more done for now."""
        return (await self._transactions.write(call, bulks.pause, number=number)).value

    async def go_on(self, call: Call, number: int) -> Bulk:
        """Go on with a bulk that was paused."""
        bulk = (await self._transactions.write(call, bulks.go_on, number=number)).value
        self._on_started()
        return bulk

    async def cancel(self, call: Call, number: int) -> Bulk:
        """End a bulk where it is."""
        return (await self._transactions.write(call, bulks.cancel, number=number)).value

    async def results(self, call: Call, number: int, *, outcome: str | None, page: Page) -> Sequence[Item]:
        """Return what was done to which key."""
        return await self._transactions.read_many(call, bulks.results, number=number, outcome=outcome, page=page)

    async def hand_over(self, call: Call, number: int, made: Callable[[Sequence[Handed]], T]) -> Sequence[T]:
        """Return what is made of the keys of a bulk and their profiles, some hundreds at a time."""
        told, place = self._transactions, self._place
        total = (await self.find(call, number)).job.total
        return [
            made(
                await told.read_many(
                    call,
                    bulks.hand_over,
                    number=number,
                    begin=begin,
                    end=begin + _HANDED_TOGETHER,
                    public_host=place.public_host,
                    is_applied=told.is_applied,
                )
            )
            for begin in range(0, max(total, 1), _HANDED_TOGETHER)
        ]

    async def carry_out(self, job: Job) -> None:
        """Do the job of a bulk, part by part; a part is brought to its engine while the next one is written."""
        call = Call(principal.from_data(job.account_id, job.caller), f"bulk-{job.number}")
        settling: asyncio.Task[None] | None = None
        try:
            if job.attempts > 1:
                await self._take_up(call, job)
            is_over = False
            while not is_over:
                means = await self._means(job)
                committed = await self._transactions.write(call, bulkparts.go_on, job=job, means=means)
                if settling is not None:
                    await settling
                settling = asyncio.create_task(self._settle(call, job, _Open.of(committed)))
                is_over = committed.value.is_over
            if settling is not None:
                await settling
        finally:
            if settling is not None:
                await ended(settling)

    async def _take_up(self, call: Call, job: Job) -> None:
        """Bring to the engine what an earlier process may not have brought there, before anything else is done."""
        await self._transactions.reconcile(self._place.scope, COMPARISON_TIMEOUT_S)
        committed = await self._transactions.write(call, bulkparts.take_up, job=job)
        await self._settle(call, job, _Open.of(committed))

    async def _means(self, job: Job) -> Means:
        told, place = self._transactions, self._place
        means = Means(place.pool, place.grace_s, told.is_applied, told.is_gone, self._figures.live)
        if job.request["creation"] is None:
            return means
        return replace(means, target_problem=await self._targets.when_examined(EXAMINED_TIMEOUT_S))

    async def _settle(self, call: Call, job: Job, opened: "_Open") -> None:
        """Wait until everything that was marked is in force; take back what the engine refuses for good."""
        marks = opened.marks
        while marks:
            settlements = await self._transactions.settle_each(marks, _SETTLE_S)
            refused = {
                opened.created[mark.subject]: "the engine refused it" if ended.error is None else ended.error.message
                for mark, ended in zip(marks, settlements, strict=True)
                if ended.outcome is Outcome.FAILED and mark.subject in opened.created
            }
            if refused:
                system = Call(principal.system(job.account_id), call.request_id)
                await self._transactions.write(system, bulkparts.take_back, job=job, refused=refused)
            marks = [mark for mark, ended in zip(marks, settlements, strict=True) if ended.outcome is Outcome.PENDING]


@dataclass(frozen=True)
class _Open:
    """What a part marked and is not known to be in force, and the positions of keys that it created, by label."""

    marks: Sequence[Mark]
    created: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, committed: Committed[Part]) -> "_Open":
        return cls(committed.marks, committed.value.created)
