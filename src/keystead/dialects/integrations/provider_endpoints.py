"""Endpoints of providers that are connected by a secret alone: made from their declarations, not written one by one.

Every one of them has ``init`` and ``status``; what else a provider can do is added by the module that knows it. An
endpoint is named after its provider, which is how its failures get their words.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field, create_model
from starlette.requests import Request
from starlette.responses import Response

from keystead.dialects.integrations import asking, auth, present, schemas
from keystead.dialects.integrations.services import PREFIX, Services
from keystead.dialects.integrations.shown import FAILURES, SECURED
from keystead.http.bodies import answer
from keystead.http.routing import DirectEndpoints
from keystead.http.shapes import Shape
from keystead.operations.calls import Call
from keystead.providers.connectable import Connectable
from keystead.providers.registry import CONNECTABLES
from keystead.vault import connecting, credentials

Json = dict[str, Any]
Act = Callable[[Call, Request], Awaitable[Json]]


@dataclass(frozen=True)
class Endpoint:
    """One endpoint below a provider's name: what it does, which verb guards it, and its shapes for the OpenAPI page."""

    method: str
    path: str
    says: str
    act: Act
    shown: type[BaseModel]
    takes: type[BaseModel] | None = None
    query: Sequence[str] = ()
    verb: Callable[..., Any] = credentials.use


def provider_of(endpoint: str) -> str | None:
    """Return the provider whose endpoint it is, by the endpoint's name; None for any other endpoint."""
    name, dot, _ = endpoint.partition(".")
    return name if dot else None


def add(routes: DirectEndpoints, services: Services, what: Connectable[Any], endpoints: Sequence[Endpoint]) -> None:
    """Add endpoints below a provider's name and below its other names."""
    for one in endpoints:
        called = f"{what.id}.{one.method.lower()}.{one.path}"
        handler = _handler(services, called, one)
        for name in (what.id, *what.aliases):
            routes.add_api_route(
                f"{PREFIX}/{name}/{one.path}",
                handler,
                methods=[one.method],
                name=called,
                response_model=one.shown,
                responses=FAILURES,
                openapi_extra=_extra(one),
                takes=one.takes,
                tags=[what.provider.title],
                include_in_schema=name == what.id,
            )


def add_common(routes: DirectEndpoints, services: Services) -> None:
    """Add ``init`` and ``status`` of every provider that is connected by a secret alone."""
    for what in CONNECTABLES.values():
        add(routes, services, what, [_init(services, what), _status(services, what)])


def _init(services: Services, what: Connectable[Any]) -> Endpoint:
    async def connect(call: Call, request: Request) -> Json:
        given = await asking.body(request)
        joined = await services.vault.providers.connect(call, what, given, alias=asking.alias(given))
        return present.joined(joined, what.provider.title)

    return Endpoint(
        "POST", "init", f"Connect {what.provider.title}.", connect, schemas.Joined, _wanted(what), verb=connecting.add
    )


def _status(services: Services, what: Connectable[Any]) -> Endpoint:
    async def status(call: Call, request: Request) -> Json:
        return present.standing(await services.vault.providers.status(call, what, asking.key_id(request)))

    says = f"Ask {what.provider.title} now whether a key is good."
    return Endpoint("GET", "status", says, status, schemas.Standing, query=("key_id",))


def _handler(services: Services, name: str, one: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        call = await auth.authenticate(request, services.admission, services.transactions, one.verb)
        return answer(await one.act(call, request))

    endpoint.__name__, endpoint.__doc__ = name, one.says
    return endpoint


def _wanted(what: Connectable[Any]) -> type[BaseModel]:
    """Return the shape of what ``init`` takes: the usual fields, those of other ways, and an alias."""
    fields: Json = {}
    for is_usual, way in ((way is what.ways[0], way) for way in what.ways):
        for one in way:
            kind: Any = dict[str, Any] | str if one.is_json else str
            is_needed = is_usual and len(what.ways) == 1
            default = Field(description=one.hint) if is_needed else Field(None, description=one.hint)
            fields[one.name] = (kind if is_needed else kind | None, default)
    fields["key_alias"] = (
        str | None,
        Field(None, description="Name for people; default: the provider and the account"),
    )
    made: type[BaseModel] = create_model(f"{what.provider.title.replace(' ', '')}Init", __base__=Shape, **fields)
    return made


def _extra(one: Endpoint) -> Json:
    if not one.query:
        return SECURED
    parameters = [{"name": name, "in": "query", "required": True, "schema": {"type": "string"}} for name in one.query]
    return {**SECURED, "parameters": parameters}
