"""How a vpnkeys client proves itself, and which requests of a shared door are this wire's.

Any token works in either header. Where another dialect owns the same paths, the header chooses: see ``takes``.
"""

from collections.abc import MutableMapping
from typing import Any

from starlette.requests import Request

from keystead.http.admission import Admission
from keystead.http.calls import Call, facts_of
from keystead.kit.errors import Invalid, Unauthenticated

_SYSTEM = "/api/system/"
# Another dialect has this path too and tells a stranger in its own words; with a credential both mean the same.
_SHARED_SYSTEM = "/api/system/xray/sync-config"


def takes(scope: MutableMapping[str, Any]) -> bool:
    """Tell whether a request on a shared door is for this wire.

    Below ``/api/`` it is, with ``X-API-Key`` and no Authorization; below ``/api/system/`` with any credential or none.
    """
    path = scope["path"].rstrip("/")
    if not path.startswith("/api/"):
        return False
    named = {name for name, value in scope["headers"] if value.strip()}
    has_key, has_authorization = b"x-api-key" in named, b"authorization" in named
    if path.startswith(_SYSTEM):
        return has_key or has_authorization or path != _SHARED_SYSTEM
    return has_key and not has_authorization


async def authenticate(request: Request, admission: Admission) -> Call:
    """Return the authenticated call; raise Unauthenticated, Forbidden, Throttled, or Invalid for two credentials."""
    authorization = request.headers.get("authorization", "").strip()
    api_key = request.headers.get("x-api-key", "").strip()
    if authorization and api_key:
        problem = "present either X-API-Key or Authorization, not both"
        raise Invalid(problem, fields={"X-API-Key": problem})
    scheme, _, bearer = authorization.partition(" ")
    credential = api_key or (bearer.strip() if scheme.lower() == "bearer" else "")
    if not credential:
        raise Unauthenticated("no credential was presented")
    return await admission.by_token(credential, facts_of(request.scope))
