"""Who has a zone: the client of its provider, for a read, or for a change that is on record before it is asked for.

Zones are Cloudflare's so far; the next provider of zones is chosen here, by the provider of a zone's credential.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger
from keystead.operations.calls import Call
from keystead.operations.providers.cloudflare_errands import token_of
from keystead.operations.transaction import Transactions
from keystead.operations.vault.credentials import CredentialOperations
from keystead.providers.clients import Clients
from keystead.providers.cloudflare import CLOUDFLARE, Cloudflare
from keystead.providers.errors import ProviderRejected, ProviderUnavailable
from keystead.vault import contents, intents, zones
from keystead.vault.contentvalue import Noted
from keystead.vault.credentialvalue import Credential
from keystead.vault.intents import Change
from keystead.vault.store.zones import Zone

log = get_logger()


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
        return self.changing_at(call, change, zones.subject(name), **facts)

    @asynccontextmanager
    async def changing_at(self, call: Call, change: Change, subject: str, **facts: object) -> AsyncIterator[None]:
        """Do the same for whatever else a change is about, as audit records name it."""
        await self._transactions.write(call, intents.put, change, subject=subject, **facts)
        try:
            yield
        except KeysteadError as error:
            await self._note_failure(call, change, subject, error)
            raise

    async def done(self, call: Call, change: Change, name: str, **facts: object) -> None:
        """Put on record that a change was made which has no rows here."""
        await self.done_at(call, change, zones.subject(name), **facts)

    async def done_at(self, call: Call, change: Change, subject: str, **facts: object) -> None:
        """Do the same for whatever else a change is about, as audit records name it."""
        await self._transactions.write(call, intents.done, change, subject=subject, **facts)

    async def note_records(self, call: Call, host: HostedZone, noted: Noted) -> None:
        """Have what is now in a zone's records taken for right: it was put there by a change made here."""
        await self._transactions.write(call, contents.note_records, host.zone.remote_id, noted)

    async def note_redirects(self, call: Call, host: HostedZone, noted: Noted) -> None:
        """Do the same for redirects."""
        await self._transactions.write(call, contents.note_redirects, host.zone.remote_id, noted)

    async def _note_failure(self, call: Call, change: Change, subject: str, error: KeysteadError) -> None:
        """Put a failure on record; where that fails too, the intent alone says what is not known."""
        may_have_landed, reason = _may_have_landed(error), error.code
        try:
            await self._transactions.write(
                call, intents.failed, change, subject=subject, reason=reason, may_have_landed=may_have_landed
            )
        except KeysteadError as failure:
            log.error("the failure of a change is not on record", change=change.value, reason=failure.message)


def _may_have_landed(error: KeysteadError) -> bool:
    """Tell whether a change may have been made although it failed here: what is not the provider's came after it."""
    if isinstance(error, ProviderUnavailable):
        return error.may_have_landed
    return not isinstance(error, ProviderRejected)
