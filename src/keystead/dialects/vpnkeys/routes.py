"""The vpnkeys wire's endpoints of keys, traffic and status: parse, one operation, present."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from keystead.dialects.vpnkeys import present, schemas
from keystead.dialects.vpnkeys.services import LIMITS, Services
from keystead.dialects.vpnkeys.specification import (
    ALL_KEYS,
    CREATE,
    KEYS,
    ON_CREATE,
    ONE_KEY,
    STATUS,
)
from keystead.http.bodies import answer, parse
from keystead.http.routing import DirectEndpoints
from keystead.kit.page import Page
from keystead.operations.instance import resources
from keystead.vpn import keys, links
from keystead.vpn.keyvalue import parse_ident
from keystead.vpn.placement import Placement
from keystead.vpn.plans import Wish

# The wire has no paging: a list is everything the account has.
EVERYTHING = Page(limit=10_000_000)


def add_status(routes: DirectEndpoints, services: Services) -> None:
    """Add the endpoints that need no credential; on a shared door another wire answers them."""
    add, handlers = routes.add_api_route, StatusHandlers(services)
    add("/", handlers.get_service, response_model=schemas.Service, tags=STATUS)
    add("/api", handlers.get_service, response_model=schemas.Service, tags=STATUS, name="get_api")
    add("/health", handlers.get_health, response_model=schemas.Health, tags=STATUS)


def add_endpoints(routes: DirectEndpoints, services: Services) -> None:
    """Add the endpoints of keys and traffic to a router."""
    add, handlers = routes.add_api_route, Handlers(services)
    add(
        "/api/keys",
        handlers.create_key,
        response_model=schemas.Key,
        responses=ON_CREATE,
        openapi_extra=CREATE,
        tags=KEYS,
        methods=["POST"],
    )
    add("/api/keys", handlers.list_keys, response_model=list[schemas.Key], **ALL_KEYS)
    add("/api/keys/{key_id}", handlers.get_key, response_model=schemas.Key, **ONE_KEY)
    add("/api/keys/{key_id}", handlers.delete_key, response_model=schemas.Deleted, **ONE_KEY, methods=["DELETE"])
    add("/api/keys/{key_id}/config", handlers.get_config, response_model=schemas.Config, **ONE_KEY)
    add("/api/keys/{key_id}/link", handlers.get_link, response_model=schemas.Link, **ONE_KEY)
    add("/api/keys/{key_id}/traffic", handlers.get_traffic, response_model=schemas.Traffic, **ONE_KEY)
    add(
        "/api/keys/{key_id}/traffic/reset",
        handlers.reset_traffic,
        response_model=schemas.TrafficReset,
        **ONE_KEY,
        methods=["POST"],
    )


class StatusHandlers:
    """What strangers may ask."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._began_s = services.clock.monotonic_s()

    async def get_service(self, request: Request) -> Response:
        """Tell that the API works. No credential."""
        return answer(present.service())

    async def get_health(self, request: Request) -> Response:
        """Tell how the service is doing. No credential."""
        services, clock = self._services, self._services.clock
        report, left = await services.health.report(), resources.look(services.data_dir)
        return answer(present.health(report, left, clock.now(), clock.monotonic_s() - self._began_s))


class Handlers:
    """One method an endpoint: authenticate, parse, one operation, present."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._operations = services.operations

    async def create_key(self, request: Request) -> Response:
        """Create a key with a port of its own; it is usable when the answer arrives."""
        call = await self._services.admit(request)
        body = await request.body()
        wanted = parse(body, schemas.KeyCreate, wanted="must be a JSON object with a name")
        await self._services.limits.check(call, "create_key", LIMITS["create_key"])
        wish = None if wanted.plan is None else Wish(wanted.plan)

        async def create() -> bytes:
            made = await self._operations.issue(call, name=wanted.name, placement=Placement.OWN_PORT, wish=wish)
            return orjson.dumps(present.key(made))

        return await self._services.idempotency.once(call, request, body, create, verb=keys.issue, wire="vpnkeys ")

    async def list_keys(self, request: Request) -> Response:
        """List all keys that have a port of their own."""
        call = await self._services.enter(request, "list_keys")
        page = await self._operations.list_(call, placement=Placement.OWN_PORT, page=EVERYTHING)
        return answer([present.key(value) for value in page.keys])

    async def get_key(self, request: Request, key_id: str) -> Response:
        """Show a key."""
        call = await self._services.enter(request, "get_key")
        return answer(present.key(await self._operations.find(call, parse_ident(key_id))))

    async def delete_key(self, request: Request, key_id: str) -> Response:
        """Delete a key and free its port; nothing new can connect with it when the answer arrives."""
        call = await self._services.enter(request, "delete_key")
        await self._operations.revoke(call, parse_ident(key_id))
        return answer(present.deleted())

    async def get_config(self, request: Request, key_id: str) -> Response:
        """Give a key with its VLESS link."""
        call = await self._services.admit(request)
        key, profile = await self._operations.profile(call, parse_ident(key_id))
        return answer(present.config(key, links.vless_link(profile)))

    async def get_link(self, request: Request, key_id: str) -> Response:
        """Give a key's VLESS link under every name that clients read it by."""
        call = await self._services.admit(request)
        key, profile = await self._operations.profile(call, parse_ident(key_id))
        return answer(present.link(key, links.vless_link(profile)))

    async def get_traffic(self, request: Request, key_id: str) -> Response:
        """Show a key's traffic, read from Xray now."""
        call = await self._services.admit(request)
        return answer(present.traffic(await self._operations.usage(call, parse_ident(key_id))))

    async def reset_traffic(self, request: Request, key_id: str) -> Response:
        """Start a key's traffic at zero."""
        call = await self._services.admit(request)
        return answer(present.traffic_reset(await self._operations.reset_traffic(call, parse_ident(key_id))))
