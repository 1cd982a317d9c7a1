"""The vpnkeys dialect as an ASGI application: its endpoints, its error bodies, its documentation pages."""

from collections.abc import Sequence

from keystead.dialects.vpnkeys import errors, present, routes, specification, system
from keystead.dialects.vpnkeys.services import Services
from keystead.http.lenient import LenientApp, Wire
from keystead.http.pages import Specification
from keystead.http.routing import DirectEndpoints


def create_app(
    services: Services, *, prefix: str = "", base: str = "", specifications: Sequence[Specification] = ()
) -> LenientApp:
    """Return the dialect's application.

    A ``prefix`` is where its documentation pages are on a door that it shares, where another wire answers strangers;
    ``base`` stands before all of its paths. The pages let one choose among the specifications.
    """
    endpoints = DirectEndpoints()
    if not prefix:
        routes.add_status(endpoints, services)
    routes.add_endpoints(endpoints, services)
    system.add_endpoints(endpoints, services)
    return LenientApp(
        Wire(
            title="VPN Key Management API",
            version=present.API_VERSION,
            description="VPN keys with a port each. Every 200 is usable now.",
            response_of=errors.ERRORS.response_of,
            complete=specification.complete,
            prefix=prefix,
            specifications=tuple(specifications),
            base=base,
        ),
        endpoints,
    )
