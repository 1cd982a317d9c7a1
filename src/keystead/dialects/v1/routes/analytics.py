"""Google Analytics: properties, a property's visits by day, who is there now."""

from datetime import date
from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from keystead.dialects.v1 import analytics_shapes as shapes
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import ASKED, NUMBER_MAX
from keystead.dialects.v1.routes.joined import CredentialId
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.operations.calls import Call
from keystead.providers.google_analytics import CONNECTABLE, GoogleAnalytics

_PROPERTIES = "/credentials/{credential_id}/properties"

PropertyId = Annotated[int, Path(ge=1, le=NUMBER_MAX)]


def router(services: Services) -> ValidatedEndpoints:
    """Return its endpoints."""
    routes = ValidatedEndpoints(prefix="/v1/providers/google_analytics", tags=["Providers"])

    async def opened(call: Call, credential_id: int) -> GoogleAnalytics:
        return await services.vault.providers.opened(call, CONNECTABLE, credential_id)

    @routes.get(_PROPERTIES, response_model=shapes.AnalyticsProperties, responses=ASKED)
    async def list_properties(call: Caller, credential_id: CredentialId) -> Response:
        """List all properties that a credential views."""
        return answer(shapes.properties(await (await opened(call, credential_id)).properties()))

    @routes.get(f"{_PROPERTIES}/{{property_id}}/report", response_model=shapes.AnalyticsReport, responses=ASKED)
    async def get_report(
        call: Caller,
        credential_id: CredentialId,
        property_id: PropertyId,
        first: Annotated[date | None, Query(description="The first day; unset: four weeks.")] = None,
        last: Annotated[date | None, Query(description="The last day; unset: today.")] = None,
    ) -> Response:
        """Tell a property's visits by day."""
        return answer(shapes.report(await (await opened(call, credential_id)).report(property_id, first, last)))

    @routes.get(f"{_PROPERTIES}/{{property_id}}/realtime", response_model=shapes.AnalyticsRealtime, responses=ASKED)
    async def get_realtime(call: Caller, credential_id: CredentialId, property_id: PropertyId) -> Response:
        """Tell how many a property has seen within the last half hour."""
        return answer(shapes.realtime(await (await opened(call, credential_id)).realtime_users(property_id)))

    return routes
