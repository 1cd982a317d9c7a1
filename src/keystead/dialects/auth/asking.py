"""Who asks: the bearer of an access token. The endpoints that strangers use do without."""

from collections.abc import Awaitable, Callable

from fastapi import Request

from keystead.dialects.auth.services import Services
from keystead.http.facts import facts_of
from keystead.kit.errors import Unauthenticated
from keystead.operations.calls import Call


def caller(services: Services) -> Callable[[Request], Awaitable[Call]]:
    """Return what finds out who asks; it raises Unauthenticated."""

    async def found(request: Request) -> Call:
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("send the access token as Authorization: Bearer <token>")
        return await services.admission.by_token(credential.strip(), facts_of(request.scope))

    return found
