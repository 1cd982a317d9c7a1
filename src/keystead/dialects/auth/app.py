"""The auth wire as an ASGI application: its endpoints, its error bodies, its documentation pages."""

from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

import keystead
from keystead.dialects.auth import errors, routes, self_routes
from keystead.dialects.auth.services import PREFIX, Services
from keystead.http.facts import facts_of
from keystead.http.pages import Specification
from keystead.http.validated import ValidatedApp
from keystead.kit.errors import Invalid, KeysteadError


class InvalidJson(Invalid):
    """The body is no JSON object."""

    code = "invalid_json"


class MissingFields(Invalid):
    """The body lacks fields."""

    code = "missing_fields"


def create_app(services: Services, *, specifications: Sequence[Specification] = ()) -> FastAPI:
    """Return the dialect's application; its pages let one choose among the specifications."""
    app = ValidatedApp(
        [routes.router(services), self_routes.router(services)],
        title="Signing in",
        version=keystead.__version__,
        description="How people sign in: a refresh cookie, and access tokens of fifteen minutes.",
        prefix=PREFIX,
        specifications=specifications,
    )

    async def on_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, KeysteadError)  # noqa: S101 - registered for this class only
        return errors.response_of(error, now_s=services.clock.now().timestamp())

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
        return await on_error(request, _invalid(error))

    app.add_exception_handler(KeysteadError, on_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, _on_http_exception)
    return app


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    body, media_type = errors.bare(error.status_code, error.detail, facts_of(request.scope).request_id)
    return Response(body, error.status_code, dict(error.headers or {}), media_type)


def _invalid(error: RequestValidationError) -> Invalid:
    """Return what is wrong with a body: no JSON, fields that are missing, or fields of the wrong form."""
    problems = error.errors()
    fields = {str(problem["loc"][-1]): str(problem["msg"]) for problem in problems if len(problem["loc"]) > 1}
    if any(problem["type"] == "json_invalid" or len(problem["loc"]) < 2 for problem in problems):
        return InvalidJson("the body must be a JSON object")
    missing = {str(problem["loc"][-1]): "missing" for problem in problems if problem["type"] == "missing"}
    if missing:
        return MissingFields(f"the body lacks {', '.join(missing)}", fields=missing)
    return Invalid("; ".join(f"{field}: {message}" for field, message in fields.items()), fields=fields)
