"""Monitors at HostTracker: list them with their states, make and delete them."""

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from keystead.dialects.v1 import monitor_shapes as shapes
from keystead.dialects.v1 import present
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import ASKED, CHANGED
from keystead.dialects.v1.routes.joined import CredentialId
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints

_MONITORS = "/credentials/{credential_id}/monitors"

MonitorId = Annotated[str, Path(max_length=36)]


def router(services: Services) -> ValidatedEndpoints:
    """Return their endpoints."""
    routes = ValidatedEndpoints(prefix="/v1/providers/hosttracker", tags=["Providers"])
    monitors = services.vault.monitors

    @routes.get(_MONITORS, response_model=shapes.Monitors, responses=ASKED)
    async def list_monitors(call: Caller, credential_id: CredentialId) -> Response:
        """List all monitors of a HostTracker account with their states now."""
        return answer(shapes.monitors(await monitors.states(call, credential_id)))

    @routes.post(_MONITORS, response_model=shapes.Monitor, status_code=201, responses=CHANGED)
    async def create_monitor(call: Caller, credential_id: CredentialId, wanted: shapes.MonitorCreate) -> Response:
        """Make a monitor."""
        return present.created(shapes.monitor(await monitors.create(call, credential_id, shapes.wish(wanted))))

    @routes.delete(f"{_MONITORS}/{{monitor_id}}", status_code=204, responses=CHANGED)
    async def delete_monitor(call: Caller, credential_id: CredentialId, monitor_id: MonitorId) -> Response:
        """Delete a monitor."""
        await monitors.delete(call, credential_id, monitor_id)
        return present.empty()

    return routes
