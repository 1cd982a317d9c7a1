"""What the domains of a move share while it is carried out: clients, what was seen at providers, and their limits.

Everything here is forgotten with the process, and found out anew. A list of zones that is old enough to miss something
is read again, once for all who ask.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from keystead.kit.clock import Clock
from keystead.operations.calls import Call
from keystead.operations.domains.hosts import ZoneHosts
from keystead.operations.domains.registrars import RegistrarOperations
from keystead.providers.cloudflare import Cloudflare
from keystead.providers.cloudflare_answers import Json, RemoteZone
from keystead.providers.cloudflare_calls import PAGE_SIZE
from keystead.providers.registrar import Registrar
from keystead.vault.errors import CredentialNotFound

T = TypeVar("T")

# A credential that is revoked meanwhile is used no longer than this.
_OPENED_FOR_S = 30.0
# Records of a source are copied as they were when the first domain asked for them.
_SOURCE_FOR_S = 300.0
# Whoever waits for zones reads all of an account's, a request a page: the more pages, the longer a list is good enough.
# One in two seconds is an eighth of what Cloudflare takes.
_STATUSES_FOR_S = 5.0
_PAGE_S = 2.0


@dataclass(frozen=True)
class Access:
    """A client of Cloudflare and the account that it is for."""

    client: Cloudflare
    account_id: str


class Openings:
    """Make clients of credentials."""

    def __init__(self, hosts: ZoneHosts, registrars: RegistrarOperations) -> None:
        self._hosts = hosts
        self._registrars = registrars

    @property
    def registrar_providers(self) -> frozenset[str]:
        """Return the providers that are registrars."""
        return frozenset(self._registrars.providers)

    async def cloudflare(self, call: Call, credential_id: int) -> Access:
        """Open a credential of Cloudflare."""
        host = await self._hosts.of_credential(call, credential_id)
        return Access(host.client, host.credential.external_id)

    async def registrar(self, call: Call, credential_id: int) -> Registrar:
        """Open a credential of a registrar."""
        return await self._registrars.of_credential(call, credential_id)


@dataclass
class _Kept:
    value: Any
    at_s: float


# The zones of an account as somebody who waits for them saw them last, by credential.
Statuses = dict[int, _Kept]


@dataclass
class Desk:
    """One run of a job; ``statuses`` outlive it, for a job that waits is run again and again."""

    call: Call
    openings: Openings
    clock: Clock
    statuses: Statuses = field(default_factory=dict)
    _kept: dict[object, _Kept] = field(default_factory=dict)
    _locks: dict[object, asyncio.Lock] = field(default_factory=dict)

    async def cloudflare(self, credential_id: int | None) -> Access:
        """Return the client of a credential."""
        ident = _known(credential_id)
        return await self._shared(
            ("cloudflare", ident), _OPENED_FOR_S, lambda: self.openings.cloudflare(self.call, ident)
        )

    async def registrar(self, credential_id: int | None) -> Registrar:
        """Return the client of a registrar's credential."""
        ident = _known(credential_id)
        return await self._shared(
            ("registrar", ident), _OPENED_FOR_S, lambda: self.openings.registrar(self.call, ident)
        )

    async def zones(self, credential_id: int | None, *, age_max_s: float) -> Mapping[str, RemoteZone]:
        """Return the zones of a credential's account by name, as they were at most so long ago."""
        access = await self.cloudflare(credential_id)
        return await self._shared(("zones", credential_id), age_max_s, lambda: _listed(access))

    async def zones_waited_for(self, credential_id: int | None) -> Mapping[str, RemoteZone]:
        """Return the zones of a credential's account by name, as new as their number allows."""
        ident = _known(credential_id)
        access = await self.cloudflare(ident)
        async with self._locks.setdefault(("statuses", ident), asyncio.Lock()):
            now_s = self.clock.monotonic_s()
            kept = self.statuses.get(ident)
            if kept is None or now_s - kept.at_s > max(_STATUSES_FOR_S, len(kept.value) / PAGE_SIZE * _PAGE_S):
                kept = self.statuses[ident] = _Kept(await _listed(access), now_s)
            zones: Mapping[str, RemoteZone] = kept.value
            return zones

    def forget_zones(self, credential_id: int | None) -> None:
        """Have the list of zones read again by who asks next."""
        self._kept.pop(("zones", credential_id), None)

    def note_zone(self, credential_id: int | None, zone: RemoteZone) -> None:
        """Add a zone that was made to the lists that are kept."""
        for kept in (self._kept.get(("zones", credential_id)), self.statuses.get(_known(credential_id))):
            if kept is not None:
                kept.value[zone.name] = zone

    async def records(self, credential_id: int | None, zone_id: str) -> list[Json]:
        """Return the records of a zone that others are copied from."""
        access = await self.cloudflare(credential_id)
        return await self._shared(("records", zone_id), _SOURCE_FOR_S, lambda: access.client.records(zone_id))

    async def _shared(self, key: object, age_max_s: float, make: Callable[[], Awaitable[T]]) -> T:
        async with self._locks.setdefault(key, asyncio.Lock()):
            now_s = self.clock.monotonic_s()
            kept = self._kept.get(key)
            if kept is None or now_s - kept.at_s > age_max_s:
                kept = self._kept[key] = _Kept(await make(), now_s)
            value: T = kept.value
            return value


async def _listed(access: Access) -> dict[str, RemoteZone]:
    return {zone.name: zone for zone in await access.client.zones(access.account_id)}


def _known(credential_id: int | None) -> int:
    if credential_id is None:
        raise CredentialNotFound("that was named")
    return credential_id
