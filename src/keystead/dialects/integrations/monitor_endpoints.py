"""Endpoints of monitors at HostTracker: list, make, delete, and what state each is in."""

from datetime import datetime
from typing import Any

from starlette.requests import Request

from keystead.dialects.integrations import asking, present, provider_endpoints
from keystead.dialects.integrations import monitor_schemas as schemas
from keystead.dialects.integrations.errors import WireError
from keystead.dialects.integrations.provider_endpoints import Endpoint, Json
from keystead.dialects.integrations.schemas import Done
from keystead.dialects.integrations.services import Services
from keystead.http.routing import DirectEndpoints
from keystead.operations.calls import Call
from keystead.providers.hosttracker import CONNECTABLE, Monitor, MonitorWish


def add(routes: DirectEndpoints, services: Services) -> None:
    """Add them to a router."""
    monitors = services.vault.monitors

    async def list_(call: Call, request: Request) -> Json:
        found = await monitors.list_(call, asking.key_id(request))
        return {"ok": True, "monitors": [_monitor(one) for one in found]}

    async def create(call: Call, request: Request) -> Json:
        key_id, wish = wanted(await asking.body(request))
        return {"ok": True, "monitor": _monitor(await monitors.create(call, key_id, wish))}

    async def delete(call: Call, request: Request) -> Json:
        await monitors.delete(call, asking.key_id(request), request.path_params["ident"])
        return present.done()

    async def states(call: Call, request: Request) -> Json:
        found = await monitors.states(call, asking.key_id(request))
        return {"ok": True, "counts": found.counts, "states": [_state(one) for one in found.monitors]}

    key = ("key_id",)
    endpoints = (
        Endpoint("GET", "monitors", "List all monitors of a key.", list_, schemas.Monitors, query=key),
        Endpoint("POST", "monitors", "Make a monitor.", create, schemas.OneMonitor, schemas.MonitorWanted),
        Endpoint("DELETE", "monitors/{ident}", "Delete a monitor.", delete, Done, query=key),
        Endpoint("GET", "states", "Tell the state of every monitor now.", states, schemas.States, query=key),
    )
    provider_endpoints.add(routes, services, CONNECTABLE, endpoints)


def wanted(found: asking.Json) -> tuple[int, MonitorWish]:
    """Read what makes a monitor; what may be left out is refused where it is there and of another type."""
    key_id = asking.given_key_id(found)
    url = found.get("url")
    if not isinstance(url, str) or not url.strip():
        raise WireError("url_required")
    kind, name, interval_s = found.get("type"), found.get("name"), found.get("interval")
    if kind is not None and (not isinstance(kind, str) or not kind.isalnum()):
        raise WireError("invalid_type")
    if name is not None and not isinstance(name, str):
        raise WireError("invalid_name")
    if interval_s is not None and (not isinstance(interval_s, int) or isinstance(interval_s, bool) or interval_s < 1):
        raise WireError("invalid_interval")
    return key_id, MonitorWish(url.strip(), kind or "http", name or None, interval_s)


def _monitor(one: Monitor) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "type": one.kind,
        "url": one.url,
        "state": one.state,
        "enabled": one.is_enabled,
        "since": _unix(one.since),
        "interval": one.interval_s,
    }


def _state(one: Monitor) -> dict[str, Any]:
    return {"id": one.id, "name": one.name, "url": one.url, "state": one.state, "since": _unix(one.since)}


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
