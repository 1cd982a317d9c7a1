"""The client for requests to the outside: a webhook's URL, which somebody else wrote down, and a provider's API.

A host is resolved once, every address is checked against the reach, and the connection is made to the very address that
was checked: there is no second resolution in between that could answer otherwise (DNS rebinding). The name stays in the
Host header, in SNI and in the check of the certificate. No redirect is followed, no proxy of the environment is asked,
no cookie is kept. Of an answer to a webhook only the status and ``Retry-After`` are looked at; a provider's is read
whole, up to a limit.

Used by the courier of webhooks and by ``providers``; a subject never sends anything itself. What was sent is in no
message and no log: URLs may hold secrets.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from keystead.kit.clock import Clock
from keystead.kit.errors import Invalid
from keystead.kit.reach import Address, Reach, Url
from keystead.outgoing.resolver import Resolver

if TYPE_CHECKING:
    import httpx2

CONNECT_TIMEOUT_S = 5.0
TOTAL_TIMEOUT_S = 15.0
# A receiver's words are thrown away; reading some of them spares it a broken connection.
_READ_BYTES_MAX = 16 * 1024
_ADDRESSES_MAX = 3
_RETRY_AFTER_MAX_S = 86_400


class Problem(StrEnum):
    """Why a request got no answer."""

    URL = "the URL may not be used"
    ADDRESS = "its address is private, local or reserved, or the port is not for the web"
    NAME = "the host name does not resolve"
    CONNECT = "no connection could be made"
    TLS = "the TLS handshake failed, or the certificate is not valid for the host"
    TIME = "no answer in time"
    PROTOCOL = "the connection broke off, or what came back is not HTTP"
    SIZE = "the answer is larger than expected"

    @property
    def may_have_arrived(self) -> bool:
        """Tell whether the other side may have acted on the request all the same."""
        return self in {Problem.TIME, Problem.PROTOCOL, Problem.SIZE}


@dataclass(frozen=True)
class Reply:
    """How a request went: a status, or the problem that kept it from having one.

    Names of ``headers`` are in small letters; headers and body are those of a request that wanted them.
    """

    status: int | None
    problem: Problem | None = None
    retry_after_s: int | None = None
    duration_ms: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Request:
    """What is to be sent, and how much of the answer is wanted: nothing, or all of it up to a limit."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    timeout_s: float = TOTAL_TIMEOUT_S
    wanted_bytes_max: int | None = None


class OutgoingClient:
    """Send requests to the outside world."""

    def __init__(self, reach: Reach, resolver: Resolver, clock: Clock, *, tls: ssl.SSLContext | None = None) -> None:
        self._reach = reach
        self._resolver = resolver
        self._clock = clock
        self._tls = tls

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one request whose answer's words nobody wants; never raises for what the outside does."""
        return await self.send(Request("POST", url, headers, body, timeout_s=TOTAL_TIMEOUT_S))

    async def send(self, request: Request) -> Reply:
        """Send one request and return how it went; never raises for what the outside does."""
        began_s = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(request.timeout_s):
                reply = await self._send(self._reach.check_url(request.url), request)
        except Invalid:
            reply = Reply(None, Problem.URL)
        except TimeoutError:
            reply = Reply(None, Problem.TIME)
        return replace(reply, duration_ms=int((self._clock.monotonic_s() - began_s) * 1000))

    async def _send(self, url: Url, request: Request) -> Reply:
        try:
            found = await self._resolver.addresses(url.host, url.port)
        except (OSError, UnicodeError):
            return Reply(None, Problem.NAME)
        open_ones = [address for address in found if self._reach.refusal(url, address) is None]
        reply = Reply(None, Problem.ADDRESS if found else Problem.NAME)
        for address in open_ones[:_ADDRESSES_MAX]:
            reply = await self._send_to(address, url, request)
            if reply.problem is not Problem.CONNECT:
                return reply
        return reply

    async def _send_to(self, address: Address, url: Url, request: Request) -> Reply:
        """Send to one address; the URL names the address, and the header and SNI the host."""
        # Heavy to import, and an instance without webhooks and providers never sends anything.
        import httpx2

        pinned = httpx2.URL(f"{url.scheme}://placeholder{url.target}").copy_with(host=str(address), port=url.port)
        timeout = httpx2.Timeout(request.timeout_s, connect=min(CONNECT_TIMEOUT_S, request.timeout_s))
        transport = httpx2.AsyncHTTPTransport(verify=self._context(), trust_env=False)
        async with httpx2.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as http:
            built = http.build_request(
                request.method,
                pinned,
                headers={
                    **request.headers,
                    "host": url.authority,
                    "connection": "close",
                    "accept-encoding": "identity",
                },
                content=request.body,
                extensions={**_sni(url), "timeout": timeout.as_dict()},
            )
            try:
                return await _answer(http, built, request.wanted_bytes_max)
            except httpx2.HTTPError as error:
                return Reply(None, _problem(error))

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


async def _answer(http: "httpx2.AsyncClient", request: "httpx2.Request", wanted_bytes_max: int | None) -> Reply:
    response = await http.send(request, stream=True, follow_redirects=False)
    limit = _READ_BYTES_MAX if wanted_bytes_max is None else wanted_bytes_max
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > limit:
                break
    finally:
        await response.aclose()
    reply = Reply(response.status_code, retry_after_s=_retry_after(response.headers.get("retry-after")))
    if wanted_bytes_max is None:
        return reply
    if len(body) > limit:
        return Reply(None, Problem.SIZE)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return replace(reply, headers=headers, body=bytes(body))


def _problem(error: "httpx2.HTTPError") -> Problem:
    import httpx2

    if isinstance(error, httpx2.ConnectError):
        return Problem.TLS if _is_about_tls(error) else Problem.CONNECT
    if isinstance(error, httpx2.ConnectTimeout):
        return Problem.CONNECT
    if isinstance(error, httpx2.TimeoutException):
        return Problem.TIME
    return Problem.PROTOCOL


def _is_about_tls(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _sni(url: Url) -> dict[str, str]:
    return {"sni_hostname": url.host} if url.scheme == "https" else {}


def _retry_after(value: str | None) -> int | None:
    """Return the seconds of ``Retry-After``; its other form, a date, is not read."""
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return min(int(value[:9]), _RETRY_AFTER_MAX_S)
