"""Outside providers: the way requests leave by, for the installation or for one credential."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from keystead.dialects.v1 import present
from keystead.dialects.v1 import relay_shapes as shapes
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import NUMBER_MAX, READ, WRITE
from keystead.dialects.v1.services import Services
from keystead.kit.errors import NotFound

CredentialId = Annotated[
    int | None, Query(ge=1, le=NUMBER_MAX, description="The way of one credential; unset: the installation's.")
]


def router(services: Services) -> APIRouter:
    """Return the endpoints of relays."""
    routes = APIRouter(prefix="/v1/providers/namecheap/relay", tags=["Providers"])
    namecheap = services.vault.namecheap

    @routes.get("", response_model=shapes.Relay, responses=READ)
    async def get_relay(call: Caller, credential_id: CredentialId = None) -> Response:
        """Show the way to Namecheap, without the relay's password."""
        found = await namecheap.find_way(call, credential_id)
        if found is None:
            raise NotFound("relay", "namecheap")
        return answer(shapes.relay(found))

    @routes.put("", response_model=shapes.Relay, responses=WRITE)
    async def set_relay(call: Caller, wanted: shapes.RelaySet, credential_id: CredentialId = None) -> Response:
        """Set the way to Namecheap: through a relay with all four fields, or directly with the address alone."""
        return answer(shapes.relay(await namecheap.set_way(call, shapes.way(wanted), credential_id)))

    @routes.delete("", status_code=204, responses=WRITE)
    async def remove_relay(call: Caller, credential_id: CredentialId = None) -> Response:
        """Forget the way to Namecheap."""
        await namecheap.remove_way(call, credential_id)
        return present.empty()

    return routes
