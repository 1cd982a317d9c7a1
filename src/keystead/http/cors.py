"""Cross-origin requests: which web pages of other origins may call an API with a person's session.

The Fetch standard's protocol is Starlette's; this module says what is allowed. Wrapped around a dialect by ``mounts``.
"""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADERS = ("authorization", "content-type", "idempotency-key", "x-request-id")
_EXPOSED = ("retry-after", "x-request-id", "idempotency-replayed", "www-authenticate")
_REMEMBERED_S = 600


def allowing(origins: Sequence[str], app: ASGIApp) -> ASGIApp:
    """Return an application that answers pages of these origins; without any, the application as it is."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=_METHODS,
        allow_headers=_HEADERS,
        expose_headers=_EXPOSED,
        allow_credentials=True,
        max_age=_REMEMBERED_S,
    )
