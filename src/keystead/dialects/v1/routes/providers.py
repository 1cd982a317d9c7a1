"""Outside providers: the way requests leave by, and what is still to be done at them."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from keystead.dialects.v1 import errand_shapes, present
from keystead.dialects.v1 import relay_shapes as shapes
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import NUMBER_MAX, READ, WRITE
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.kit.errors import NotFound

_RELAY = "/namecheap/relay"

CredentialId = Annotated[
    int | None, Query(ge=1, le=NUMBER_MAX, description="The way of one credential; unset: the installation's.")
]


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of relays and errands."""
    routes = ValidatedEndpoints(prefix="/v1/providers", tags=["Providers"])
    _add_relays(routes, services)

    @routes.get("/errands", response_model=errand_shapes.Errands, responses=READ)
    async def list_errands(call: Caller) -> Response:
        """List what is still to be done at providers, and what was given up."""
        return answer(errand_shapes.errands(await services.vault.errands.list_(call)))

    return routes


def _add_relays(routes: ValidatedEndpoints, services: Services) -> None:
    namecheap = services.vault.namecheap

    @routes.get(_RELAY, response_model=shapes.Relay, responses=READ)
    async def get_relay(call: Caller, credential_id: CredentialId = None) -> Response:
        """Show the way to Namecheap, without the relay's password."""
        found = await namecheap.find_way(call, credential_id)
        if found is None:
            raise NotFound("relay", "namecheap")
        return answer(shapes.relay(found))

    @routes.put(_RELAY, response_model=shapes.Relay, responses=WRITE)
    async def set_relay(call: Caller, wanted: shapes.RelaySet, credential_id: CredentialId = None) -> Response:
        """Set the way to Namecheap: through a relay with all four fields, or directly with the address alone."""
        return answer(shapes.relay(await namecheap.set_way(call, shapes.way(wanted), credential_id)))

    @routes.delete(_RELAY, status_code=204, responses=WRITE)
    async def remove_relay(call: Caller, credential_id: CredentialId = None) -> Response:
        """Forget the way to Namecheap."""
        await namecheap.remove_way(call, credential_id)
        return present.empty()
