"""The integrations wire as an ASGI application: its endpoints, its error bodies, its documentation pages."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from keystead.dialects.integrations import errors, routes, zone_routes
from keystead.dialects.integrations.errors import Family, WireError
from keystead.dialects.integrations.routes import FAMILIES, PREFIX, Services
from keystead.http import documented
from keystead.http.lenient import LenientApp, Wire
from keystead.http.pages import Specification
from keystead.kit.errors import KeysteadError

# Where the wire answers at its door.
PREFIXES = (PREFIX, zone_routes.ZONES, zone_routes.DOMAINS)
_STATUS_WORDS = {404: "not_found", 405: "method_not_allowed"}


def create_app(services: Services, *, base: str = "", specifications: Sequence[Specification] = ()) -> FastAPI:
    """Return the dialect's application, ``base`` before all its paths; its pages let one choose a specification."""
    app = LenientApp(
        Wire(
            title="Integrations API",
            version="1",
            description="Keys of outside providers: connected, listed, used. Secrets are in no answer.",
            response_of=_response_of,
            complete=_complete,
            prefix=PREFIX,
            base=base,
            specifications=tuple(specifications),
        )
    )
    app.add_exception_handler(WireError, _on_wire_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    routes.add_endpoints(app.router, services)
    zone_routes.add_endpoints(app.router, services)
    return app


def _response_of(error: KeysteadError, endpoint: str, request_id: str) -> Response:
    family = FAMILIES.get(endpoint) or zone_routes.FAMILIES.get(endpoint, Family.KEYS)
    return errors.response_of(error, family, request_id)


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    return documented.completed(document, {"Bearer": documented.BEARER})


async def _on_wire_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, WireError)  # noqa: S101 - registered for this class only
    return errors.refused(400, error.error, error.extra)


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    return errors.refused(error.status_code, _STATUS_WORDS.get(error.status_code, "invalid_request"))
