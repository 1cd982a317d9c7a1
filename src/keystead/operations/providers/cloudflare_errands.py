"""Errands at Cloudflare: sweep what a cut connection left, retire superfluous tokens, read zones."""

import json
from collections.abc import Mapping, Set
from datetime import datetime
from enum import StrEnum
from typing import Any

from keystead.access.principal import system
from keystead.kit.ids import Ids
from keystead.kit.secret import Secret
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.operations.vault.credentials import CredentialOperations
from keystead.operations.vault.errands import Done, ErrandRunner, Later, Never, Outcome
from keystead.providers.clients import Clients
from keystead.providers.cloudflare import CLOUDFLARE, Cloudflare
from keystead.providers.cloudflare_answers import RemoteZone
from keystead.providers.errors import ProviderRejected, SecretRefused
from keystead.vault import connecting, credentials, zones
from keystead.vault.connecting import LATE
from keystead.vault.credentials import Opened
from keystead.vault.errands import Kind
from keystead.vault.store.errands import Errand
from keystead.vault.zones import SeenZone, Synced

_REQUEST_ID = "errands"
_ZONE_STATUSES = {"active": "active", "pending": "pending", "initializing": "pending"}
_ZONE_STATUS_OF_OTHERS = "error"


class Left(StrEnum):
    """What is still at the provider after a connection, for people and programs."""

    FORMER = "old_token_not_deleted"
    BOOTSTRAP = "bootstrap_not_deleted"
    # In another account, where nothing of ours may delete anything.
    TOKEN_ELSEWHERE = "old_token_left_in_other_account"  # noqa: S105 - a word of the wire


class CloudflareErrands:
    """What errands of Cloudflare do."""

    def __init__(
        self, transactions: Transactions, clients: Clients, use: CredentialOperations, runner: ErrandRunner, ids: Ids
    ) -> None:
        self._transactions = transactions
        self._clients = clients
        self._use = use
        self.ids = ids
        runner.on(Kind.SWEEP, self.sweep)
        runner.on(Kind.RETIRE, self.retire)
        runner.on(Kind.SYNC, self.sync)

    async def sweep(self, errand: Errand, bootstrap: Secret[str] | None) -> Outcome:
        """Delete the token that a cut connection may have left, and give its reservation back.

        One that was not there is looked for once more after a while: what was lost on the way may arrive late.
        """
        assert bootstrap is not None  # noqa: S101 - a sweep always has it
        details = errand.details
        client = self._clients.cloudflare(bootstrap)
        ours = await self._transactions.read_many(self._call(errand), credentials.list_, CLOUDFLARE.id)
        try:
            swept = await _sweep(client, details, spared={str(one.scope.get("cf_token_id")) for one in ours})
        except ProviderRejected as refusal:
            await self._release(errand)
            return Never(
                f"a token named {details['token_name']} may be left in account {details['external_id']}: "
                f"{refusal.message}"
            )
        await self._release(errand)
        if not swept and not details.get("has_looked"):
            return Later(None, LATE, {**details, "has_looked": True})
        return Done({"deleted": swept})

    async def retire(self, errand: Errand, bootstrap: Secret[str] | None) -> Outcome:
        """Delete superfluous tokens in their order; the last one is the one that deletes."""
        assert bootstrap is not None  # noqa: S101 - a retirement always has it
        account_id = errand.details["external_id"]
        client = self._clients.cloudflare(bootstrap)
        waiting = list(errand.details["tokens"])
        kept = [token for token in waiting if not await _deleted(client, account_id, token)]
        if not kept:
            return Done({"deleted": [token["id"] for token in waiting]})
        names = ", ".join(f"{token['id']} ({token['what']})" for token in kept)
        return Never(f"the bootstrap token may not delete {names}")

    async def sync(self, errand: Errand, _: Secret[str] | None) -> Outcome:
        """Read all zones of a new credential."""
        assert errand.credential_id is not None  # noqa: S101 - a sync always has it
        call = self._call(errand)
        synced = await self.read_zones(call, errand.credential_id)
        return Done({"zones": synced.zones, "domains": synced.domains}, synced)

    async def read_zones(self, call: Call, credential_id: int) -> Synced:
        """Read all zones with a credential and take them over."""
        opened = await self._use.use(call, credential_id, CLOUDFLARE.id)
        remote = await self._clients.cloudflare(token_of(opened)).zones(opened.credential.external_id)
        seen = [seen_zone(zone) for zone in remote]
        return (await self._transactions.write(call, zones.record, credential_id, seen)).value

    def left_by(self, outcome: Outcome | None, retire: Mapping[str, Any]) -> tuple[Left, ...]:
        """Return what a retirement has not deleted yet; somebody else may be about it."""
        if outcome is None or isinstance(outcome, Done):
            return ()
        return tuple(Left(token["what"]) for token in retire["tokens"])

    async def _release(self, errand: Errand) -> None:
        if errand.credential_id is not None:
            reservation = str(errand.details["reservation"])
            await self._transactions.write(self._call(errand), connecting.release, errand.credential_id, reservation)

    @staticmethod
    def _call(errand: Errand) -> Call:
        return Call(system(errand.account_id), _REQUEST_ID)


def token_of(opened: Opened) -> Secret[str]:
    """Return the token that a credential's secret holds."""
    return Secret(str(json.loads(opened.secret.reveal())["token"]))


def seen_zone(zone: RemoteZone) -> SeenZone:
    """Return a zone as the vault keeps it."""
    status = _ZONE_STATUSES.get(zone.status, _ZONE_STATUS_OF_OTHERS)
    return SeenZone(zone.id, zone.name, status, zone.plan, zone.name_servers, zone.is_phishing)


async def _sweep(client: Cloudflare, details: Mapping[str, Any], *, spared: Set[str]) -> list[str]:
    """Delete every token that is the one described and that no credential holds; return their ids."""
    wanted = (details["token_name"], _moment(details["not_before"]), _moment(details["expires_on"]))
    account_id, owner = details["external_id"], details["owner"]
    found = [
        token.id
        for token in await client.tokens(account_id, owner)
        if (token.name, token.not_before, token.expires_on) == wanted and token.id not in spared
    ]
    for token_id in found:
        await client.delete_token(account_id, token_id, owner)
    return found


async def _deleted(client: Cloudflare, account_id: str, token: Mapping[str, str]) -> bool:
    """Delete a token; return False when that is not allowed. A bootstrap that is not known any more is gone itself."""
    try:
        await client.delete_token(account_id, token["id"], token["owner"])
    except SecretRefused:
        if token["what"] != Left.BOOTSTRAP:
            return False
        try:
            await client.verify_as(account_id, token["owner"])
        except SecretRefused:
            return True
        return False
    except ProviderRejected:
        return False
    return True


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
