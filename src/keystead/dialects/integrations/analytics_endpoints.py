"""Endpoints of Google Analytics: properties of a key, and a property's visits by day and who is there now."""

from starlette.requests import Request

from keystead.dialects.integrations import analytics_schemas as schemas
from keystead.dialects.integrations import asking, provider_endpoints
from keystead.dialects.integrations.provider_endpoints import Endpoint, Json
from keystead.dialects.integrations.services import Services
from keystead.http.routing import DirectEndpoints
from keystead.operations.calls import Call
from keystead.providers.google_analytics import CONNECTABLE, REALTIME_MINUTES, Day, GoogleAnalytics, Property


def add(routes: DirectEndpoints, services: Services) -> None:
    """Add them to a router."""

    async def opened(call: Call, request: Request) -> GoogleAnalytics:
        return await services.vault.providers.opened(call, CONNECTABLE, asking.key_id(request))

    async def properties(call: Call, request: Request) -> Json:
        found = await (await opened(call, request)).properties()
        return {"ok": True, "properties": [_property(one) for one in found]}

    async def report(call: Call, request: Request) -> Json:
        asking.key_id(request)
        property_id, (first, last) = asking.property_(request), asking.days(request)
        found = await (await opened(call, request)).report(property_id, first, last)
        return {"ok": True, "property_id": property_id, "days": [_day(one) for one in found]}

    async def realtime(call: Call, request: Request) -> Json:
        asking.key_id(request)
        property_id = asking.property_(request)
        users = await (await opened(call, request)).realtime_users(property_id)
        return {"ok": True, "property_id": property_id, "active_users": users, "minutes": REALTIME_MINUTES}

    key, of_property = ("key_id",), ("key_id", "property_id")
    ranged = (*of_property, "date1", "date2")
    endpoints = (
        Endpoint("GET", "properties", "List all properties of a key.", properties, schemas.Properties, query=key),
        Endpoint("GET", "report", "Tell a property's visits by day.", report, schemas.Report, query=ranged),
        Endpoint("GET", "realtime", "Tell how many are there now.", realtime, schemas.Realtime, query=of_property),
    )
    provider_endpoints.add(routes, services, CONNECTABLE, endpoints)


def _property(one: Property) -> Json:
    return {"id": one.id, "name": one.name, "type": one.kind, "account": one.account}


def _day(one: Day) -> Json:
    return {
        "date": one.day.isoformat(),
        "active_users": one.active_users,
        "new_users": one.new_users,
        "sessions": one.sessions,
        "views": one.views,
    }
