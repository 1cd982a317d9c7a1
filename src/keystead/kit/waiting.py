"""Waiting for the first or the last of several things, with nothing left running behind.

Used where a wait must also end on a time by a clock that tests can set, or on a change of state, and where what is done
together has to be over as a whole, also when some of it fails.
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from keystead.kit.clock import Clock

T = TypeVar("T")


async def all_of(*waits: Awaitable[T]) -> list[T]:
    """Wait until every one of these has ended and return what they returned; raise the first problem only then."""
    returned: list[T] = []
    for outcome in await asyncio.gather(*waits, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
        returned.append(outcome)
    return returned


async def ended(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel tasks and wait until they have ended, however they do; raise CancelledError only when who waits is."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def first_of(*waits: Coroutine[object, object, object]) -> int:
    """Wait until one of these is done, cancel the others and return its position; raise what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await ended(*tasks)
    position = next(number for number, task in enumerate(tasks) if task in done)
    tasks[position].result()
    return position


async def within(clock: Clock, seconds: float, wait: Coroutine[object, object, object]) -> bool:
    """Wait for something, at most so long by this clock; tell whether it came."""
    return await first_of(wait, clock.sleep(seconds)) == 0


async def either(changed: asyncio.Event, wanted: asyncio.Event | None) -> None:
    """Wait until something has changed or what is wanted, if that can come, has come.

    The events are taken in the step in which the state was looked at, so that no change is missed in between.
    """
    if wanted is None:
        await changed.wait()
    else:
        await first_of(wanted.wait(), changed.wait())
