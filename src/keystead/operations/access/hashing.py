"""Passwords, hashed and compared beside the event loop: two at a time, and no endless queue.

Each takes tens of milliseconds of a processor and 19 MiB by design, so that strangers who send many are told to wait
instead of being served after everybody else has given up.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from keystead.access import passwords
from keystead.access.passwords import PasswordHash
from keystead.kit.errors import Unavailable
from keystead.kit.secret import Secret

T = TypeVar("T")

_AT_ONCE = 2
_WAITING_MAX = 20
_RETRY_AFTER_S = 2


class PasswordHashing:
    """A small pool of threads for passwords."""

    def __init__(self, *, waiting_max: int = _WAITING_MAX) -> None:
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")
        self._waiting_max = waiting_max
        self._waiting = 0

    async def hash(self, password: Secret[str]) -> PasswordHash:
        """Return the hash to store; raise Invalid for a password too short, and Unavailable when too many wait."""
        return await self._run(lambda: passwords.hash_password(password))

    async def is_right(self, password: Secret[str], stored: PasswordHash | None) -> bool:
        """Tell whether a password matches its stored hash; None, for an unknown login, takes the same time."""
        return await self._run(lambda: passwords.is_right(password, stored))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._waiting_max:
            raise Unavailable("too many are signing in at this moment; try again", retry_after_s=_RETRY_AFTER_S)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1
