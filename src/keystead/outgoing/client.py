"""The client for requests to addresses that somebody else wrote down: a webhook's URL, later a provider's.

A host is resolved once, every address is checked against the reach, and the connection is made to the very address that
was checked: there is no second resolution in between that could answer otherwise (DNS rebinding). The name stays in the
Host header, in SNI and in the check of the certificate. No redirect is followed, no proxy of the environment is asked,
no cookie is kept, and of the answer only the status and ``Retry-After`` are looked at.

Used by the courier of webhooks; a subject never sends anything itself.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Reply:
    """How a request went: a status, or the problem that kept it from having one."""

    status: int | None
    problem: Problem | None = None
    retry_after_s: int | None = None
    duration_ms: int = 0


class OutgoingClient:
    """Post to the outside world."""

    def __init__(self, reach: Reach, resolver: Resolver, clock: Clock, *, tls: ssl.SSLContext | None = None) -> None:
        self._reach = reach
        self._resolver = resolver
        self._clock = clock
        self._tls = tls

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one request and return how it went; never raises for what the outside does."""
        began_s = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT_S):
                reply = await self._post(self._reach.check_url(url), headers, body)
        except Invalid:
            reply = Reply(None, Problem.URL)
        except TimeoutError:
            reply = Reply(None, Problem.TIME)
        took_ms = int((self._clock.monotonic_s() - began_s) * 1000)
        return Reply(reply.status, reply.problem, reply.retry_after_s, took_ms)

    async def _post(self, url: Url, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            found = await self._resolver.addresses(url.host, url.port)
        except (OSError, UnicodeError):
            return Reply(None, Problem.NAME)
        open_ones = [address for address in found if self._reach.refusal(url, address) is None]
        reply = Reply(None, Problem.ADDRESS if found else Problem.NAME)
        for address in open_ones[:_ADDRESSES_MAX]:
            reply = await self._post_to(address, url, headers, body)
            if reply.problem is not Problem.CONNECT:
                return reply
        return reply

    async def _post_to(self, address: Address, url: Url, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send to one address; the URL names the address, and the header and SNI the host."""
        # Heavy to import, and an instance without webhooks never sends anything.
        import httpx2

        pinned = httpx2.URL(f"{url.scheme}://placeholder{url.target}").copy_with(host=str(address), port=url.port)
        timeout = httpx2.Timeout(TOTAL_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        transport = httpx2.AsyncHTTPTransport(verify=self._context(), trust_env=False)
        async with httpx2.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as http:
            request = http.build_request(
                "POST",
                pinned,
                headers={**headers, "host": url.authority, "connection": "close", "accept-encoding": "identity"},
                content=body,
                extensions={**_sni(url), "timeout": timeout.as_dict()},
            )
            try:
                return await _answer(http, request)
            except httpx2.HTTPError as error:
                return Reply(None, _problem(error))

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


async def _answer(http: "httpx2.AsyncClient", request: "httpx2.Request") -> Reply:
    response = await http.send(request, stream=True, follow_redirects=False)
    try:
        read = 0
        async for chunk in response.aiter_raw():
            read += len(chunk)
            if read >= _READ_BYTES_MAX:
                break
    finally:
        await response.aclose()
    return Reply(response.status_code, retry_after_s=_retry_after(response.headers.get("retry-after")))


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
