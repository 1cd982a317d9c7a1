"""The ports that keys have for their own."""

from starlette.responses import Response

from keystead.dialects.v1 import port_shapes
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import WRITE
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of ports."""
    routes = ValidatedEndpoints(prefix="/v1/vpn/ports", tags=["VPN keys"])

    @routes.post("/reset", response_model=port_shapes.PortReset, responses=WRITE)
    async def reset_ports(call: Caller) -> Response:
        """Give keys whose port is outside the range, or does not listen, another one; the others keep theirs.

        The former port of a moved key goes on listening for `KEYSTEAD_VPN_PORT_GRACE_S` seconds if it did.
        """
        return answer(port_shapes.reset(await services.ports.reset(call)))

    return routes
