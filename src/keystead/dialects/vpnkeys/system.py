"""The vpnkeys wire's endpoints below ``/api/system/``: each looks at the engine or repairs it, none only says so."""

from starlette.requests import Request
from starlette.responses import Response

from keystead.dialects.vpnkeys import overviews, schemas
from keystead.dialects.vpnkeys.overviews import done, stamped
from keystead.dialects.vpnkeys.services import Services
from keystead.dialects.vpnkeys.specification import ALL_SYSTEM
from keystead.http.bodies import answer
from keystead.http.routing import DirectEndpoints

PREFIX = "/api/system"


def add_endpoints(routes: DirectEndpoints, services: Services) -> None:
    """Add the endpoints of the system to a router."""
    handlers = Handlers(services)
    for path, method, handler, shape in (
        ("/sync-config", "POST", handlers.sync_config, schemas.ConfigSync),
        ("/config-status", "GET", handlers.get_config_status, schemas.ConfigStatus),
        ("/verify-reality", "POST", handlers.verify_reality, schemas.Done),
        ("/fix-reality-keys", "POST", handlers.fix_reality_keys, schemas.Done),
        ("/ports", "GET", handlers.get_ports, schemas.Ports),
        ("/ports/reset", "POST", handlers.reset_ports, schemas.Done),
        ("/ports/status", "GET", handlers.get_ports_status, schemas.PortsStatus),
        ("/xray/config-status", "GET", handlers.get_xray_config_status, schemas.XrayConfigStatus),
        ("/xray/inbounds", "GET", handlers.get_inbounds, schemas.Inbounds),
        ("/xray/sync-config", "POST", handlers.sync_xray_config, schemas.XrayConfigSync),
        ("/xray/validate-sync", "GET", handlers.validate_sync, schemas.XrayValidation),
    ):
        routes.add_api_route(f"{PREFIX}{path}", handler, response_model=shape, methods=[method], **ALL_SYSTEM)


class Handlers:
    """One method an endpoint: authenticate, one operation, present."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._overviews = services.overviews

    async def sync_config(self, request: Request) -> Response:
        """Compare Xray with the database now and repair what differs."""
        call = await self._services.enter(request, "sync_config")
        validation = overviews.validation(await self._overviews.synchronize(call))
        said = done("synced", "Configuration synchronized successfully")
        return answer(stamped({**said, "validation": validation}))

    async def get_config_status(self, request: Request) -> Response:
        """Tell which keys there are and which Xray holds."""
        call = await self._services.admit(request)
        return answer(stamped(overviews.config_status(await self._overviews.compare(call))))

    async def verify_reality(self, request: Request) -> Response:
        """Examine the REALITY target, the key pairs and the link of every key."""
        call = await self._services.admit(request)
        await self._overviews.verify(call)
        return answer(stamped(done("verified", "Reality settings verified and updated successfully")))

    async def fix_reality_keys(self, request: Request) -> Response:
        """Bring Xray to the key pairs that the links carry, and check them."""
        call = await self._services.admit(request)
        await self._overviews.repair(call)
        return answer(stamped({"status": "fixed", "message": "Reality keys fixed successfully"}))

    async def get_ports(self, request: Request) -> Response:
        """Tell which ports are taken."""
        call = await self._services.admit(request)
        return answer(stamped(overviews.ports(await self._overviews.ports(call))))

    async def reset_ports(self, request: Request) -> Response:
        """Give a new port to each key whose port is outside the range or does not listen; the others keep theirs."""
        call = await self._services.admit(request)
        await self._services.ports.reset(call)
        return answer(stamped(done("reset", "All ports reset successfully")))

    async def get_ports_status(self, request: Request) -> Response:
        """Check the ports: each in the range, its key's alone, and open in Xray."""
        call = await self._services.admit(request)
        view, issues = await self._overviews.port_problems(call)
        return answer(stamped({"validation": overviews.port_validation(view, issues)}))

    async def get_xray_config_status(self, request: Request) -> Response:
        """Tell what Xray has open."""
        call = await self._services.admit(request)
        return answer(stamped({"config_status": overviews.xray_config_status(await self._overviews.compare(call))}))

    async def get_inbounds(self, request: Request) -> Response:
        """List the inbounds of keys that Xray has open."""
        call = await self._services.admit(request)
        found = await self._overviews.compare(call)
        body = stamped({"inbounds": [overviews.inbound(one) for one in found.inbounds]})
        return answer({**body, "source": "config.json"})

    async def sync_xray_config(self, request: Request) -> Response:
        """Compare Xray with the database now and repair what differs, without a restart where none is needed."""
        call = await self._services.admit(request)
        short_ids = overviews.short_ids(await self._overviews.synchronize(call))
        said = done("synced", "Xray configuration synchronized successfully")
        return answer(stamped({**said, "short_id_sync": short_ids}))

    async def validate_sync(self, request: Request) -> Response:
        """Compare Xray with the database without changing anything."""
        call = await self._services.admit(request)
        return answer(stamped({"validation": overviews.validation(await self._overviews.compare(call))}))
