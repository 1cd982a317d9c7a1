"""The native API as an ASGI application: its endpoints, its problem documents, its documentation pages."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

import keystead
from keystead.dialects.v1 import errors, schemas
from keystead.dialects.v1.auth import Authenticated
from keystead.dialects.v1.routes import (
    analytics,
    audit,
    backup,
    bulks,
    clients,
    connecting,
    connections,
    credentials,
    domains,
    engines,
    export,
    hosts,
    joined,
    keys,
    monitors,
    moves,
    pairs,
    people,
    ports,
    providers,
    redirects,
    system,
    templates,
    terms,
    tokens,
    traffic,
    users,
    webhooks,
    zones,
)
from keystead.dialects.v1.services import PREFIX, Services
from keystead.http.facts import facts_of
from keystead.http.pages import Specification
from keystead.http.validated import ValidatedApp
from keystead.kit.errors import Invalid, KeysteadError

OPENAPI = f"{PREFIX}/openapi.json"
PUBLIC = frozenset({OPENAPI, f"{PREFIX}/docs", f"{PREFIX}/redoc", system.HEALTH})
_ROUTERS = (
    keys.router,
    terms.router,
    terms.plan_router,
    traffic.router,
    ports.router,
    pairs.router,
    bulks.router,
    connections.router,
    clients.router,
    tokens.router,
    users.router,
    people.router,
    audit.router,
    webhooks.router,
    providers.router,
    connecting.router,
    hosts.router,
    joined.router,
    monitors.router,
    analytics.router,
    moves.router,
    credentials.router,
    domains.router,
    zones.router,
    zones.record_router,
    redirects.router,
    templates.router,
    engines.router,
    system.router,
    backup.router,
    export.router,
)


def behind_credentials(api: FastAPI, services: Services) -> ASGIApp:
    """Return the dialect's application behind its credential check."""
    return Authenticated(api, services.admission, public=PUBLIC)


def create_api(services: Services, *, base: str = "", specifications: Sequence[Specification] = ()) -> FastAPI:
    """Return the endpoints, their errors and their pages, which let one choose among the specifications.

    ``base`` stands before all of its paths.
    """
    api = ValidatedApp(
        [router(services) for router in _ROUTERS],
        title="Keystead API",
        version=keystead.__version__,
        description="Everything Keystead can do. Every 2xx is in force when it arrives.",
        prefix=PREFIX,
        base=base,
        specifications=specifications,
        complete=_complete,
    )
    api.add_exception_handler(KeysteadError, _on_error)
    api.add_exception_handler(HTTPException, _on_http_exception)
    api.add_exception_handler(RequestValidationError, _on_invalid)
    return api


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KeysteadError)  # noqa: S101 - registered for this class only
    return errors.response_of(error, facts_of(request.scope).request_id)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    body, media_type = errors.bare_problem(error.status_code, error.detail, facts_of(request.scope).request_id)
    return Response(body, error.status_code, dict(error.headers or {}), media_type)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    fields = {_field(problem["loc"]): str(problem["msg"]) for problem in error.errors()}
    told = "; ".join(f"{field}: {message}" for field, message in fields.items())
    return errors.response_of(
        Invalid(told or "the request is invalid", fields=fields), facts_of(request.scope).request_id
    )


def _field(location: tuple[Any, ...]) -> str:
    """Return the name of a field without the place it came from; ``body`` when the body as a whole is wrong."""
    place, *names = location
    return ".".join(map(str, names)) if names and not isinstance(names[0], int) else str(place)


def _complete(schema: dict[str, Any]) -> dict[str, Any]:
    problem = schemas.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schema["components"]["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
    schema["components"]["securitySchemes"] = {"Bearer": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"Bearer": []}]
    return schema
