"""Who has a zone: the client of its provider, for a read, or for a change that is on record before it is asked for.

Zones are Cloudflare's so far; the next provider of zones is chosen here, by the provider of a zone's credential.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from keystead.operations.calls import Call
from keystead.operations.providers.cloudflare_errands import token_of
from keystead.operations.transaction import Transactions
from keystead.operations.vault.changes import ChangeRecords
from keystead.operations.vault.credentials import CredentialOperations
from keystead.providers.clients import Clients
from keystead.providers.cloudflare import CLOUDFLARE, Cloudflare
from keystead.vault import bulklists, contents, zones
from keystead.vault.contentvalue import Entry, Noted
from keystead.vault.credentialvalue import Credential
from keystead.vault.intents import Change
from keystead.vault.store.zones import Zone


@dataclass(frozen=True)
class Host:
    """A provider of zones, as it is reached with one credential."""

    credential: Credential
    client: Cloudflare


@dataclass(frozen=True)
class HostedZone:
    """A zone and who has it."""

    zone: Zone
    client: Cloudflare


class ZoneHosts:
    """Find who has a zone."""

    def __init__(self, transactions: Transactions, clients: Clients, use: CredentialOperations) -> None:
        self._transactions = transactions
        self._clients = clients
        self._use = use
        self._records = ChangeRecords(transactions)

    async def of_credential(self, call: Call, credential_id: int) -> Host:
        """Return the provider that a credential opens; raise CredentialNotFound for one that has no zones."""
        opened = await self._use.use(call, credential_id, CLOUDFLARE.id)
        return Host(opened.credential, self._clients.cloudflare(token_of(opened)))

    async def of_zone(self, call: Call, zone_id: int) -> HostedZone:
        """Return who has a zone of the caller's account; raise ZoneNotFound."""
        zone = await self._transactions.read(call, zones.find, zone_id)
        return HostedZone(zone, (await self.of_credential(call, zone.credential_id)).client)

    def changing(self, call: Call, change: Change, name: str, **facts: object) -> AbstractAsyncContextManager[None]:
        """Put on record that a zone is about to be changed at its provider, and that it failed when it does."""
        return self._records.changing(call, change, zones.subject(name), **facts)

    def changing_at(
        self, call: Call, change: Change, subject: str, **facts: object
    ) -> AbstractAsyncContextManager[None]:
        """Do the same for whatever else a change is about, as audit records name it."""
        return self._records.changing(call, change, subject, **facts)

    async def done(self, call: Call, change: Change, name: str, **facts: object) -> None:
        """Put on record that a change was made which has no rows here."""
        await self._records.done(call, change, zones.subject(name), **facts)

    async def done_at(self, call: Call, change: Change, subject: str, **facts: object) -> None:
        """Do the same for whatever else a change is about, as audit records name it."""
        await self._records.done(call, change, subject, **facts)

    async def note_records(self, call: Call, host: HostedZone, noted: Noted) -> None:
        """Have what is now in a zone's records taken for right: it was put there by a change made here."""
        await self._transactions.write(call, contents.note_records, host.zone.remote_id, noted)

    async def note_redirects(self, call: Call, host: HostedZone, noted: Noted) -> None:
        """Do the same for redirects."""
        await self._transactions.write(call, contents.note_redirects, host.zone.remote_id, noted)

    async def note_list(self, call: Call, host: Host, noted: Noted, *, made: Sequence[Entry] = ()) -> None:
        """Do the same for the bulk redirects of an account; ``made`` is there where it was not before."""
        await self._transactions.write(call, bulklists.note, host.credential.id, noted, made=made)
