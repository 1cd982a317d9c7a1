"""The integrations wire as an ASGI application: its endpoints, its error bodies, its documentation pages."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from keystead.dialects.integrations import errors, redirect_routes, routes, zone_routes
from keystead.dialects.integrations.errors import Family, WireError
from keystead.dialects.integrations.provider_endpoints import provider_of
from keystead.dialects.integrations.routes import FAMILIES
from keystead.dialects.integrations.row import Row
from keystead.dialects.integrations.services import PREFIX, Services
from keystead.http import documented
from keystead.http.lenient import LenientApp, Wire
from keystead.http.pages import Specification
from keystead.http.routing import DirectEndpoints
from keystead.kit.errors import KeysteadError

_FAMILIES = {**FAMILIES, **zone_routes.FAMILIES, **redirect_routes.FAMILIES}
_STATUS_WORDS = {404: "not_found", 405: "method_not_allowed"}


def create_app(
    services: Services,
    *,
    base: str = "",
    specifications: Sequence[Specification] = (),
    token_problem: Row = errors.OWNER_REQUIRED,
) -> Starlette:
    """Return the dialect's application, ``base`` before all its paths; its pages let one choose a specification.

    ``token_problem`` is what a missing, ended or foreign token is answered with.
    """
    endpoints = DirectEndpoints()
    routes.add_endpoints(endpoints, services)
    zone_routes.add_endpoints(endpoints, services)
    redirect_routes.add_endpoints(endpoints, services)
    app = LenientApp(
        Wire(
            title="Integrations API",
            version="1",
            description="Keys of outside providers: connected, listed, used. Secrets are in no answer.",
            response_of=partial(_response_of, token_problem),
            complete=_complete,
            prefix=PREFIX,
            base=base,
            specifications=tuple(specifications),
        ),
        endpoints,
    )
    app.add_exception_handler(WireError, _on_wire_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    return app


def _response_of(token_problem: Row, error: KeysteadError, endpoint: str, request_id: str) -> Response:
    provider_id = provider_of(endpoint)
    family = Family.PROVIDER if provider_id is not None else _FAMILIES.get(endpoint, Family.KEYS)
    return errors.response_of(error, family, request_id, token_problem, provider_id=provider_id or "")


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    return documented.completed(document, {"Bearer": documented.BEARER})


async def _on_wire_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, WireError)  # noqa: S101 - registered for this class only
    return errors.refused(400, error.error, error.extra)


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    return errors.refused(error.status_code, _STATUS_WORDS.get(error.status_code, "invalid_request"))
