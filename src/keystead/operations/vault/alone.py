"""Changes that are kept apart: each is made of what is there before it, so that two at once would lose one.

Within a process they queue; over all processes of a database they agree by a lease. A lease that could not be renewed
in time ends the change, for somebody else may have begun by then.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from keystead.kit.errors import KeysteadError, Unavailable
from keystead.kit.log import get_logger
from keystead.kit.waiting import ended
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.vault import leases
from keystead.vault.store.leases import Lease

log = get_logger()

_RENEWED_EVERY_S = 8.0
_ASKED_EVERY_S = 0.5
# Longer than the lease, which a killed process leaves behind.
_PATIENCE_S = leases.LEASE.total_seconds() + 10


class Alone:
    """Keep changes of a place apart."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        # A place is there for as long as somebody changes it or waits for it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def at(self, call: Call, place: str) -> AsyncIterator[None]:
        """Wait for whoever changes a place, and keep others waiting; raise Unavailable when that takes too long."""
        async with self._queued(place):
            lease = await self._taken(call, place)
            try:
                async with self._held(call, lease):
                    yield
            finally:
                await self._give_back(call, lease)

    @asynccontextmanager
    async def _queued(self, place: str) -> AsyncIterator[None]:
        """Wait for who changes a place within this process, as long as for another process."""
        lock = self._locks.get(place)
        if lock is None:
            self._locks[place] = lock = asyncio.Lock()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await lock.acquire()
        except TimeoutError as error:
            raise Unavailable("others are changing the same thing at the provider; ask again later") from error
        try:
            yield
        finally:
            lock.release()

    @asynccontextmanager
    async def _held(self, call: Call, lease: Lease) -> AsyncIterator[None]:
        """Keep a lease for as long as the change goes on; raise Unavailable when it was lost before the end."""
        within = asyncio.timeout(leases.LEASE.total_seconds())
        try:
            async with within:
                keeping = asyncio.create_task(self._keep(call, lease, within))
                try:
                    yield
                finally:
                    await _over(keeping)
        except TimeoutError as error:
            if not within.expired():
                raise
            raise Unavailable("the change took too long, and may have been made; look, then ask again") from error

    async def _taken(self, call: Call, place: str) -> Lease:
        clock = self._transactions.clock
        end_s = clock.monotonic_s() + _PATIENCE_S
        while True:
            lease = (await self._transactions.write(call, leases.take, place)).value
            if lease is not None:
                return lease
            if clock.monotonic_s() >= end_s:
                raise Unavailable("another process is changing the same thing at the provider; ask again later")
            await clock.sleep(_ASKED_EVERY_S)

    async def _keep(self, call: Call, lease: Lease, within: asyncio.Timeout) -> None:
        """Renew the lease, and the time that the change has with it, until it is lost."""
        while True:
            await self._transactions.clock.sleep(_RENEWED_EVERY_S)
            try:
                begun_s = asyncio.get_running_loop().time()
                is_ours = (await self._transactions.write(call, leases.renew, lease)).value
                if within.expired():
                    return  # the change is over, and ends
                within.reschedule(begun_s + leases.LEASE.total_seconds() if is_ours else begun_s)
                if not is_ours:
                    return
            except KeysteadError as error:
                log.warning("lease of a change not prolonged", place=lease.place, reason=error.message)

    async def _give_back(self, call: Call, lease: Lease) -> None:
        try:
            await self._transactions.write(call, leases.give_back, lease)
        except KeysteadError as error:
            log.warning("lease of a change runs out by itself", place=lease.place, reason=error.message)


async def _over(keeping: "asyncio.Task[None]") -> None:
    """End the renewing of a lease; raise what it crashed with, if it did."""
    await ended(keeping)
    if not keeping.cancelled():
        keeping.result()
