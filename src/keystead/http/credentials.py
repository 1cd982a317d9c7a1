"""The credential of a REST request: a token as Bearer or in ``X-API-Key``, never in both."""

from starlette.requests import Request

from keystead.http.admission import Admission
from keystead.http.facts import facts_of
from keystead.kit.errors import Invalid, Unauthenticated
from keystead.operations.calls import Call


class NoCredential(Unauthenticated):
    """Neither header holds a credential; an Authorization of another scheme holds none for us."""

    code = "no_credential"


async def authenticate(request: Request, admission: Admission, *, headers: str) -> Call:
    """Return the authenticated call; ``headers`` names both in the wire's own order.

    Raises Unauthenticated, Forbidden, Throttled, or Invalid for two credentials.
    """
    authorization = request.headers.get("authorization", "").strip()
    api_key = request.headers.get("x-api-key", "").strip()
    if authorization and api_key:
        problem = f"present either {headers}, not both"
        raise Invalid(problem, fields={"X-API-Key": problem})
    scheme, _, bearer = authorization.partition(" ")
    credential = api_key or (bearer.strip() if scheme.lower() == "bearer" else "")
    if not credential:
        raise NoCredential("no credential was presented")
    return await admission.by_token(credential, facts_of(request.scope))
