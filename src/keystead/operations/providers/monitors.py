"""Operations on monitors of HostTracker: list, make and delete them, and tell their states."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from keystead.kit.errors import NotFound
from keystead.kit.ids import Ids
from keystead.operations.calls import Call
from keystead.operations.providers.joined import ProviderOperations
from keystead.operations.transaction import Transactions
from keystead.operations.vault.changes import ChangeRecords
from keystead.providers.hosttracker import CONNECTABLE, HostTracker, Monitor, MonitorWish, counts, is_monitor_id
from keystead.vault import credentials
from keystead.vault.intents import Change

_KEY_BYTES = 16


@dataclass(frozen=True)
class States:
    """Every monitor with its state as it is now, and how many are in each."""

    monitors: list[Monitor]
    counts: dict[str, int]


class MonitorOperations:
    """What callers may do with monitors."""

    def __init__(self, transactions: Transactions, providers: ProviderOperations, ids: Ids) -> None:
        self._records = ChangeRecords(transactions)
        self._providers = providers
        self._ids = ids

    async def list_(self, call: Call, credential_id: int) -> list[Monitor]:
        """Return every monitor of a credential's account."""
        return await (await self._opened(call, credential_id)).monitors()

    async def states(self, call: Call, credential_id: int) -> States:
        """Return the state of every monitor."""
        found = await self.list_(call, credential_id)
        return States(found, counts(found))

    async def create(self, call: Call, credential_id: int, wish: MonitorWish) -> Monitor:
        """Make a monitor; that it is to be made is on record before, and its id after."""
        client = await self._opened(call, credential_id)
        change, subject = Change.MONITOR_CREATE, credentials.subject(credential_id)
        async with self._records.changing(call, change, subject, kind=wish.kind, host=_host(wish.url)):
            made = await client.create_monitor(wish, self._ids.hex(_KEY_BYTES))
        await self._records.done(call, change, subject, monitor=made.id)
        return made

    async def delete(self, call: Call, credential_id: int, monitor_id: str) -> None:
        """Delete a monitor; on record before and after. Raises NotFound for one that is not there."""
        client = await self._opened(call, credential_id)
        if not is_monitor_id(monitor_id):
            raise NotFound("monitor", monitor_id)
        change, subject = Change.MONITOR_DELETE, credentials.subject(credential_id)
        async with self._records.changing(call, change, subject, monitor=monitor_id):
            if not await client.delete_monitor(monitor_id, self._ids.hex(_KEY_BYTES)):
                raise NotFound("monitor", monitor_id)
        await self._records.done(call, change, subject, monitor=monitor_id)

    async def _opened(self, call: Call, credential_id: int) -> HostTracker:
        return await self._providers.opened(call, CONNECTABLE, credential_id)


def _host(url: str) -> str | None:
    """Return what of a monitor's URL goes on record: its host alone, since the rest may hold a password."""
    try:
        return urlsplit(url if "//" in url else f"//{url}").hostname
    except ValueError:
        return None
