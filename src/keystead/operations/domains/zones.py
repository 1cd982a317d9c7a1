"""Operations on zones, once for all wires: list, create, delete, sync, check, settings and caches.

What a caller reads of zones and domains is what was last seen; what it changes is asked of the provider first, and the
rows here follow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keystead.kit.errors import Invalid, KeysteadError
from keystead.kit.page import Page
from keystead.operations.calls import Call
from keystead.operations.domains.hosts import ZoneHosts
from keystead.operations.providers.cloudflare_errands import CloudflareErrands, seen_zone
from keystead.operations.transaction import Transactions
from keystead.providers import registrable
from keystead.providers.cloudflare import CLOUDFLARE
from keystead.providers.cloudflare_answers import Json
from keystead.providers.errors import NotThere, ProviderRejected, ProviderUnavailable
from keystead.vault import credentials, zones
from keystead.vault.credentialvalue import Status
from keystead.vault.intents import Change
from keystead.vault.store.zones import Domain, Zone


@dataclass(frozen=True)
class SyncFailure:
    """A credential whose zones could not be read, and why."""

    credential_id: int
    error: KeysteadError


@dataclass(frozen=True)
class SyncedAll:
    """What a sync of several credentials took over, and what it could not."""

    zones: int
    domains: int
    foreign: tuple[str, ...]
    failures: tuple[SyncFailure, ...]


@dataclass(frozen=True)
class SettingsChanged:
    """Settings as they are now, and those that were refused."""

    changed: Mapping[str, object]
    refused: Mapping[str, KeysteadError]


class ZoneOperations:
    """What callers may do with zones."""

    def __init__(self, transactions: Transactions, hosts: ZoneHosts, chores: CloudflareErrands) -> None:
        self._transactions = transactions
        self._hosts = hosts
        self._chores = chores

    async def list_(self, call: Call) -> list[Zone]:
        """Return the account's zones by name, as they were last seen."""
        return await self._transactions.read_many(call, zones.list_)

    async def page(self, call: Call, wanted: Page, name: str | None = None) -> list[Zone]:
        """Return a page of the account's zones by id; only those of a name, when one is given."""
        named = None if name is None else registrable.ascii_name(name, field="name")
        return await self._transactions.read_many(call, zones.page, wanted, named)

    async def domains(self, call: Call) -> list[Domain]:
        """Return the account's domains."""
        return await self._transactions.read_many(call, zones.list_domains)

    async def find(self, call: Call, zone_id: int) -> Zone:
        """Return a zone as it was last seen."""
        return await self._transactions.read(call, zones.find, zone_id)

    async def create(self, call: Call, name: str, credential_id: int | None = None) -> Zone:
        """Make a zone with a credential, or with the only one there is; raise AlreadyThere when there is one."""
        wanted = registrable.ascii_name(name)
        used = await self._only(call) if credential_id is None else credential_id
        host = await self._hosts.of_credential(call, used)
        async with self._hosts.changing(call, Change.ZONE_CREATE, wanted, credential=used):
            made = await host.client.create_zone(host.credential.external_id, wanted)
            seen = seen_zone(made)
            return (await self._transactions.write(call, zones.record_one, used, seen, "vault.zone.create")).value

    async def remove(self, call: Call, zone_id: int) -> None:
        """Delete a zone at its provider, and here; its domain stays."""
        host = await self._hosts.of_zone(call, zone_id)
        async with self._hosts.changing(call, Change.ZONE_REMOVE, host.zone.name, remote_id=host.zone.remote_id):
            was_there = await host.client.delete_zone(host.zone.remote_id)
            await self._transactions.write(call, zones.forget, zone_id, was_there=was_there)

    async def sync(self, call: Call, credential_id: int | None = None) -> SyncedAll:
        """Read all zones with one credential, or with every active one there is."""
        if credential_id is not None:
            synced = await self._chores.read_zones(call, credential_id)
            return SyncedAll(synced.zones, synced.domains, synced.foreign, ())
        found = SyncedAll(0, 0, (), ())
        for used in await self._usable(call):
            try:
                one = await self._chores.read_zones(call, used)
            except KeysteadError as error:
                failures = (*found.failures, SyncFailure(used, error))
                found = SyncedAll(found.zones, found.domains, found.foreign, failures)
                continue
            foreign = (*found.foreign, *one.foreign)
            found = SyncedAll(found.zones + one.zones, found.domains + one.domains, foreign, found.failures)
        return found

    async def sync_one(self, call: Call, zone_id: int) -> Zone:
        """Look at one zone at its provider; one that is gone is put on record as missing."""
        host = await self._hosts.of_zone(call, zone_id)
        try:
            seen = seen_zone(await host.client.zone(host.zone.remote_id))
        except NotThere:
            await self._transactions.write(call, zones.note_gone, zone_id)
            return await self.find(call, zone_id)
        used = host.zone.credential_id
        return (await self._transactions.write(call, zones.record_one, used, seen, "vault.zone.sync")).value

    async def check(self, call: Call, zone_id: int) -> Zone:
        """Let the provider look at a zone's name servers again, and return the zone as it is then."""
        host = await self._hosts.of_zone(call, zone_id)
        async with self._hosts.changing(call, Change.ZONE_CHECK, host.zone.name):
            await host.client.check_activation(host.zone.remote_id)
            seen = seen_zone(await host.client.zone(host.zone.remote_id))
            used = host.zone.credential_id
            return (await self._transactions.write(call, zones.record_one, used, seen, "vault.zone.check")).value

    async def settings(self, call: Call, zone_id: int) -> list[Json]:
        """Return a zone's settings as its provider has them."""
        host = await self._hosts.of_zone(call, zone_id)
        return await host.client.settings(host.zone.remote_id)

    async def change_settings(self, call: Call, zone_id: int, wanted: Mapping[str, object]) -> SettingsChanged:
        """Set some settings, each by itself; raise what the first was refused for when none was set.

        Once the provider does not answer, the others are not asked for.
        """
        host = await self._hosts.of_zone(call, zone_id)
        changed: dict[str, object] = {}
        refused: dict[str, KeysteadError] = {}
        silence: ProviderUnavailable | None = None
        async with self._hosts.changing(call, Change.ZONE_SETTINGS, host.zone.name, wanted=dict(wanted)):
            for name, value in wanted.items():
                if silence is not None:
                    refused[name] = silence
                    continue
                try:
                    changed[name] = (await host.client.change_setting(host.zone.remote_id, name, value)).get("value")
                except ProviderRejected as refusal:
                    refused[name] = refusal
                except ProviderUnavailable as failure:
                    refused[name] = silence = failure
            if refused and not changed:
                raise next(iter(refused.values()))
        await self._hosts.done(call, Change.ZONE_SETTINGS, host.zone.name, changed=changed, refused=sorted(refused))
        return SettingsChanged(changed, refused)

    async def purge(self, call: Call, zone_id: int, files: Sequence[str] | None = None) -> None:
        """Empty a zone's cache, or take URLs out of it."""
        host = await self._hosts.of_zone(call, zone_id)
        told: dict[str, object] = {"everything": True} if files is None else {"files": len(files)}
        async with self._hosts.changing(call, Change.ZONE_PURGE, host.zone.name, **told):
            if files is None:
                await host.client.purge_everything(host.zone.remote_id)
            else:
                await host.client.purge_files(host.zone.remote_id, files)
        await self._hosts.done(call, Change.ZONE_PURGE, host.zone.name, **told)

    async def _usable(self, call: Call) -> list[int]:
        """Return the credentials of providers that have zones, the oldest first."""
        now = self._transactions.clock.now()
        found = await self._transactions.read_many(call, credentials.list_, CLOUDFLARE.id)
        return sorted(one.id for one in found if one.status_at(now) is Status.ACTIVE)

    async def _only(self, call: Call) -> int:
        usable = await self._usable(call)
        if len(usable) != 1:
            told = "no Cloudflare account is connected" if not usable else "several Cloudflare accounts are connected"
            raise Invalid(f"{told}; say which key makes the zone", fields={"credential_id": "name a key of Cloudflare"})
        return usable[0]
