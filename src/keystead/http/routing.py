"""Endpoints of the dialects, served without what only their OpenAPI documents need.

FastAPI writes the documents, and a document is asked for rarely: its models (some hundred shapes for each failure of
each endpoint) are made then and given up again (``documented``). Two kinds of tables:

- ``DirectEndpoints``, for wires that read bodies their own way: a handler takes the request and the parameters of its
  path and returns a Response. What the framework would do in between costs as much as a read by key.
- ``ValidatedEndpoints``, for wires whose parameters and bodies the framework reads and checks.
"""

import codecs
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

Handler = Callable[..., Awaitable[Response]]
_JSON = "application/json"


class DirectRoute(Route):
    """Call the handler with the request and what it wants of the path.

    ``shown`` is what the OpenAPI document says of it, in FastAPI's words, and ``takes``: the shape of the body, which
    the handler reads by itself.
    """

    def __init__(
        self, path: str, handler: Handler, methods: Sequence[str], name: str | None, shown: Mapping[str, Any]
    ) -> None:
        super().__init__(path, handler, methods=list(methods), name=name)
        self._shown = dict(shown)
        wanted = set(inspect.signature(handler).parameters) - {"request"}
        if not wanted <= set(self.param_convertors):
            raise TypeError(f"the handler of {path} wants {sorted(wanted)}, which are not in its path")
        self._wanted = tuple(wanted)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that matched."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        given = scope["path_params"]
        response = await self.endpoint(Request(scope, receive, send), **{name: given[name] for name in self._wanted})
        await response(scope, receive, send)

    def documented(self) -> APIRoute:
        """Return the route as FastAPI documents it."""
        options = dict(self._shown)
        takes: type[BaseModel] | None = options.pop("takes", None)
        if takes is not None:
            body = {"requestBody": {"content": {_JSON: {"schema": takes.model_json_schema()}}}}
            options["openapi_extra"] = {**options.get("openapi_extra", {}), **body}
        methods = sorted((self.methods or set()) - {"HEAD"})
        return APIRoute(
            self.path,
            self.endpoint,
            methods=methods,
            name=self.name,
            generate_unique_id_function=lambda route: route.name,
            **options,
        )


class DirectEndpoints:
    """The endpoints of a wire, in the order in which they are tried."""

    def __init__(self) -> None:
        self.routes: list[BaseRoute] = []

    def add_api_route(
        self,
        path: str,
        handler: Handler,
        *,
        methods: Sequence[str] = ("GET",),
        name: str | None = None,
        **shown: Any,
    ) -> None:
        """Add an endpoint."""
        self.routes.append(DirectRoute(path, handler, methods, name, shown))


class _StrictRequest(Request):
    """A request whose JSON is read as every other body is (``bodies``).

    The standard library takes what JSON has not (RFC 8259: no NaN; RFC 3629: no half of a surrogate pair), which then
    cannot be stored, sent on, or written into the answer that refuses it.
    """

    async def json(self) -> Any:
        return orjson.loads((await self.body()).removeprefix(codecs.BOM_UTF8))


class ValidatedRoute(APIRoute):
    """A route of FastAPI that reads JSON strictly, and makes the models of its answers only to document them."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self._options = options
        super().__init__(path, endpoint, **{**options, "response_model": None, "responses": None})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request that matched."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict

    def documented(self) -> APIRoute:
        """Return the route as FastAPI documents it."""
        return APIRoute(self.path, self.endpoint, **self._options)


class ValidatedEndpoints(APIRouter):
    """The endpoints of one noun; a dialect's application takes over its routes. Bodies need no Content-Type."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=ValidatedRoute, strict_content_type=False, **options)


def document(routes: Sequence[BaseRoute], **about: Any) -> dict[str, Any]:
    """Write the OpenAPI document of an application's routes; ``about`` is its title, version, description, servers."""
    shown = [route.documented() for route in routes if isinstance(route, DirectRoute | ValidatedRoute)]
    return get_openapi(routes=shown, **about)
