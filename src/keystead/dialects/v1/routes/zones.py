"""DNS zones at providers, their settings and caches, and their records."""

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from keystead.dialects.v1 import present
from keystead.dialects.v1 import zone_shapes as shapes
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import ASKED, CHANGED, NUMBER_MAX, READ, Paged
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.operations.domains.records import Action, RecordChange

ZoneId = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
RecordId = Annotated[str, Path(pattern=shapes.RECORD_ID)]
Name = Annotated[str | None, Query(description="Only the zone of this name.")]


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of zones."""
    routes = ValidatedEndpoints(prefix="/v1/zones", tags=["Zones"])
    _add_zones(routes, services)
    _add_looks(routes, services)
    _add_contents(routes, services)
    _add_settings(routes, services)
    return routes


def record_router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of records."""
    routes = ValidatedEndpoints(prefix="/v1/zones/{zone_id}/records", tags=["DNS records"])
    _add_records(routes, services)
    _add_many(routes, services)
    return routes


def _add_zones(routes: ValidatedEndpoints, services: Services) -> None:
    zones = services.vault.zones

    @routes.get("", response_model=shapes.ZoneList, responses=READ)
    async def list_zones(call: Caller, page: Paged, name: Name = None) -> Response:
        """List zones as they were last seen."""
        found = await zones.page(call, page, name)
        return answer(present.numbered([shapes.zone(one) for one in found], page))

    @routes.post("", response_model=shapes.Zone, status_code=201, responses=CHANGED)
    async def create_zone(call: Caller, wanted: shapes.ZoneCreate) -> Response:
        """Make a zone at its provider; one whose answer was lost is found and not made again."""
        return present.created(shapes.zone(await zones.create(call, wanted.name, wanted.credential_id)))

    @routes.get("/{zone_id}", response_model=shapes.Zone, responses=READ)
    async def get_zone(call: Caller, zone_id: ZoneId) -> Response:
        """Show a zone as it was last seen."""
        return answer(shapes.zone(await zones.find(call, zone_id)))

    @routes.delete("/{zone_id}", status_code=204, responses=CHANGED)
    async def delete_zone(call: Caller, zone_id: ZoneId) -> Response:
        """Delete a zone at its provider with its records; its domain stays."""
        await zones.remove(call, zone_id)
        return present.empty()


def _add_looks(routes: ValidatedEndpoints, services: Services) -> None:
    zones = services.vault.zones

    @routes.post("/sync", response_model=shapes.Synced, responses=CHANGED)
    async def sync_zones(call: Caller, wanted: shapes.ZonesSync) -> Response:
        """Read all zones with one credential, or with every active one."""
        return answer(shapes.synced(await zones.sync(call, wanted.credential_id)))

    @routes.post("/{zone_id}/sync", response_model=shapes.Zone, responses=CHANGED)
    async def sync_zone(call: Caller, zone_id: ZoneId) -> Response:
        """Look at one zone at its provider."""
        return answer(shapes.zone(await zones.sync_one(call, zone_id)))

    @routes.post("/{zone_id}/check", response_model=shapes.Zone, responses=CHANGED)
    async def check_zone(call: Caller, zone_id: ZoneId) -> Response:
        """Let the provider look at a zone's name servers again."""
        return answer(shapes.zone(await zones.check(call, zone_id)))


def _add_contents(routes: ValidatedEndpoints, services: Services) -> None:
    contents = services.vault.contents

    @routes.get("/{zone_id}/drift", response_model=shapes.ZoneDrift, responses=READ)
    async def get_zone_drift(call: Caller, zone_id: ZoneId) -> Response:
        """Show how a zone's records and redirects differed from what is right there, when it was last looked into."""
        return answer(shapes.zone_drift(zone_id, await contents.find(call, zone_id)))

    @routes.post("/{zone_id}/compare", response_model=shapes.ZoneDrift, responses=CHANGED)
    async def compare_zone(call: Caller, zone_id: ZoneId) -> Response:
        """Look into a zone now, and show how its records and redirects differ from what is right there."""
        return answer(shapes.zone_drift(zone_id, await contents.compare(call, zone_id)))

    @routes.post("/{zone_id}/accept", response_model=shapes.ZoneDrift, responses=CHANGED)
    async def accept_zone(call: Caller, zone_id: ZoneId) -> Response:
        """Take what a zone holds now for right."""
        return answer(shapes.zone_drift(zone_id, await contents.accept(call, zone_id)))


def _add_settings(routes: ValidatedEndpoints, services: Services) -> None:
    zones = services.vault.zones

    @routes.get("/{zone_id}/settings", response_model=shapes.Settings, responses=ASKED)
    async def get_zone_settings(call: Caller, zone_id: ZoneId) -> Response:
        """Show a zone's settings as its provider has them."""
        return answer(shapes.settings(await zones.settings(call, zone_id)))

    @routes.patch("/{zone_id}/settings", response_model=shapes.SettingsResult, responses=CHANGED)
    async def change_zone_settings(call: Caller, zone_id: ZoneId, wanted: shapes.SettingsUpdate) -> Response:
        """Set some settings, each by itself; refused when all of them are."""
        return answer(shapes.settings_result(await zones.change_settings(call, zone_id, wanted.settings)))

    @routes.post("/{zone_id}/purge", status_code=204, responses=CHANGED)
    async def purge_cache(call: Caller, zone_id: ZoneId, wanted: shapes.CachePurge) -> Response:
        """Empty a zone's cache, or take URLs out of it."""
        await zones.purge(call, zone_id, wanted.files)
        return present.empty()


def _add_records(routes: ValidatedEndpoints, services: Services) -> None:
    records = services.vault.records

    @routes.get("", response_model=shapes.RecordList, responses=ASKED)
    async def list_records(call: Caller, zone_id: ZoneId) -> Response:
        """List all records of a zone as its provider has them."""
        return answer(shapes.records(await records.list_(call, zone_id)))

    @routes.post("", response_model=shapes.Record, status_code=201, responses=CHANGED)
    async def create_record(call: Caller, zone_id: ZoneId, wanted: shapes.RecordCreate) -> Response:
        """Make a record."""
        return present.created(shapes.record(await records.change(call, zone_id, shapes.created(wanted))))

    @routes.patch("/{record_id}", response_model=shapes.Record, responses=CHANGED)
    async def change_record(
        call: Caller, zone_id: ZoneId, record_id: RecordId, changes: shapes.RecordUpdate
    ) -> Response:
        """Change some fields of a record."""
        return answer(shapes.record(await records.change(call, zone_id, shapes.updated(record_id, changes))))

    @routes.delete("/{record_id}", status_code=204, responses=CHANGED)
    async def delete_record(call: Caller, zone_id: ZoneId, record_id: RecordId) -> Response:
        """Delete a record."""
        await records.change(call, zone_id, RecordChange(Action.DELETE, record_id))
        return present.empty()


def _add_many(routes: ValidatedEndpoints, services: Services) -> None:
    records = services.vault.records

    @routes.post("/batch", response_model=shapes.RecordResults, responses=CHANGED)
    async def change_records(call: Caller, zone_id: ZoneId, wanted: shapes.RecordsChange) -> Response:
        """Make many changes as one, or, where that is refused, those that can be made."""
        return answer(shapes.results(await records.change_many(call, zone_id, shapes.changed(wanted))))

    @routes.get("/export", response_model=shapes.ZoneFile, responses=ASKED)
    async def export_records(call: Caller, zone_id: ZoneId) -> Response:
        """Return a zone's records as a zone file."""
        return answer({"zone_file": await records.export(call, zone_id)})

    @routes.post("/import", response_model=shapes.ImportedRecords, responses=CHANGED)
    async def import_records(call: Caller, zone_id: ZoneId, wanted: shapes.ZoneFileImport) -> Response:
        """Add the records of a zone file; those that are there already stay as they are."""
        told = await records.import_(call, zone_id, wanted.zone_file, proxied=wanted.proxied)
        return answer(shapes.imported(told))
