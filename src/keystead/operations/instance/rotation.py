"""The rotation of root key and data keys while everything else goes on; one at a time."""

import asyncio
from collections.abc import Callable, Sequence

from keystead.access import rotation, secrets
from keystead.access.datakeys import RootKey
from keystead.access.rotation import Progress, Rotated, SealedColumn
from keystead.db.session import Database
from keystead.kit.clock import Clock
from keystead.kit.crypto import KeyRing
from keystead.kit.errors import InUse
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions


class SecretsOperations:
    """Rotate the keys of one instance; ``load_root`` reads the root key from where it is kept."""

    def __init__(
        self,
        transactions: Transactions,
        database: Database,
        *,
        load_root: Callable[[], RootKey],
        ring: KeyRing,
        columns: Sequence[SealedColumn],
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._database = database
        self._load_root = load_root
        self._ring = ring
        self._columns = columns
        self._clock = clock
        self._rotating = asyncio.Lock()
        self._progress = Progress()

    async def rotate(self, call: Call) -> Rotated:
        """Rotate, or finish a rotation that was cut; raise InUse while another one runs."""
        if self._rotating.locked():
            raise InUse("a rotation is under way; wait for its end")
        async with self._rotating:
            await self._transactions.write(call, secrets.begin_rotation)
            # Not remembered from before: one that was cut has left another there, and maybe locked everything with it.
            root = await asyncio.to_thread(self._load_root)
            self._progress = Progress()
            done = await rotation.rotate(
                self._database, root, self._ring, self._columns, clock=self._clock, progress=self._progress
            )
            await self._transactions.write(call, secrets.end_rotation, done)
            return done

    async def progress(self, call: Call) -> tuple[bool, Progress]:
        """Return whether a rotation runs in this process, and how far it is, or the last one came."""
        await self._transactions.check(call, secrets.begin_rotation)
        return self._rotating.locked(), self._progress
