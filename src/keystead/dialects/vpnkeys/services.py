"""What the handlers of the vpnkeys wire call, and what each of them begins and ends with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from keystead.http import credentials
from keystead.http.admission import Admission
from keystead.http.idempotency import Idempotency
from keystead.http.limits import RateLimits
from keystead.kit.clock import Clock
from keystead.operations.calls import Call
from keystead.operations.instance.health import HealthCheck
from keystead.operations.vpn.keys import VpnOperations
from keystead.operations.vpn.overview import OverviewOperations
from keystead.operations.vpn.ports import PortOperations

# Requests a minute, as the document says; endpoints that are not named have no limit.
LIMITS: Mapping[str, int] = {"create_key": 5, "list_keys": 30, "get_key": 60, "delete_key": 10, "sync_config": 3}


@dataclass(frozen=True)
class Services:
    """What the handlers call."""

    admission: Admission
    operations: VpnOperations
    overviews: OverviewOperations
    ports: PortOperations
    idempotency: Idempotency
    health: HealthCheck
    limits: RateLimits
    clock: Clock
    data_dir: Path

    async def admit(self, request: Request) -> Call:
        """Return the authenticated call; nothing is counted."""
        return await credentials.authenticate(request, self.admission, headers="X-API-Key or Authorization")

    async def enter(self, request: Request, operation: str) -> Call:
        """Return the authenticated call of an operation that has a limit, counted; raise RateLimited beyond it."""
        call = await self.admit(request)
        await self.limits.check(call, operation, LIMITS[operation])
        return call
