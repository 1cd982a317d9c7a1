"""The veil dialect as an ASGI application: its endpoints, its error bodies, its documentation pages."""

from collections.abc import Sequence

from keystead.dialects.veil import errors, present, specification
from keystead.dialects.veil.routes import Services, add_endpoints
from keystead.http.lenient import LenientApp, Wire
from keystead.http.pages import Specification
from keystead.http.routing import DirectEndpoints


def create_app(services: Services, *, base: str = "", specifications: Sequence[Specification] = ()) -> LenientApp:
    """Return the dialect's application, ``base`` before all its paths; its pages let one choose a specification."""
    endpoints = DirectEndpoints()
    add_endpoints(endpoints, services)
    return LenientApp(
        Wire(
            title="Veil Xray API",
            version=present.API_VERSION,
            description="VPN keys on a shared port. Every 200 is usable now.",
            response_of=errors.ERRORS.response_of,
            complete=specification.complete,
            specifications=tuple(specifications),
            base=base,
        ),
        endpoints,
    )
