"""How a veil client proves itself: Bearer, or ``X-API-Key`` while no other dialect shares the door."""

from starlette.requests import Request

from keystead.http.admission import Admission
from keystead.http.calls import Call, facts_of
from keystead.kit.errors import Invalid, Unauthenticated


async def authenticate(request: Request, admission: Admission) -> Call:
    """Return the authenticated call; raise Unauthenticated, Forbidden, Throttled, or Invalid for two credentials."""
    authorization = request.headers.get("authorization")
    api_key = request.headers.get("x-api-key")
    if authorization and api_key:
        raise Invalid("present either Authorization or X-API-Key, not both")
    if authorization is None:
        return await admission.by_token(api_key, facts_of(request.scope))
    scheme, _, credential = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("the scheme must be Bearer")
    return await admission.by_token(credential.strip(), facts_of(request.scope))
