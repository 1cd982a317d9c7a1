"""Customers' programs and devices: which families connect now, which devices count, and forgetting them."""

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from keystead.dialects.v1 import client_shapes, present
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import NUMBER_MAX, READ, WRITE
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.vpn.keyvalue import parse_ident

DeviceId = Annotated[int, Path(ge=1, le=NUMBER_MAX)]


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of programs and devices."""
    routes = ValidatedEndpoints(prefix="/v1/vpn", tags=["VPN clients"])
    clients = services.clients

    @routes.get("/compatibility", response_model=client_shapes.AccountCompatibility, responses=READ)
    async def get_compatibility(call: Caller) -> Response:
        """Show which client families connect now, why others do not, and how many customers used each lately."""
        return answer(client_shapes.account_compatibility(await clients.of_account(call)))

    @routes.get("/keys/{key_id}/compatibility", response_model=client_shapes.KeyCompatibility, responses=READ)
    async def get_key_compatibility(call: Caller, key_id: str) -> Response:
        """Show which client families connect with a key now, in which form, and which polled its subscription."""
        return answer(client_shapes.key_compatibility(await clients.of_key(call, parse_ident(key_id))))

    @routes.get("/keys/{key_id}/devices", response_model=client_shapes.DeviceList, responses=READ)
    async def list_devices(call: Caller, key_id: str) -> Response:
        """List the devices that count towards a key's limit."""
        return answer(client_shapes.device_list(await clients.devices(call, parse_ident(key_id))))

    @routes.delete("/keys/{key_id}/devices", response_model=client_shapes.Forgotten, responses=WRITE)
    async def forget_devices(call: Caller, key_id: str) -> Response:
        """Forget all devices of a key: those that poll next are the ones that count."""
        return answer({"forgotten": await clients.forget(call, parse_ident(key_id))})

    @routes.delete("/keys/{key_id}/devices/{device_id}", status_code=204, responses=WRITE)
    async def forget_device(call: Caller, key_id: str, device_id: DeviceId) -> Response:
        """Forget one device of a key; another may take its place, and so may itself."""
        await clients.forget(call, parse_ident(key_id), device_id)
        return present.empty()

    return routes
