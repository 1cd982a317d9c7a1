"""Doors: where dialects answer, and what happens to every request before a dialect sees it.

A door binds dialects to path prefixes on one listener; the longest prefix wins, and where several dialects have one
prefix, each but the last says which requests it takes. It gives each request an id and an origin, bounds its headers
and body, counts it, and is the boundary that catches what no dialect foresaw. Plain ASGI: a framework middleware would
cost more than most requests.
"""

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from keystead.http import overlaps
from keystead.http.facts import FACTS_KEY, origin
from keystead.http.metrics import Metrics
from keystead.kit.errors import Misconfigured
from keystead.kit.ids import Ids
from keystead.kit.log import bind_to_request, get_logger
from keystead.kit.names import Network
from keystead.operations.calls import RequestFacts

log = get_logger()

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_SIZE_MAX_BYTES = 1024 * 1024
HEADERS_SIZE_MAX_BYTES = 32 * 1024
# A body that is too large is read on and thrown away, up to this size: a program that is still sending when the
# connection is closed sees a broken pipe in place of the answer.
DISCARDED_SIZE_MAX_BYTES = 16 * 1024 * 1024
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_TOO_LARGE = (413, "the body is larger than 1 MB")


# Status, detail and request id of what the door itself refuses → body and media type in the dialect's own form.
Refusal = Callable[[int, str, str], tuple[bytes, str]]


@dataclass(frozen=True)
class Mount:
    """A dialect at a prefix: ``""`` takes everything no longer prefix takes.

    ``routes`` are its documented ones, each a method with a path; ``base`` is the part of the prefix of which the
    dialect knows nothing (``below``). One with ``takes`` has only those requests below the prefix for which it says
    yes; the others are left to whoever else has the prefix.
    """

    prefix: str
    dialect: str
    app: App
    refusal: Refusal | None = None
    takes: Callable[[Scope], bool] | None = None
    routes: tuple[str, ...] = ()
    base: str = ""


def routes_of(app: Starlette) -> tuple[str, ...]:
    """Return an application's routes, each a method with a path."""
    listed = [route for route in app.routes if isinstance(route, Route)]
    return tuple(f"{method} {route.path}" for route in listed for method in sorted((route.methods or set()) - {"HEAD"}))


def below(base: str, mount: Mount) -> Mount:
    """Return a mount with something before all of its paths, which is taken off before its dialect sees a request."""
    if not base:
        return mount
    size, takes = len(base), mount.takes

    def bare(scope: Scope) -> Scope:
        return {**scope, "path": scope["path"][size:] or "/", "raw_path": None}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await mount.app(bare(scope), receive, send)

    return replace(
        mount,
        prefix=base + mount.prefix,
        app=app,
        takes=None if takes is None else lambda scope: takes(bare(scope)),
        routes=tuple(route.replace(" ", f" {base}", 1) for route in mount.routes),
        base=base,
    )


class BodyTooLarge(Exception):
    """The body passed its limit while it was being read."""


class Door:
    """One listener's ASGI application."""

    def __init__(
        self, mounts: Sequence[Mount], *, ids: Ids, metrics: Metrics, trusted: Sequence[Network], is_local: bool = False
    ) -> None:
        overlaps.require_none(mounts)
        prefixes = [mount.prefix for mount in mounts if mount.takes is None]
        if len(set(prefixes)) != len(prefixes):
            raise Misconfigured(f"two dialects claim the same prefix of one door: {sorted(prefixes)}")
        self._mounts = sorted(mounts, key=lambda mount: (-len(mount.prefix), mount.takes is None))
        self._ids = ids
        self._metrics = metrics
        self._trusted = tuple(trusted)
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        headers = scope["headers"]
        request_id = self._request_id(headers)
        address, scheme = origin(scope, headers, self._trusted)
        scope["scheme"] = scheme
        scope[FACTS_KEY] = RequestFacts(request_id, address, scheme, self._is_local, _user_agent(headers))
        bind_to_request(request_id)
        mount = self._mount(scope)
        answer = _Answer(send, request_id, mount.refusal or _detail)
        body = _Body(receive, answer)
        problem = _size_problem(headers)
        try:
            if problem is not None:
                await _refuse_whole(body, answer, headers, problem)
            else:
                await mount.app(scope, body.receive, answer.send)
        except BodyTooLarge:
            answer.is_overruled = True
        except Exception:
            log.exception("request failed", method=scope["method"], path=_public_path(scope["path"]))
            await answer.refuse(500, f"internal error; request id {request_id}")
        if answer.is_overruled:
            await _refuse_whole(body, answer, headers, _TOO_LARGE)
        self._metrics.observe(mount.dialect, scope["method"], answer.status, time.perf_counter() - started)

    def _mount(self, scope: Scope) -> Mount:
        path: str = scope["path"]
        for mount in self._mounts:
            is_below = path.startswith(mount.prefix) and path[len(mount.prefix) : len(mount.prefix) + 1] in ("", "/")
            if is_below and (mount.takes is None or mount.takes(scope)):
                return mount
        return _NOWHERE

    def _request_id(self, headers: Sequence[tuple[bytes, bytes]]) -> str:
        for name, value in headers:
            if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                return value.decode("ascii")
        return self._ids.hex(8)


class _Answer:
    """The way out: notes the status, adds the request id, and can refuse when nothing was sent yet."""

    def __init__(self, send: Send, request_id: str, refusal: Refusal) -> None:
        self._send = send
        self._refusal = refusal
        self._request_id = request_id.encode("ascii")
        self.status = 0
        self.is_overruled = False

    async def send(self, message: Message) -> None:
        if self.is_overruled and not self.status:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self._request_id)]
        await self._send(message)

    async def refuse(self, status: int, detail: str) -> None:
        if self.status:
            return
        self.is_overruled = False
        body, media_type = self._refusal(status, detail, self._request_id.decode("ascii"))
        headers = [(b"content-type", media_type.encode("ascii")), (b"content-length", str(len(body)).encode("ascii"))]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _user_agent(headers: Sequence[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"user-agent":
            return value.decode("latin-1")
    return "unknown"


def _detail(status: int, detail: str, request_id: str) -> tuple[bytes, str]:
    return b'{"detail":"' + detail.encode("ascii") + b'"}', "application/json"


def _size_problem(headers: Sequence[tuple[bytes, bytes]]) -> tuple[int, str] | None:
    size = 0
    for name, value in headers:
        size += len(name) + len(value)
        if name == b"content-length" and (not value.isdigit() or int(value) > BODY_SIZE_MAX_BYTES):
            return _TOO_LARGE
    return (431, "the headers are larger than 32 KB") if size > HEADERS_SIZE_MAX_BYTES else None


class _Body:
    """The way in: ends at the limit; from then on the answer is ours, whatever the framework makes of it."""

    def __init__(self, receive: Receive, answer: _Answer) -> None:
        self._receive = receive
        self._answer = answer
        self._size_bytes = 0
        self._has_ended = False

    async def receive(self) -> Message:
        message = await self._next()
        if self._size_bytes > BODY_SIZE_MAX_BYTES:
            self._answer.is_overruled = True
            raise BodyTooLarge
        return message

    async def discard(self) -> None:
        """Read the rest of a body that is refused, and throw it away."""
        while not self._has_ended and self._size_bytes <= DISCARDED_SIZE_MAX_BYTES:
            await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._size_bytes += len(message.get("body", b""))
        self._has_ended = not message.get("more_body", False)
        return message


async def _refuse_whole(
    body: _Body, answer: _Answer, headers: Sequence[tuple[bytes, bytes]], problem: tuple[int, str]
) -> None:
    """Refuse once the body is read; one that waits for a word of ours first (``Expect``) is not asked for."""
    if not answer.status and all(name != b"expect" for name, _ in headers):
        await body.discard()
    await answer.refuse(*problem)


def _public_path(path: str) -> str:
    """Return a path without what a subscription's address reveals."""
    before, secret, _ = path.partition("/sub/")
    return f"{before}{secret}…" if secret else path


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer where no dialect is."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_NOT_FOUND)).encode("ascii"))]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": _NOT_FOUND})


_NOT_FOUND = b'{"detail":"Not Found"}'
_NOWHERE = Mount("", "none", _not_found)
