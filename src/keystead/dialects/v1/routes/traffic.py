"""What keys have carried: now, by hours and days, and an account's in all."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import AwareDatetime
from starlette.responses import Response

from keystead.dialects.v1 import present
from keystead.dialects.v1 import traffic_schemas as schemas
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import READ, WRITE
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.vpn.history import Step
from keystead.vpn.keyvalue import parse_ident

_From = Annotated[
    AwareDatetime | None, Query(alias="from", description="The first bucket. Unset: the last day, or month of days.")
]
_To = Annotated[AwareDatetime | None, Query(description="Up to here. Unset: now.")]


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of traffic; ``key_id`` is an id, a number or a VLESS UUID."""
    routes = ValidatedEndpoints(prefix="/v1/vpn", tags=["VPN traffic"])
    vpn = services.vpn

    @routes.get("/traffic", response_model=schemas.AccountTraffic, responses=READ)
    async def get_account_traffic(call: Caller) -> Response:
        """Show what the account's keys have carried over their lives, deleted ones included."""
        return answer(present.account_traffic(await vpn.account_traffic(call)))

    @routes.get("/keys/{key_id}/traffic", response_model=schemas.Traffic, responses=READ)
    async def get_traffic(call: Caller, key_id: str) -> Response:
        """Show what a key has carried, open connections included."""
        return answer(present.traffic(await vpn.usage(call, parse_ident(key_id))))

    @routes.post("/keys/{key_id}/traffic/reset", response_model=schemas.Traffic, responses=WRITE)
    async def reset_traffic(call: Caller, key_id: str) -> Response:
        """Start a key's traffic at zero; the answer holds the figures that ended. The lifetime total stays."""
        return answer(present.traffic(await vpn.reset_traffic(call, parse_ident(key_id))))

    @routes.get("/keys/{key_id}/traffic/history", response_model=schemas.TrafficHistory, responses=READ)
    async def get_history(
        call: Caller,
        key_id: str,
        since: _From = None,
        to: _To = None,
        step: Step = Step.HOUR,
        format: Annotated[Literal["json", "csv"], Query()] = "json",
    ) -> Response:
        """Show what a key has carried by hours or days of UTC; empty ones are left out."""
        found = await vpn.history(call, parse_ident(key_id), step=step, since=since, until=to)
        return present.history_csv(found) if format == "csv" else answer(present.history(found))

    return routes
