"""Settle: wait until a mark is applied, has failed, or the wait is over. No transaction is open meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from keystead.kit.errors import KeysteadError
from keystead.reconcile.marks import Mark


class Outcome(Enum):
    """How a wait ended."""

    SETTLED = "settled"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True)
class Settlement:
    """The outcome for one mark, with the last error the engine gave for its subject."""

    outcome: Outcome
    error: KeysteadError | None = None


# Who asks after the fact asks within milliseconds of the commit; far fewer marks than this are settled meanwhile.
_REMEMBERED_MAX = 4096


class Waiters:
    """Who waits for which subject, and what the engine last said about it.

    A mark may be settled before its committer comes to wait for it, so the last outcomes are remembered.
    """

    def __init__(self) -> None:
        self._settled: dict[str, tuple[int, Settlement]] = {}
        self._futures: dict[str, list[tuple[int, asyncio.Future[Settlement]]]] = defaultdict(list)
        self._errors: dict[str, KeysteadError] = {}

    async def settle(self, marks: Sequence[Mark], timeout_s: float) -> list[Settlement]:
        """Wait until every mark is settled or time is over, and say of each how it ended."""
        waits = [(mark, self.expect(mark)) for mark in marks]
        try:
            await _within([future for _, future in waits], timeout_s)
            return [
                Settlement(Outcome.PENDING, self.last_error(mark.subject)) if _is_open(future) else future.result()
                for mark, future in waits
            ]
        finally:
            for mark, future in waits:
                self.forget(mark, future)

    def expect(self, mark: Mark) -> "asyncio.Future[Settlement]":
        """Return a future that ends when the subject is settled at the mark's generation or later."""
        future: asyncio.Future[Settlement] = asyncio.get_running_loop().create_future()
        generation, settlement = self._settled.get(mark.subject, (-1, None))
        if settlement is not None and generation >= mark.generation:
            future.set_result(settlement)
        else:
            self._futures[mark.subject].append((mark.generation, future))
        return future

    def forget(self, mark: Mark, future: "asyncio.Future[Settlement]") -> None:
        """Stop waiting."""
        left = [pair for pair in self._futures.get(mark.subject, []) if pair[1] is not future]
        if left:
            self._futures[mark.subject] = left
        else:
            self._futures.pop(mark.subject, None)

    def note(self, subject: str, error: KeysteadError) -> None:
        """Remember why a subject is not settled yet, until it is; who waits may come only then."""
        self._errors[subject] = error

    def last_error(self, subject: str) -> KeysteadError | None:
        """Return why a subject is not settled yet, if the engine said."""
        return self._errors.get(subject)

    def resolve(self, subject: str, generation: int, settlement: Settlement) -> None:
        """End the waits for a subject up to a generation."""
        self._errors.pop(subject, None)
        self._remember(subject, generation, settlement)
        remaining = []
        for wanted, future in self._futures.pop(subject, []):
            if wanted > generation:
                remaining.append((wanted, future))
            elif not future.done():
                future.set_result(settlement)
        if remaining:
            self._futures[subject] = remaining

    def _remember(self, subject: str, generation: int, settlement: Settlement) -> None:
        known = self._settled.pop(subject, None)
        newest = known if known is not None and known[0] > generation else (generation, settlement)
        self._settled[subject] = newest
        if len(self._settled) > _REMEMBERED_MAX:
            del self._settled[next(iter(self._settled))]


async def _within(futures: "Sequence[asyncio.Future[Settlement]]", timeout_s: float) -> None:
    """Wait for all, or until time is over; without the task for each that ``asyncio.wait`` takes."""
    if all(future.done() for future in futures):
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            for future in futures:
                await future


def _is_open(future: "asyncio.Future[Settlement]") -> bool:
    """Tell whether nothing was settled: when time is over, the one that is waited for is cancelled."""
    return not future.done() or future.cancelled()
