"""The veil wire's endpoints: parse, one operation, present."""

import time
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import Response

from keystead.dialects.veil import present, schemas, subscriptions
from keystead.dialects.veil.specification import (
    ALL_KEYS,
    CREATE,
    KEYS,
    ON_CREATE,
    ON_SUBSCRIPTION,
    ONE_KEY,
    STATUS,
    SUBSCRIPTION,
)
from keystead.http import credentials
from keystead.http.admission import Admission
from keystead.http.bodies import answer, parse
from keystead.http.idempotency import Idempotency
from keystead.http.routing import DirectEndpoints
from keystead.operations.calls import Call
from keystead.operations.instance.health import HealthCheck
from keystead.operations.vpn.keys import VpnOperations
from keystead.vpn import keys, links
from keystead.vpn.keyvalue import parse_ident
from keystead.vpn.placement import Placement
from keystead.vpn.plans import Wish


@dataclass(frozen=True)
class Services:
    """What the handlers call."""

    admission: Admission
    operations: VpnOperations
    idempotency: Idempotency
    health: HealthCheck

    async def admit(self, request: Request) -> Call:
        """Return the authenticated call."""
        return await credentials.authenticate(request, self.admission, headers="Authorization or X-API-Key")


def add_endpoints(routes: DirectEndpoints, services: Services) -> None:
    """Add every endpoint of the wire to a router."""
    add, handlers = routes.add_api_route, Handlers(services)
    add("/", handlers.get_service, response_model=schemas.Service, tags=STATUS)
    add("/api", handlers.get_service, response_model=schemas.Service, tags=STATUS, name="get_api")
    add("/health", handlers.get_health, response_model=schemas.Health, tags=STATUS)
    add(
        "/api/keys",
        handlers.create_key,
        response_model=schemas.Key,
        responses=ON_CREATE,
        openapi_extra=CREATE,
        tags=KEYS,
        methods=["POST"],
    )
    add("/api/keys", handlers.list_keys, response_model=schemas.KeyList, **ALL_KEYS)
    add("/api/keys/uuid/{key_id}", handlers.get_key, response_model=schemas.Key, **ONE_KEY, name="get_key_by_uuid")
    add("/api/keys/{key_id}", handlers.get_key, response_model=schemas.Key, **ONE_KEY)
    add(
        "/api/keys/uuid/{key_id}",
        handlers.delete_key,
        response_model=schemas.Deleted,
        **ONE_KEY,
        name="delete_key_by_uuid",
        methods=["DELETE"],
    )
    add("/api/keys/{key_id}", handlers.delete_key, response_model=schemas.Deleted, **ONE_KEY, methods=["DELETE"])
    add("/api/keys/{key_id}/link", handlers.get_link, response_model=schemas.Link, **ONE_KEY)
    add(
        "/api/keys/uuid/{key_id}/config",
        handlers.get_config,
        response_model=schemas.Config,
        **ONE_KEY,
        name="get_config_by_uuid",
    )
    add("/api/keys/{key_id}/config", handlers.get_config, response_model=schemas.Config, **ONE_KEY)
    add(
        "/api/keys/{key_id}/subscription",
        handlers.get_subscription,
        responses=ON_SUBSCRIPTION,
        openapi_extra=SUBSCRIPTION,
        tags=KEYS,
    )
    add("/api/keys/{key_id}/traffic", handlers.get_traffic, response_model=schemas.Traffic, **ONE_KEY)
    add(
        "/api/keys/{key_id}/traffic/reset",
        handlers.reset_traffic,
        response_model=schemas.TrafficReset,
        **ONE_KEY,
        methods=["POST"],
    )
    add("/api/traffic/sync", handlers.sync_traffic, response_model=schemas.TrafficSync, **ALL_KEYS, methods=["POST"])
    add(
        "/api/system/xray/sync-config",
        handlers.sync_config,
        response_model=schemas.ConfigSync,
        **ALL_KEYS,
        methods=["POST"],
    )


class Handlers:
    """One method an endpoint: authenticate, parse, one operation, present."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._operations = services.operations
        self._idempotency = services.idempotency
        self._health = services.health

    async def get_service(self, request: Request) -> Response:
        """Tell that the API works. No credential."""
        return answer(present.service())

    async def get_health(self, request: Request) -> Response:
        """Tell how the service is doing. No credential."""
        report = await self._health.report()
        return answer({"status": report.status, "service": present.SERVICE, "reasons": report.reasons})

    async def create_key(self, request: Request) -> Response:
        """Create a key; it is usable when the answer arrives."""
        call = await self._services.admit(request)
        body = await request.body()
        wanted = parse(body, schemas.KeyCreate, is_optional=True)
        wish = None if wanted.plan is None else Wish(wanted.plan)

        async def create() -> bytes:
            made = await self._operations.issue(call, name=wanted.name, placement=Placement.SHARED, wish=wish)
            return orjson.dumps(present.key(made))

        return await self._idempotency.once(call, request, body, create, verb=keys.issue)

    async def list_keys(self, request: Request) -> Response:
        """List all keys: the wire has no paging."""
        call = await self._services.admit(request)
        parts = await self._operations.list_made(call, placement=Placement.SHARED, made=present.part_of_list)
        return answer(present.key_list(parts))

    async def get_key(self, request: Request, key_id: str) -> Response:
        """Show a key."""
        call = await self._services.admit(request)
        return answer(present.key(await self._operations.find(call, parse_ident(key_id))))

    async def delete_key(self, request: Request, key_id: str) -> Response:
        """Delete a key; nothing new can connect with it when the answer arrives."""
        call = await self._services.admit(request)
        return answer(present.deleted(await self._operations.revoke(call, parse_ident(key_id))))

    async def get_link(self, request: Request, key_id: str) -> Response:
        """Give a key's VLESS link."""
        call = await self._services.admit(request)
        key, profile = await self._operations.profile(call, parse_ident(key_id))
        return answer(present.link(key, links.vless_link(profile)))

    async def get_config(self, request: Request, key_id: str) -> Response:
        """Give a key's VLESS link under every name that clients read it by."""
        call = await self._services.admit(request)
        key, profile = await self._operations.profile(call, parse_ident(key_id))
        return answer(present.config(key, links.vless_link(profile)))

    async def get_subscription(self, request: Request, key_id: str) -> Response:
        """Give a key's profile as a subscription body."""
        call = await self._services.admit(request)
        _, profile = await self._operations.profile(call, parse_ident(key_id))
        text, media_type = subscriptions.render(request.query_params.get("format", "base64"), profile)
        return Response(text, media_type=media_type, headers={"cache-control": "no-store"})

    async def get_traffic(self, request: Request, key_id: str) -> Response:
        """Show a key's traffic, read from Xray now."""
        call = await self._services.admit(request)
        return answer(present.traffic(await self._operations.usage(call, parse_ident(key_id))))

    async def reset_traffic(self, request: Request, key_id: str) -> Response:
        """Start a key's traffic at zero."""
        call = await self._services.admit(request)
        return answer(present.traffic_reset(await self._operations.reset_traffic(call, parse_ident(key_id))))

    async def sync_traffic(self, request: Request) -> Response:
        """Read the traffic of all active keys from Xray now."""
        call = await self._services.admit(request)
        return answer(present.traffic_sync(await self._operations.sync_traffic(call, placement=Placement.SHARED)))

    async def sync_config(self, request: Request) -> Response:
        """Compare Xray with the database now and repair what differs."""
        call = await self._services.admit(request)
        await self._operations.reconcile(call)
        message = "Xray configuration synchronized successfully"
        return answer({"message": message, "status": "synced", "timestamp": int(time.time())})
