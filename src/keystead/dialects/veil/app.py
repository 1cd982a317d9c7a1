"""The veil dialect as an ASGI application: its endpoints, its error bodies, its documentation pages.

Two liberties that clients take are granted here for all endpoints at once: a slash at the end of a path (the original
redirected it), and HEAD wherever there is GET (monitors send it; the server leaves the body out).
"""

from typing import Any

import orjson
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from keystead.dialects.veil import errors, present, specification
from keystead.dialects.veil.routes import Services, add_endpoints
from keystead.http import pages
from keystead.http.calls import facts_of
from keystead.http.routing import DirectRoute
from keystead.kit.errors import Broken, KeysteadError


class VeilApp(FastAPI):
    """The application, lenient about slashes and HEAD, with its own OpenAPI document."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
            if scope["method"] == "HEAD":
                scope["method"] = "GET"
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = specification.complete(super().openapi())
        return self.openapi_schema


def create_app(services: Services) -> FastAPI:
    """Return the dialect's application."""
    app = VeilApp(
        title="Veil Xray API",
        version=present.API_VERSION,
        description="VPN keys on a shared port. Every 200 is usable now.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.router.route_class = DirectRoute
    add_endpoints(app.router, services)
    app.add_exception_handler(KeysteadError, _on_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_broken)
    pages.add_pages(app, prefix="", openapi_url="/openapi.json")
    return app


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KeysteadError)  # noqa: S101 - registered for this class only
    endpoint = request.scope.get("endpoint")
    return errors.response_of(error, getattr(endpoint, "__name__", ""), facts_of(request.scope).request_id)


async def _on_broken(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw in the wire's form; the framework raises it again, and the door logs it."""
    return await _on_error(request, Broken(type(error).__name__))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_allowed(request)))
    return Response(orjson.dumps({"detail": error.detail}), error.status_code, headers, errors.JSON)


def _allowed(request: Request) -> set[str]:
    """Return every method of a path; the framework names those of the first route only."""
    matching = [
        route.methods or set()
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    methods = set().union(*matching)
    return methods | {"HEAD"} if "GET" in methods else methods
