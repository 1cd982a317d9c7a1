"""A REST dialect as an application: JSON error bodies, its own OpenAPI document, and two liberties that clients take.

Granted for all endpoints at once: a slash at the end of a path (the originals redirected it), and HEAD wherever there
is GET (monitors send it; the server leaves the body out). Made by dialects, which bring endpoints and error table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from keystead.http import pages, routing
from keystead.http.facts import facts_of
from keystead.http.pages import Specification
from keystead.http.routing import DirectEndpoints
from keystead.http.specified import Specified
from keystead.kit.errors import Broken, KeysteadError

_JSON = "application/json"

# An error, the name of the endpoint that failed, and the request's id → the wire's answer.
Answer = Callable[[KeysteadError, str, str], Response]


@dataclass(frozen=True)
class Wire:
    """What a dialect is: its name and version for people, and how it answers errors.

    ``complete`` finishes the framework's OpenAPI document; ``prefix`` is where its documentation pages are, which name
    all of ``specifications`` to choose from. ``base`` stands before all of its paths at its door.
    """

    title: str
    version: str
    description: str
    response_of: Answer
    complete: Callable[[dict[str, Any]], dict[str, Any]]
    prefix: str = ""
    specifications: tuple[Specification, ...] = ()
    base: str = ""


class LenientApp(Starlette):
    """The application of a wire with these endpoints."""

    def __init__(self, wire: Wire, endpoints: DirectEndpoints) -> None:
        self._wire = wire
        openapi_url = f"{wire.prefix}/openapi.json"
        super().__init__()
        self.router.redirect_slashes = False
        self.router.routes += endpoints.routes
        self.add_exception_handler(KeysteadError, self._on_error)
        self.add_exception_handler(HTTPException, _on_http_exception)
        self.add_exception_handler(Exception, self._on_broken)
        self.router.routes.append(Specified(self.openapi).route(openapi_url))
        shown_url = wire.base + openapi_url
        self.router.routes += pages.routes(
            wire.title, prefix=wire.prefix, openapi_url=shown_url, specifications=wire.specifications
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
            if scope["method"] == "HEAD":
                scope["method"] = "GET"
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Make the OpenAPI document."""
        wire = self._wire
        about = {"title": wire.title, "version": wire.version, "description": wire.description}
        return wire.complete(routing.document(self.routes, **about, servers=pages.servers(wire.base)))

    async def _on_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, KeysteadError)  # noqa: S101 - registered for this class only
        endpoint = request.scope.get("endpoint")
        return self._wire.response_of(error, getattr(endpoint, "__name__", ""), facts_of(request.scope).request_id)

    async def _on_broken(self, request: Request, error: Exception) -> Response:
        """Answer what nobody foresaw in the wire's form; the framework raises it again, and the door logs it."""
        return await self._on_error(request, Broken(type(error).__name__))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_allowed(request)))
    return Response(orjson.dumps({"detail": error.detail}), error.status_code, headers, _JSON)


def _allowed(request: Request) -> set[str]:
    """Return every method of a path; the framework names those of the first route only."""
    matching = [
        route.methods or set()
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    methods = set().union(*matching)
    return methods | {"HEAD"} if "GET" in methods else methods
