"""Cloudflare's zones: listed, made, deleted and checked; their settings, and their caches.

A zone is found by its name among all of its account's: the list's own filter by name is refused by some of Cloudflare's
servers since 2025-02 (dns-lexicon#49).
"""

from collections.abc import Sequence

from keystead.providers import cloudflare_answers as answers
from keystead.providers.cloudflare_answers import Json, RemoteZone
from keystead.providers.cloudflare_calls import Calls

# How many URLs one purge may name on every plan (developers.cloudflare.com/cache/how-to/purge-cache, read 2026-11).
PURGED_FILES_MAX = 30


class Zones(Calls):
    """What is asked about zones."""

    async def zones(self, account_id: str, *, status: str | None = None) -> list[RemoteZone]:
        """Return all zones of an account, of one status if it is named: every page."""
        query = {"account.id": account_id} | ({} if status is None else {"status": status})
        return await self._all("/zones", query, answers.zone)

    async def zone(self, zone_id: str) -> RemoteZone:
        """Return one zone."""
        return answers.zone(await self._get(f"/zones/{zone_id}"))

    async def find_zone(self, account_id: str, name: str) -> RemoteZone | None:
        """Return an account's zone by its name, in ASCII."""
        found = await self._zone_named(account_id, name)
        return None if found is None else answers.zone(found)

    async def create_zone(self, account_id: str, name: str) -> RemoteZone:
        """Make a zone, once; raise AlreadyThere when there is one of this name, in whatever account.

        When no answer comes, the zone is looked for by its name instead of being made again.
        """
        body = {"account": {"id": account_id}, "name": name, "type": "full"}
        made = await self._made(self._change("POST", "/zones", body), lambda: self._zone_named(account_id, name))
        return answers.zone(made)

    async def delete_zone(self, zone_id: str) -> bool:
        """Delete a zone; return False when there is none with this id any more."""
        return await self._delete(f"/zones/{zone_id}")

    async def check_activation(self, zone_id: str) -> None:
        """Ask Cloudflare to look at a zone's name servers again."""
        await self._change("PUT", f"/zones/{zone_id}/activation_check", None)

    async def settings(self, zone_id: str) -> list[Json]:
        """Return all settings of a zone, as Cloudflare writes them."""
        return [dict(one) for one in await self._get(f"/zones/{zone_id}/settings")]

    async def change_setting(self, zone_id: str, setting: str, value: object) -> Json:
        """Set one setting of a zone and return it as it is now."""
        path = f"/zones/{zone_id}/settings/{setting}"
        return dict(await self._set("PATCH", path, {"id": setting, "value": value}))

    async def purge_everything(self, zone_id: str) -> None:
        """Empty a zone's cache."""
        await self._set("POST", f"/zones/{zone_id}/purge_cache", {"purge_everything": True})

    async def purge_files(self, zone_id: str, files: Sequence[str]) -> None:
        """Take URLs out of a zone's cache, in as many requests as needed."""
        for start in range(0, len(files), PURGED_FILES_MAX):
            part = list(files[start : start + PURGED_FILES_MAX])
            await self._set("POST", f"/zones/{zone_id}/purge_cache", {"files": part})

    async def _zone_named(self, account_id: str, name: str) -> Json | None:
        found = await self._all("/zones", {"account.id": account_id}, dict)
        return next((zone for zone in found if str(zone.get("name", "")).lower() == name), None)
