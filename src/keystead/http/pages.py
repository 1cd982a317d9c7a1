"""Documentation pages of the dialects, and the files they need, served by us so that a page loads nothing from outside.

Two viewers are vendored (``assets/README.md``), and both reach out unless they are kept from it: Swagger UI asks an
outside validator about the specification, ReDoc loads a logo. The policy sent with each page closes that for good.
"""

import base64
import hashlib
import html
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

PREFIX = "/docs/assets"
_DIRECTORY = Path(__file__).parent / "assets"
_FAVICON = f"{PREFIX}/favicon-32x32.png"
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class Specification(NamedTuple):
    """A dialect's specification, for people to choose: its name, and the prefix of its documentation pages."""

    name: str
    prefix: str


def assets_app() -> Starlette:
    """Return the application that serves them below ``PREFIX``."""
    return Starlette(routes=[Mount(PREFIX, StaticFiles(directory=_DIRECTORY))])


def servers(base: str) -> list[dict[str, str]] | None:
    """Return what a specification says of where its paths begin; None where nothing stands before them."""
    return [{"url": base}] if base else None


def routes(
    title: str, *, prefix: str, openapi_url: str, specifications: Sequence[Specification] = ()
) -> list[BaseRoute]:
    """Return ``<prefix>/docs`` (Swagger UI) and ``<prefix>/redoc`` (ReDoc) of a dialect.

    Where there are several specifications, each page begins with links to those pages of all.
    """
    swagger = get_swagger_ui_html(
        openapi_url=openapi_url,
        title=title,
        swagger_js_url=f"{PREFIX}/swagger-ui-bundle.js",
        swagger_css_url=f"{PREFIX}/swagger-ui.css",
        swagger_favicon_url=_FAVICON,
        swagger_ui_parameters={"validatorUrl": None},
    )
    redoc = get_redoc_html(
        openapi_url=openapi_url,
        title=title,
        redoc_js_url=f"{PREFIX}/redoc.standalone.js",
        redoc_favicon_url=_FAVICON,
        with_google_fonts=False,
    )
    made: list[BaseRoute] = []
    for name, page in (("docs", swagger), ("redoc", redoc)):
        choice = _choice(specifications, name) if len(specifications) > 1 else b""
        content = bytes(page.body).replace(b"<body>", b"<body>" + choice, 1)
        made.append(Route(f"{prefix}/{name}", _page(content), include_in_schema=False))
    return made


def _choice(specifications: Sequence[Specification], page: str) -> bytes:
    links = [f'<a href="{html.escape(prefix)}/{page}">{html.escape(name)}</a>' for name, prefix in specifications]
    return f'<nav style="padding: 1em; font-family: sans-serif">{" · ".join(links)}</nav>'.encode()


def _page(content: bytes) -> Callable[[Request], Awaitable[Response]]:
    headers = {"content-security-policy": content_security_policy(content), "x-content-type-options": "nosniff"}

    async def show(request: Request) -> Response:
        return HTMLResponse(content, headers=headers)

    return show


def content_security_policy(content: bytes) -> str:
    """Return a policy that lets a viewer's page run its own scripts and talk to its own origin only."""
    digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE_SCRIPT.findall(content)]
    scripts = " ".join(["'self'", *(f"'sha256-{digest}'" for digest in digests)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
