"""Exports of the running service: put on record, then written in a thread while everything else goes on."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import IO

from keystead.db import dump
from keystead.db.session import Database
from keystead.importing import writing
from keystead.importing.document import Head
from keystead.kit.age import Lock
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.vpn import exporting
from keystead.vpn.exporting import Extent
from keystead.vpn.portable import PortableKey

Progress = Callable[[str], None]
_TOLD_EVERY = 1000


class Exports:
    """Make exports, one at a time: deriving a key from a passphrase takes a quarter of a gigabyte for a moment."""

    def __init__(self, transactions: Transactions, database: Database, *, data_dir: Path) -> None:
        self._transactions = transactions
        self._database = database
        self._data_dir = data_dir
        self._one_at_a_time = asyncio.Lock()

    async def make(self, call: Call, lock: Lock | None) -> IO[bytes]:
        """Return a finished document as an unnamed file, at its beginning; the caller closes it."""
        if lock is None:
            recorded = await self._transactions.write(call, exporting.record)
        else:
            recorded = await self._transactions.write(call, exporting.record_with_secrets, lock)
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._made, recorded.value, lock)

    def _made(self, extent: Extent, lock: Lock | None) -> IO[bytes]:
        with ExitStack() as failing:
            file = failing.enter_context(tempfile.TemporaryFile(dir=self._data_dir))
            now = self._transactions.clock.now()
            write(self._database, extent, file, lock=lock, now=now)
            file.seek(0)
            failing.pop_all()
        return file


def write(
    database: Database,
    extent: Extent,
    target: IO[bytes],
    *,
    lock: Lock | None,
    now: datetime,
    progress: Progress = lambda _: None,
) -> int:
    """Write what an extent reads at one moment; return how many keys it is. Nobody who writes waits for it."""
    with dump.snapshot(database.engine) as connection:
        total = exporting.count(connection, extent)
        head = Head(
            now,
            exporting.public_host_of(connection),
            exporting.inbounds_of(connection, extent),
            exporting.plans_of(connection, extent),
        )

        def told() -> Iterator[PortableKey]:
            for number, key in enumerate(exporting.keys_of(connection, extent)):
                if number % _TOLD_EVERY == 0:
                    progress(f"{number:,} of {total:,} keys")
                yield key

        return writing.write(target, head, told(), lock=lock)
