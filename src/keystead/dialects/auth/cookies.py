"""The refresh cookie: readable by no script, sent to this wire alone and by pages of the same site alone.

A page of a sibling host is of the same site and no friend for that, so that what gives, takes or uses the cookie is
asked for by our own pages and by the origins of the settings only. Browsers tell the site of a page where they trust
the connection (Fetch Metadata, section 2: over TLS and on loopback), and its origin with every POST. Programs that are
no browsers say nothing of either.
"""

from collections.abc import Awaitable, Callable

from fastapi import Request
from starlette.responses import Response

from keystead.access.signin.sessions import IDLE_LIFE
from keystead.dialects.auth.services import Services
from keystead.http.facts import facts_of
from keystead.kit.errors import Forbidden
from keystead.kit.secret import Secret

NAME = "refresh_id"
PATH = "/auth"


def own_pages(services: Services) -> Callable[[Request], Awaitable[None]]:
    """Return what refuses requests of foreign pages; it raises Forbidden."""

    async def check(request: Request) -> None:
        if _is_foreign(request) and request.headers.get("origin") not in services.origins:
            raise Forbidden("pages of this origin may not use a session; name it in KEYSTEAD_CORS_ORIGINS")

    return check


def _is_foreign(request: Request) -> bool:
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in ("same-site", "cross-site")
    return origin is not None and origin.partition("://")[2] != request.headers.get("host")


def presented(request: Request) -> Secret[str] | None:
    """Return the refresh token of a request."""
    found = request.cookies.get(NAME)
    return None if found is None else Secret(found)


def put(request: Request, response: Response, token: Secret[str]) -> Response:
    """Give the browser a refresh token."""
    response.set_cookie(
        NAME,
        token.reveal(),
        max_age=int(IDLE_LIFE.total_seconds()),
        path=PATH,
        secure=facts_of(request.scope).scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


def take(request: Request, response: Response) -> Response:
    """Let the browser forget its refresh token."""
    secure = facts_of(request.scope).scheme == "https"
    response.delete_cookie(NAME, path=PATH, secure=secure, httponly=True, samesite="strict")
    return response
