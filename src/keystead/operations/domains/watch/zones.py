"""Pending zones are looked at again by themselves, until their name servers are where they have to be.

One request shows all pending zones of a credential; those among the due ones that are not pending any more are then
looked at one by one. Cloudflare is asked to look at the name servers itself at every fourth look: it refuses more.
"""

import itertools
from collections.abc import Sequence

from keystead.access.principal import system
from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger
from keystead.kit.loops import repeat
from keystead.operations.calls import Call
from keystead.operations.domains.hosts import Host, ZoneHosts
from keystead.operations.providers.cloudflare_errands import seen_zone
from keystead.operations.transaction import Transactions
from keystead.providers.errors import NotThere, ProviderRejected
from keystead.vault import zones
from keystead.vault.store.zones import PendingZone

log = get_logger()

_LOOK_EVERY_S = 30.0
_TOGETHER_MAX = 500
_ASK_EVERY = 4
_REQUEST_ID = "zones"


class ZoneWatch:
    """Look at pending zones; one per process, which share the zones of one database."""

    def __init__(self, transactions: Transactions, hosts: ZoneHosts, *, account_id: int) -> None:
        self._transactions = transactions
        self._hosts = hosts
        self._system = Call(system(account_id), _REQUEST_ID)

    async def run(self) -> None:
        """Look at what is due until cancelled."""
        await repeat(self.round, _LOOK_EVERY_S, self._transactions.clock, failing="looks at pending zones put off")

    async def round(self) -> int:
        """Look at the zones that are due now; return how many those were."""
        due = (await self._transactions.write(self._system, zones.claim_pending, _TOGETHER_MAX)).value
        by_credential = sorted(due, key=lambda zone: (zone.account_id, zone.credential_id, zone.id))
        for (account_id, credential_id), some in itertools.groupby(
            by_credential, key=lambda zone: (zone.account_id, zone.credential_id)
        ):
            try:
                await self._look(Call(system(account_id), _REQUEST_ID), credential_id, list(some))
            except KeysteadError as error:
                log.info("pending zones could not be looked at", credential=credential_id, reason=error.message)
        return len(due)

    async def _look(self, call: Call, credential_id: int, due: Sequence[PendingZone]) -> None:
        host = await self._hosts.of_credential(call, credential_id)
        pending = {zone.id for zone in await host.client.zones(host.credential.external_id, status=zones.PENDING)}
        for zone in due:
            if zone.remote_id not in pending:
                await self._record(call, host, zone)
            elif zone.checks % _ASK_EVERY == 0:
                await _ask(host, zone)

    async def _record(self, call: Call, host: Host, zone: PendingZone) -> None:
        try:
            seen = seen_zone(await host.client.zone(zone.remote_id))
        except NotThere:
            await self._transactions.write(call, zones.note_gone, zone.id)
            return
        await self._transactions.write(call, zones.record_one, zone.credential_id, seen, "vault.zone.sync")


async def _ask(host: Host, zone: PendingZone) -> None:
    """Ask Cloudflare to look at the name servers; it may say that it did so a moment ago."""
    try:
        await host.client.check_activation(zone.remote_id)
    except ProviderRejected as refusal:
        log.debug("a check of name servers was refused", zone=zone.name, reason=refusal.text)
