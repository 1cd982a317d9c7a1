"""Endpoints of Yandex Metrica: counters of a key, and a counter's visits and goals."""

from typing import Any

from starlette.requests import Request

from keystead.dialects.integrations import asking, present, provider_endpoints, schemas
from keystead.dialects.integrations.provider_endpoints import Endpoint
from keystead.dialects.integrations.services import Services
from keystead.http.routing import DirectEndpoints
from keystead.operations.calls import Call
from keystead.providers.yandex_metrica import CONNECTABLE, YandexMetrica

Json = dict[str, Any]


def add(routes: DirectEndpoints, services: Services) -> None:
    """Add them to a router."""

    async def opened(call: Call, request: Request) -> YandexMetrica:
        return await services.vault.providers.opened(call, CONNECTABLE, asking.key_id(request))

    async def counters(call: Call, request: Request) -> Json:
        return present.counters(await (await opened(call, request)).counters())

    async def visits(call: Call, request: Request) -> Json:
        asking.key_id(request)
        counter_id, (first, last) = asking.counter(request), asking.days(request)
        return present.visits(await (await opened(call, request)).visits(counter_id, first, last))

    async def goals(call: Call, request: Request) -> Json:
        asking.key_id(request)
        counter_id = asking.counter(request)
        return present.goals(await (await opened(call, request)).goals(counter_id))

    of_counter = ("key_id", "counter_id")
    endpoints = (
        Endpoint("GET", "counters", "List all counters of a key.", counters, schemas.Counters, query=("key_id",)),
        Endpoint(
            "GET",
            "visits",
            "List a counter's visits by day.",
            visits,
            schemas.Visits,
            query=(*of_counter, "date1", "date2"),
        ),
        Endpoint("GET", "goals", "List a counter's goals.", goals, schemas.Goals, query=of_counter),
    )
    provider_endpoints.add(routes, services, CONNECTABLE, endpoints)
