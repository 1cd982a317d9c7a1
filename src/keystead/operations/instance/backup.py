"""Backups of the running service: put on record, then made in a thread while everything else goes on."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from keystead import __version__
from keystead.access import archive
from keystead.access.archive import Source
from keystead.access.datakeys import RootKey
from keystead.db.session import Database
from keystead.kit.age import Lock
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions


class Backups:
    """Make backups, one at a time: deriving a key from a passphrase takes a quarter of a gigabyte for a moment."""

    def __init__(
        self, transactions: Transactions, database: Database, *, data_dir: Path, load_root: Callable[[], RootKey]
    ) -> None:
        self._transactions = transactions
        self._source = Source(database.engine, data_dir, load_root)
        self._one_at_a_time = asyncio.Lock()

    async def make(self, call: Call, lock: Lock) -> IO[bytes]:
        """Return a finished backup as an unnamed file, at its beginning; the caller closes it."""
        await self._transactions.write(call, archive.record, lock)
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._made, lock)

    def _made(self, lock: Lock) -> IO[bytes]:
        with ExitStack() as failing:
            file = failing.enter_context(tempfile.TemporaryFile(dir=self._source.data_dir))
            archive.make(self._source, lock, file, version=__version__, now=self._transactions.clock.now())
            file.seek(0)
            failing.pop_all()
        return file
