"""The subscription wire: one address per customer, answered in the form the asking program reads.

``GET /sub/<token>`` chooses by User-Agent, ``GET /sub/<token>/<format>`` obeys. ``main`` gives it a backend that
finds the token and the key; this module parses, renders and presents. It logs failures on our side alone, and never
repeats a token except as part of the address the backend hands it. What stays true on the wire is listed in
``DIALECT.md``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from keystead.dialects.subscription import asking, errors, page, texts
from keystead.dialects.subscription.apps import platform
from keystead.http import failures
from keystead.kit.errors import KeysteadError, RateLimited, Throttled, Unavailable
from keystead.operations.vpn.polling import Poll
from keystead.vpn.devices import Refusal
from keystead.vpn.families import Family
from keystead.vpn.links import vless_link
from keystead.vpn.profiles import links, qr, singbox, xray
from keystead.vpn.profiles.choose import choose
from keystead.vpn.profiles.forms import Format
from keystead.vpn.profiles.headers import (
    ANNOUNCE_LENGTH_MAX,
    TITLE_LENGTH_MAX,
    Card,
    headers,
    text_value,
    url_value,
)
from keystead.vpn.profiles.titles import titled
from keystead.vpn.values import ClientProfile, Usage


@dataclass(frozen=True)
class SubscriptionView:
    """What a token opens: at least one profile, and what is shown around it.

    ``subscription_url`` is the absolute public address of this subscription, without a trailing slash. ``devices`` are
    how many fetch it and how many may, None for any number; programs of a ``refused`` family cannot connect.
    """

    profiles: Sequence[ClientProfile]
    usage: Usage
    title: str
    update_interval_h: int
    is_active: bool
    subscription_url: str
    support_url: str | None = None
    devices: tuple[int, int] | None = None
    refused: frozenset[Family] = frozenset()


@dataclass(frozen=True)
class DeviceRefused:
    """What is shown to a device that may not fetch a subscription, and why it may not."""

    why: Refusal
    title: str
    support_url: str | None = None


class SubscriptionBackend(Protocol):
    """Find what a subscription token opens."""

    async def fetch(self, poll: Poll) -> SubscriptionView | DeviceRefused:
        """Return what a poll is answered with; raise NotFound for an unknown or revoked token."""
        ...


@dataclass(frozen=True)
class _Form:
    media_type: str
    extension: str


_FORMS = {
    Format.BASE64: _Form("text/plain; charset=utf-8", ".txt"),
    Format.LINKS: _Form("text/plain; charset=utf-8", ".txt"),
    Format.XRAY: _Form("application/json", ".json"),
    Format.SING_BOX: _Form("application/json", ".json"),
    Format.MIHOMO: _Form("text/yaml; charset=utf-8", ".yaml"),
}


def _mihomo(profiles: Sequence[ClientProfile], title: str) -> str:
    """Render the form that is YAML, whose library is imported when the first program asks for it."""
    from keystead.vpn.profiles import mihomo

    return mihomo.render(profiles, title)


_RENDERERS = {
    Format.BASE64: links.render,
    Format.LINKS: links.render_plain,
    Format.XRAY: xray.render,
    Format.SING_BOX: singbox.render,
    Format.MIHOMO: _mihomo,
}
# Another name under which the same form is asked for.
_ALIASES = {"clash": Format.MIHOMO}
_CODES = ("qr.svg", "qr.png")
# What programs that name their device are told: that it counts, and why it is refused. v2RayTun reads ``x-hwid-limit``
# alone, which says that a limit is in the way; it is true for both reasons, as in Remnawave.
_LIMITED = {"x-hwid-active": "true"}
_REFUSALS = {
    Refusal.FULL: {"x-hwid-limit": "true", "x-hwid-max-devices-reached": "true"},
    Refusal.UNNAMED: {"x-hwid-limit": "true", "x-hwid-not-supported": "true"},
}
_GUARDS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}


def create_app(backend: SubscriptionBackend) -> Starlette:
    """Return the application with its two routes and its table of errors."""
    edge = _Edge(backend)
    return Starlette(
        routes=[
            Route("/sub/{token}", edge.by_program, methods=["GET", "HEAD"]),
            Route("/sub/{token}/{form}", edge.by_path, methods=["GET", "HEAD"]),
        ],
        exception_handlers={404: _no_route, KeysteadError: _failed},
    )


class _Edge:
    """The two handlers, around their backend."""

    def __init__(self, backend: SubscriptionBackend) -> None:
        self._backend = backend

    async def by_program(self, request: Request) -> Response:
        """Answer in the form the asking program reads."""
        form = choose(request.headers.get("user-agent", ""), request.headers.get("accept", ""))
        return await self._answer(request, form)

    async def by_path(self, request: Request) -> Response:
        """Answer in the form the path names."""
        asked = request.path_params["form"]
        form = _ALIASES.get(asked, asked)
        if form not in set(Format) and form not in _CODES:
            raise HTTPException(404)
        if form not in _CODES:
            return await self._answer(request, Format(form))
        found = await self._backend.fetch(asking.person(request))
        return _refused(found) if isinstance(found, DeviceRefused) else _code(request, found, form)

    async def _answer(self, request: Request, form: Format) -> Response:
        is_page = form is Format.PAGE
        found = await self._backend.fetch(asking.person(request) if is_page else asking.program(request))
        if isinstance(found, DeviceRefused):
            return _refused(found)
        return _page(request, found) if is_page else _profile(found, form)


def _profile(view: SubscriptionView, form: Format) -> Response:
    body = _RENDERERS[form](view.profiles, view.title)
    card = Card(
        title=view.title,
        usage=view.usage,
        update_interval_h=view.update_interval_h,
        support_url=view.support_url,
        web_page_url=view.subscription_url,
        announce=None if view.is_active else texts.OFF_ANNOUNCEMENT,
    )
    beside = headers(card, extension=_FORMS[form].extension)
    if view.devices is not None:
        beside |= _LIMITED
    return Response(body, media_type=_FORMS[form].media_type, headers=_GUARDS | beside)


def _page(request: Request, view: SubscriptionView) -> Response:
    agent = request.headers.get("user-agent", "")
    language = texts.language(request.query_params.get("lang"), request.headers.get("accept-language", ""))
    html = page.render(
        page.PageModel(
            title=view.title,
            profiles=view.profiles,
            usage=view.usage,
            is_active=view.is_active,
            subscription_url=view.subscription_url,
            language=language,
            platform=platform(agent),
            support_url=view.support_url,
            devices=view.devices,
            refused=view.refused,
        )
    )
    guards = _GUARDS | {
        "content-security-policy": page.content_security_policy(),
        "content-language": language.value,
        "vary": "User-Agent, Accept, Accept-Language",
    }
    return Response(html, media_type="text/html; charset=utf-8", headers=guards)


def _code(request: Request, view: SubscriptionView, form: str) -> Response:
    text = view.subscription_url
    if request.query_params.get("of") == "key":
        if view.devices is not None:
            return _refused(DeviceRefused(Refusal.UNNAMED, view.title, view.support_url))
        _, profile = titled(view.profiles, view.title)[0]
        text = vless_link(profile)
    if form == "qr.png":
        return Response(qr.png(text), media_type="image/png", headers=_GUARDS)
    return Response(qr.svg(text), media_type="image/svg+xml", headers=_GUARDS)


def _refused(refused: DeviceRefused) -> Response:
    """Refuse a device in the words of the headers; 404, because programs keep what they have when they get that."""
    texts_of = texts.DEVICE_ANNOUNCEMENTS[refused.why]
    card = {
        "profile-title": text_value(refused.title, TITLE_LENGTH_MAX),
        "announce": text_value(texts_of, ANNOUNCE_LENGTH_MAX),
    }
    if refused.support_url:
        card["support-url"] = url_value(refused.support_url)
    return _plain(errors.DEVICE_REFUSED, {**card, **_LIMITED, **_REFUSALS[refused.why]})


async def _no_route(request: Request, error: Exception) -> Response:
    return _plain(errors.NOT_FOUND)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, KeysteadError)  # noqa: S101 - registered for this class only
    headers = (
        {"retry-after": str(error.retry_after_s)} if isinstance(error, Throttled | RateLimited | Unavailable) else {}
    )
    row = errors.row_of(type(error))
    if row.status == 500:
        failures.note(error)
    return _plain(row, headers)


def _plain(row: errors.Row, more: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(row.text, status_code=row.status, headers={**_GUARDS, **(more or {})})
