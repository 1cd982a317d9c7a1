"""The endpoints of a zone's redirects: authenticate, parse, one operation, present.

Not in the document; the original has them below its zones (DIALECT.md).
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from keystead.dialects.integrations import asking, auth, present, zone_asking
from keystead.dialects.integrations.asking import Json
from keystead.dialects.integrations.errors import Family, WireError
from keystead.dialects.integrations.schemas import Done
from keystead.dialects.integrations.services import ZONES, Services
from keystead.dialects.integrations.shown import FAILURES, SECURED
from keystead.http.bodies import answer
from keystead.http.routing import DirectEndpoints
from keystead.http.shapes import Shape
from keystead.kit.errors import Invalid
from keystead.operations.calls import Call
from keystead.providers.cloudflare_rules import SeenRule
from keystead.providers.redirect import EVERY_PATH
from keystead.providers.redirect import Redirect as RedirectValue
from keystead.vault import intents

_REDIRECTS = f"{ZONES}/{{ident}}/redirects"
FAMILIES: Mapping[str, Family] = dict.fromkeys(("list_redirects", "set_redirect", "delete_redirect"), Family.REDIRECTS)


class RedirectMake(Shape):
    """A redirect; a zone has one for each host and path."""

    host: str = Field(examples=["www.example.com"], description="A name, or *.name for all below it")
    path: str = Field(EVERY_PATH, description="One path, or all below one with /* at its end")
    target_url: str = Field(examples=["https://example.com"])
    status_code: int = Field(301, description="301, 302, 303, 307 or 308")
    preserve_query_string: bool = True
    preserve_path: bool = Field(False, description="Put the path of the request behind the target")


class Redirect(Shape):
    """A redirect that was made here; the fields after ``source`` are null where it was rewritten by hand."""

    id: str
    source: str
    host: str | None
    path: str | None
    target_url: str | None
    status_code: int | None
    preserve_query_string: bool | None
    preserve_path: bool | None
    enabled: bool


class Redirects(Shape):
    """The redirects of a zone that were made here, and how many others there are."""

    ok: bool
    redirects: list[Redirect]
    foreign: int


class OneRedirect(Shape):
    """One redirect."""

    ok: bool
    redirect: Redirect


def add_endpoints(routes: DirectEndpoints, services: Services) -> None:
    """Add the endpoints to a router."""
    handlers = Handlers(services)

    def add(method: str, path: str, handler: Any, shown: Any, takes: Any = None) -> None:
        routes.add_api_route(
            path,
            handler,
            methods=[method],
            response_model=shown,
            responses=FAILURES,
            openapi_extra=SECURED,
            takes=takes,
            tags=["Redirects"],
        )

    add("GET", _REDIRECTS, handlers.list_redirects, Redirects)
    add("POST", _REDIRECTS, handlers.set_redirect, OneRedirect, RedirectMake)
    add("DELETE", f"{_REDIRECTS}/{{redirect}}", handlers.delete_redirect, Done)


class Handlers:
    """One method an endpoint."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._redirects = services.vault.redirects

    async def list_redirects(self, request: Request, ident: str) -> Response:
        """List the redirects of a zone that were made here; others are counted and never changed."""
        call = await self._enter(request)
        found = await self._redirects.list_(call, zone_asking.zone_id(ident))
        shown = [_shown(rule) for rule in found.ours]
        return answer({"ok": True, "redirects": shown, "foreign": found.foreign})

    async def set_redirect(self, request: Request, ident: str) -> Response:
        """Set a redirect; the one with the same host and path is changed."""
        call = await self._enter(request)
        wanted = _asked(await asking.body(request))
        try:
            rule, _ = await self._redirects.set_(call, zone_asking.zone_id(ident), wanted)
        except Invalid as error:
            fields = [_WORDS.get(field, field) for field in error.fields]
            raise WireError("invalid_redirect", message=error.message, fields=fields) from None
        return answer({"ok": True, "redirect": _shown(rule)})

    async def delete_redirect(self, request: Request, ident: str, redirect: str) -> Response:
        """Delete a redirect that was made here."""
        call = await self._enter(request)
        await self._redirects.remove(call, zone_asking.zone_id(ident), redirect)
        return answer(present.done())

    async def _enter(self, request: Request) -> Call:
        services = self._services
        return await auth.authenticate(request, services.admission, services.transactions, intents.put)


# What this wire calls a field of a redirect.
_WORDS = {"target": "target_url", "status": "status_code"}


def _asked(found: Json) -> RedirectValue:
    for name in ("host", "target_url"):
        if not isinstance(found.get(name), str) or not found[name].strip():
            raise WireError(f"{name}_required")
    path, status = found.get("path", EVERY_PATH), found.get("status_code", 301)
    flags = [found.get("preserve_path", False), found.get("preserve_query_string", True)]
    wrong = [] if isinstance(path, str) else ["path"]
    wrong += [] if isinstance(status, int) and not isinstance(status, bool) else ["status_code"]
    names = ("preserve_path", "preserve_query_string")
    wrong += [name for name, flag in zip(names, flags, strict=True) if not isinstance(flag, bool)]
    if wrong:
        raise WireError("invalid_redirect", message=f"{', '.join(wrong)}: of another type", fields=wrong)
    return RedirectValue(found["host"], found["target_url"], path, status, flags[0], flags[1])


def _shown(rule: SeenRule) -> dict[str, Any]:
    said = rule.redirect
    return {
        "id": rule.ref,
        "source": rule.source,
        "host": None if said is None else said.host,
        "path": None if said is None else said.path,
        "target_url": None if said is None else said.target,
        "status_code": None if said is None else said.status,
        "preserve_query_string": None if said is None else said.keeps_query,
        "preserve_path": None if said is None else said.keeps_path,
        "enabled": rule.is_enabled,
    }
