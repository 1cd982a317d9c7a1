"""The endpoints of zones, domains and records: authenticate, parse, one operation, present.

Not in the document; the original has them, and clients of the document need them (DIALECT.md).
"""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from keystead.dialects.integrations import asking, auth, present, zone_asking, zone_present
from keystead.dialects.integrations import zone_schemas as schemas
from keystead.dialects.integrations.errors import Family, WireError
from keystead.dialects.integrations.schemas import Done
from keystead.dialects.integrations.services import DOMAINS, ZONES, Services
from keystead.dialects.integrations.shown import FAILURES, SECURED
from keystead.http.bodies import answer
from keystead.http.routing import DirectEndpoints
from keystead.kit.errors import Forbidden, Invalid, KeysteadError, StorageFailed, Unauthenticated
from keystead.kit.names import hostname
from keystead.operations.calls import Call
from keystead.operations.domains.records import Action, RecordChange
from keystead.vault import domains, intents, zones
from keystead.vault.domains import Entry

_ZONE = f"{ZONES}/{{ident}}"
_DNS = f"{_ZONE}/dns"
# In which words an endpoint answers failures, by its handler's name.
FAMILIES: Mapping[str, Family] = dict.fromkeys(
    (
        "list_zones",
        "create_zone",
        "get_zone",
        "delete_zone",
        "sync_zones",
        "sync_zone",
        "check_activation",
        "get_settings",
        "change_settings",
        "purge_cache",
        "list_all_domains",
        "create_zones",
        "add_domains",
    ),
    Family.ZONES,
) | dict.fromkeys(("list_records", "create_record", "change_record", "delete_record", "change_records"), Family.RECORDS)


def add_endpoints(routes: DirectEndpoints, services: Services) -> None:
    """Add the endpoints to a router; those without a parameter before those with one."""
    handlers = Handlers(services)

    def add(method: str, path: str, handler: Any, shown: Any, takes: Any = None) -> None:
        routes.add_api_route(
            path,
            handler,
            methods=[method],
            response_model=shown,
            responses=FAILURES,
            openapi_extra=SECURED,
            takes=takes,
            tags=["Zones" if path.startswith(ZONES) else "Domains"],
        )

    add("GET", ZONES, handlers.list_zones, schemas.Zones)
    add("POST", ZONES, handlers.create_zone, schemas.OneZone, schemas.ZoneMake)
    add("POST", f"{ZONES}/sync", handlers.sync_zones, schemas.Synced, schemas.SyncWanted)
    add("GET", _ZONE, handlers.get_zone, schemas.OneZone)
    add("DELETE", _ZONE, handlers.delete_zone, Done)
    add("POST", f"{_ZONE}/sync", handlers.sync_zone, schemas.OneZone)
    add("POST", f"{_ZONE}/check-activation", handlers.check_activation, schemas.OneZone)
    add("GET", _DNS, handlers.list_records, schemas.Records)
    add("POST", _DNS, handlers.create_record, schemas.OneRecord, schemas.Record)
    add("POST", f"{_DNS}/batch", handlers.change_records, schemas.Results, schemas.Batch)
    add("PATCH", f"{_DNS}/{{record}}", handlers.change_record, schemas.OneRecord, schemas.Record)
    add("DELETE", f"{_DNS}/{{record}}", handlers.delete_record, Done)
    add("GET", f"{_ZONE}/settings", handlers.get_settings, schemas.Settings)
    add("PATCH", f"{_ZONE}/settings", handlers.change_settings, schemas.Settings)
    add("POST", f"{_ZONE}/purge-cache", handlers.purge_cache, Done, schemas.Purge)
    add("GET", DOMAINS, handlers.list_all_domains, schemas.Domains)
    add("POST", f"{DOMAINS}/batch", handlers.add_domains, schemas.Results, schemas.DomainsNamed)
    add("POST", f"{DOMAINS}/zones/batch", handlers.create_zones, schemas.Results, schemas.Roots)


class Handlers:
    """One method an endpoint."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._zones = services.vault.zones
        self._records = services.vault.records
        self._domains = services.vault.domains

    async def list_zones(self, request: Request) -> Response:
        """List the account's zones by name; ``status`` and ``key_id`` narrow."""
        call = await self._enter(request, zones.list_)
        found = await self._zones.list_(call)
        status, key = request.query_params.get("status"), request.query_params.get("key_id")
        wanted = [
            one for one in found if (not status or one.status == status) and (not key or str(one.credential_id) == key)
        ]
        return answer(zone_present.zones(wanted))

    async def create_zone(self, request: Request) -> Response:
        """Make a zone; its name servers are in the answer."""
        call = await self._enter(request, zones.record_one)
        found = await asking.body(request)
        with_key = zone_asking.key_id(found)
        try:
            made = await self._zones.create(call, zone_asking.root(found), with_key)
        except Invalid as error:
            raise WireError(_word(error), message=error.message) from None
        return answer(zone_present.zone(made))

    async def create_zones(self, request: Request) -> Response:
        """Make zones for up to ten root domains, and say of each how it went."""
        call = await self._enter(request, zones.record_one)
        found = await asking.body(request)
        wanted, with_key = zone_asking.roots(found), zone_asking.key_id(found)
        return answer(zone_present.roots([await self._root(call, domain, with_key) for domain in wanted]))

    async def get_zone(self, request: Request, ident: str) -> Response:
        """Show a zone as it was last seen."""
        call = await self._enter(request, zones.find)
        return answer(zone_present.zone(await self._zones.find(call, zone_asking.zone_id(ident))))

    async def delete_zone(self, request: Request, ident: str) -> Response:
        """Delete a zone at Cloudflare; its domain stays."""
        call = await self._enter(request, zones.forget)
        await self._zones.remove(call, zone_asking.zone_id(ident))
        return answer(present.done())

    async def sync_zones(self, request: Request) -> Response:
        """Read all zones of one key, or of all keys of Cloudflare."""
        call = await self._enter(request, zones.record)
        wanted = zone_asking.key_id(await asking.body(request, is_optional=True))
        return answer(zone_present.synced(await self._zones.sync(call, wanted)))

    async def sync_zone(self, request: Request, ident: str) -> Response:
        """Look at one zone at Cloudflare."""
        call = await self._enter(request, zones.record_one)
        return answer(zone_present.zone(await self._zones.sync_one(call, zone_asking.zone_id(ident))))

    async def check_activation(self, request: Request, ident: str) -> Response:
        """Let Cloudflare look at a zone's name servers again."""
        call = await self._enter(request, zones.record_one)
        return answer(zone_present.zone(await self._zones.check(call, zone_asking.zone_id(ident))))

    async def list_records(self, request: Request, ident: str) -> Response:
        """List all records of a zone."""
        call = await self._enter(request, intents.put)
        return answer(zone_present.records(await self._records.list_(call, zone_asking.zone_id(ident))))

    async def create_record(self, request: Request, ident: str) -> Response:
        """Make a record."""
        call = await self._enter(request, intents.put)
        zone_id = zone_asking.zone_id(ident)
        wanted = RecordChange(Action.CREATE, record=zone_asking.record(await asking.body(request)))
        return answer(zone_present.record(await self._records.change(call, zone_id, wanted)))

    async def change_record(self, request: Request, ident: str, record: str) -> Response:
        """Change some fields of a record."""
        call = await self._enter(request, intents.put)
        zone_id, record_id = zone_asking.zone_id(ident), zone_asking.record_id(record)
        wanted = RecordChange(Action.UPDATE, record_id, zone_asking.changes(await asking.body(request)))
        return answer(zone_present.record(await self._records.change(call, zone_id, wanted)))

    async def delete_record(self, request: Request, ident: str, record: str) -> Response:
        """Delete a record."""
        call = await self._enter(request, intents.put)
        wanted = RecordChange(Action.DELETE, zone_asking.record_id(record))
        await self._records.change(call, zone_asking.zone_id(ident), wanted)
        return answer(present.done())

    async def change_records(self, request: Request, ident: str) -> Response:
        """Make up to 100 changes of records, and say of each how it went."""
        call = await self._enter(request, intents.put)
        wanted = zone_asking.operations(await asking.body(request))
        outcomes = await self._records.change_many(call, zone_asking.zone_id(ident), wanted)
        return answer(zone_present.batch(outcomes))

    async def get_settings(self, request: Request, ident: str) -> Response:
        """Show a zone's settings."""
        call = await self._enter(request, intents.put)
        return answer(zone_present.settings(await self._zones.settings(call, zone_asking.zone_id(ident))))

    async def change_settings(self, request: Request, ident: str) -> Response:
        """Set some settings, each by itself."""
        call = await self._enter(request, intents.put)
        wanted = zone_asking.settings(await asking.body(request))
        changed = await self._zones.change_settings(call, zone_asking.zone_id(ident), wanted)
        return answer(zone_present.settings_changed(changed))

    async def purge_cache(self, request: Request, ident: str) -> Response:
        """Empty a zone's cache, or take URLs out of it."""
        call = await self._enter(request, intents.put)
        files = zone_asking.files(await asking.body(request, is_optional=True))
        await self._zones.purge(call, zone_asking.zone_id(ident), files)
        return answer(present.done())

    async def list_all_domains(self, request: Request) -> Response:
        """List the account's domains."""
        call = await self._enter(request, zones.list_domains)
        return answer(zone_present.domains(await self._zones.domains(call)))

    async def add_domains(self, request: Request) -> Response:
        """Write up to ten domains down in the account's table, and say of each how it went."""
        call = await self._enter(request, domains.put)
        wanted = zone_asking.domains(await asking.body(request))
        return answer(zone_present.roots([await self._domain(call, name) for name in wanted]))

    async def _domain(self, call: Call, name: str) -> dict[str, Any]:
        """Write one domain of several down; nothing is asked of anybody."""
        try:
            hostname(name)
            written = await self._domains.put(call, [Entry(name)])
        except Invalid as error:
            return zone_present.unreadable(name, "invalid_domain", error)
        return {"domain": name, "ok": True, "added": written.added == 1}

    async def _root(self, call: Call, domain: str, key_id: int | None) -> dict[str, Any]:
        """Make one zone of several; what fails is told of it alone, but not what would fail all of them."""
        try:
            made = await self._zones.create(call, domain, key_id)
        except Invalid as error:
            return zone_present.unreadable(domain, _word(error), error)
        except (Unauthenticated, Forbidden, StorageFailed):
            raise
        except KeysteadError as error:
            return zone_present.root(domain, None, error)
        return zone_present.root(domain, made, None)

    async def _enter(self, request: Request, verb: Callable[..., Any]) -> Call:
        services = self._services
        return await auth.authenticate(request, services.admission, services.transactions, verb)


def _word(error: Invalid) -> str:
    return "key_id_required" if "credential_id" in error.fields else "invalid_domain"
