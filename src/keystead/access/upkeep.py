"""What access does in the background: seal the audit trail, note when tokens were used, drop what is old."""

import asyncio
from functools import partial
from pathlib import Path

from keystead.access import idempotency, seal
from keystead.access.gate import FLUSH_EVERY_S, TokenDoor
from keystead.access.signin import purging
from keystead.db.session import Database
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger
from keystead.kit.secret import Secret

log = get_logger()

SEAL_EVERY_S = 1.0
_PURGE_EVERY_S = 3600.0


class Upkeep:
    """The background work of access; one per database."""

    def __init__(
        self, database: Database, gate: TokenDoor, clock: Clock, *, audit_key: Secret[bytes], data_dir: Path
    ) -> None:
        self._database = database
        self._gate = gate
        self._clock = clock
        self._audit_key = audit_key
        self._data_dir = data_dir

    async def run(self) -> None:
        """Work until cancelled; a failing round is logged and tried again."""
        next_flush = next_purge = 0.0
        while True:
            now_s = self._clock.monotonic_s()
            try:
                await self.seal()
                if now_s >= next_flush:
                    next_flush = now_s + FLUSH_EVERY_S
                    await self._gate.flush_last_used(self._database)
                if now_s >= next_purge:
                    next_purge = now_s + _PURGE_EVERY_S
                    await self._purge()
            except (KeysteadError, OSError) as error:  # the head is a file of its own, on a disk that may be full
                log.warning("upkeep put off", reason=str(error))
            await self._clock.sleep(SEAL_EVERY_S)

    async def _purge(self) -> None:
        now = self._clock.now()
        await self._database.write(lambda connection: idempotency.purge(connection, now))
        await self._database.write(lambda connection: purging.purge(connection, now))

    async def finish(self) -> None:
        """Seal and note what is left, before closing; what cannot be done now is done after the next start."""
        try:
            await self.seal()
            await self._gate.flush_last_used(self._database)
        except (KeysteadError, OSError) as error:
            log.warning("upkeep left to the next start", reason=str(error))

    async def seal(self) -> None:
        """Seal every unsealed record and keep the head outside the database."""
        while await self._database.read(seal.has_unsealed):
            known = await asyncio.to_thread(seal.read_head, self._data_dir)
            head = await self._database.write(partial(seal.seal_batch, key=self._audit_key, head=known))
            if head is None:
                return
            await asyncio.to_thread(seal.write_head, self._data_dir, head)
