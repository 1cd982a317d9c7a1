"""Writes: what a caller waits for, and the thread that gathers waiting units under one commit to disk.

Used by ``session.py``.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from keystead.db.failures import translated
from keystead.db.prepared import execute
from keystead.kit.errors import StorageBusy

T = TypeVar("T")
Unit = Callable[[Connection], T]

_BATCH_MAX = 64
_QUEUE_MAX = 2000
# How long a unit that nobody waits for may wait for a commit to share.
_PATIENCE_S = 0.03
# With so many that somebody waits for, one more unit in their commit is not noticed; beside a single one it is.
_BUSY_FROM = 2


class Writing(asyncio.Future[T]):
    """The outcome of a write that is not called off; made on the event loop that waits for it."""

    def cancel(self, msg: Any | None = None) -> bool:
        """Refuse; a task that is cancelled meanwhile learns of it when the write is over."""
        return False


async def outcome(writing: "asyncio.Future[T]") -> T:
    """Return what a write ended with, also to a task that was cancelled meanwhile: it is cancelled again.

    Not for use under ``asyncio.timeout``: in Python 3.11 one that runs out meanwhile would cancel what comes after it.
    """
    try:
        return await writing
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or not writing.done():
            raise
        task.uncancel()
        task.cancel()
        return writing.result()


@dataclass
class _Queued:
    unit: Unit[Any]
    future: "asyncio.Future[Any]"
    is_urgent: bool
    since_s: float


_Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


class GroupWriter:
    """A thread that owns the writing connection and gathers waiting units under one commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[_Queued] = deque()
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="db-writer", daemon=True)
        self._thread.start()

    def submit(self, unit: Unit[T], future: "asyncio.Future[T]", *, is_urgent: bool = True) -> "asyncio.Future[T]":
        """Queue a unit and return its future, of the running loop, which ends after the commit."""
        with self._changed:
            if self._is_closing:
                raise StorageBusy("the database is closing; try again")
            if len(self._waiting) >= _QUEUE_MAX:
                raise StorageBusy("too many writes are waiting; try again")
            self._waiting.append(_Queued(unit, future, is_urgent, time.monotonic()))
            if is_urgent:
                self._changed.notify()
        if not is_urgent:  # woken now, the thread would only wait, and keep this one from what it is about to answer
            future.get_loop().call_later(_PATIENCE_S, self._wake)
        return future

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """Finish the queue, end the thread and close its connection."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while batch := self._next_batch():
            if len(batch) > 1 and self._commit_together(batch):
                continue
            for position, queued in enumerate(batch):
                if not self._begin(batch[position:]):
                    break
                self._commit_alone(queued)

    def _begin(self, batch: list[_Queued]) -> bool:
        """Begin a transaction, or fail all that wait for it: each would wait for the same lock as long again."""
        try:
            execute(self._connection, "BEGIN IMMEDIATE")
        except DBAPIError as error:
            _tell_all([(queued.future, None, translated(error)) for queued in batch])
            return False
        return True

    def _next_batch(self) -> list[_Queued]:
        """Wait for units and return those of the next commit, which are none only when the thread is to end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closing)
                self._changed.wait_for(self._is_pressed, self._patience_s())
                batch = self._taken()
                is_ending = self._is_closing and not self._waiting
            batch = [queued for queued in batch if not queued.future.cancelled()]
            if batch or is_ending:
                return batch

    def _is_pressed(self) -> bool:
        return self._is_closing or any(queued.is_urgent for queued in self._waiting)

    def _patience_s(self) -> float:
        """Return how long the oldest unit may still wait; of a unit that somebody waits for it does not matter."""
        return max(0.0, self._waiting[0].since_s + _PATIENCE_S - time.monotonic()) if self._waiting else 0.0

    def _taken(self) -> list[_Queued]:
        """Take the units of the next commit: a single one that somebody waits for does not wait for patient ones."""
        urgent = [queued for queued in self._waiting if queued.is_urgent]
        if 0 < len(urgent) < _BUSY_FROM and self._patience_s() > 0:
            self._waiting = deque(queued for queued in self._waiting if not queued.is_urgent)
            return urgent
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH_MAX))]

    def _commit_together(self, batch: list[_Queued]) -> bool:
        """Run all units under one commit; return False with nothing done when they have to be run one by one."""
        if not self._begin(batch):
            return True
        outcomes: list[_Outcome] = []
        try:
            for queued in batch:
                execute(self._connection, "SAVEPOINT unit")
                outcomes.append(self._run_saved(queued))
                execute(self._connection, "RELEASE unit")
            execute(self._connection, "COMMIT")
        except DBAPIError:
            self._roll_back()
            return False
        _tell_all(outcomes)
        return True

    def _run_saved(self, queued: _Queued) -> _Outcome:
        try:
            return queued.future, queued.unit(self._connection), None
        except DBAPIError:
            raise
        except BaseException as error:  # noqa: BLE001 - carried to the caller's future, unit by unit
            execute(self._connection, "ROLLBACK TO unit")
            return queued.future, None, error

    def _commit_alone(self, queued: _Queued) -> None:
        try:
            value = queued.unit(self._connection)
            execute(self._connection, "COMMIT")
        except DBAPIError as error:
            self._roll_back()
            _tell_all([(queued.future, None, translated(error))])
        except BaseException as error:  # noqa: BLE001 - carried to the caller's future
            self._roll_back()
            _tell_all([(queued.future, None, error)])
        else:
            _tell_all([(queued.future, value, None)])

    def _roll_back(self) -> None:
        """Return to no transaction; SQLite may have rolled back by itself when the disk was full."""
        if getattr(self._connection.connection.dbapi_connection, "in_transaction", False):
            with suppress(DBAPIError):  # the next BEGIN tells whoever waits; this thread must live to say so
                execute(self._connection, "ROLLBACK")


def _tell_all(outcomes: list[_Outcome]) -> None:
    """Wake whoever waits, from the writer's thread: once for all of a commit, when they share an event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for ended in outcomes:
        by_loop.setdefault(ended[0].get_loop(), []).append(ended)
    for loop, theirs in by_loop.items():
        with suppress(RuntimeError):  # a loop that was closed meanwhile has nobody left to wait
            loop.call_soon_threadsafe(_resolve, theirs)


def tell(writing: Writing[Any], ended: "Future[Any]") -> None:
    """Wake whoever waits for a write of a thread pool, from its thread."""
    error = ended.exception()
    outcomes: list[_Outcome] = [(writing, None if error else ended.result(), error)]
    with suppress(RuntimeError):  # as above
        writing.get_loop().call_soon_threadsafe(_resolve, outcomes)


def _resolve(outcomes: list[_Outcome]) -> None:
    for future, value, error in outcomes:
        if future.done():
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
