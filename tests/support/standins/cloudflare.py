"""Cloudflare's API on loopback: accounts, tokens that may do what their policies say, zones and DNS records.

Every request that comes and every answer that goes is held against the official OpenAPI document
(``cloudflare_document``). Where the document leaves something open, shapes are those of public recordings; each part
(``cloudflare_tokens``, ``cloudflare_zones``, …) says of which, and these are of all:

- envelope and page info: the document, and lexicon's recorded cassettes for Cloudflare
- 429 with the headers Ratelimit and Retry-After (developers.cloudflare.com/fundamentals/api/reference/limits)
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from tests.support.standins import cloudflare_document as document
from tests.support.standins.cloudflare_records import Records
from tests.support.standins.cloudflare_redirects import Redirects
from tests.support.standins.cloudflare_state import BASE, MINE, OTHER, Refused, Result, Token
from tests.support.standins.cloudflare_tokens import Tokens
from tests.support.standins.cloudflare_zones import Zones
from tests.support.standins.server import Came, Told, serving

__all__ = ["BASE", "MINE", "OTHER", "Cloudflare", "Token", "cloudflare"]
_RATE = {"Ratelimit": '"default";r=1100;t=240'}


class Cloudflare(Tokens, Zones, Records, Redirects):
    """The stand-in."""

    # Clients of others send what the document's version does not have yet; what they are answered is held to it too.
    checks_requests = True

    def check(self, came: Came) -> None:
        """Raise Undocumented where a request is none that the document has, whatever becomes of it."""
        if self.checks_requests:
            path, media_type = came.path.removeprefix(BASE), came.headers.get("content-type", "")
            document.check_request(came.method, path, came.query, came.body, media_type)

    def check_refusal(self, came: Came, told: Told) -> None:
        """Raise Undocumented where a test's own answer is an envelope, and none that the document has."""
        if told.body.startswith(b"{"):
            document.check_answer(came.method, came.path.removeprefix(BASE), told.status, told.body)

    def answer(self, came: Came) -> Told:
        path = came.path.removeprefix(BASE)
        try:
            result, extra = self._result(came, path)
            status = 200
        except Refused as refused:
            told = {"code": refused.code, "message": refused.message}
            result, extra, status = None, {"success": False, "errors": [told]}, refused.status
        if extra is None:
            document.check_answer(came.method, path, status, result.encode(), "text/plain")
            return Told(status, result.encode(), "text/plain", headers=_RATE)
        body: dict[str, Any] = {"success": True, "errors": [], "messages": [], **extra, "result": result}
        raw = orjson.dumps(body)
        document.check_answer(came.method, path, status, raw)
        return Told(status, raw, headers=_RATE)

    def _result(self, came: Came, path: str) -> Result:
        caller = self._caller(came)
        routes = (*self.token_routes(), *self.record_routes(), *self.zone_routes(), *self.redirect_routes())
        for method, pattern, handle in routes:
            found = re.fullmatch(pattern, path)
            if found and method == came.method:
                return handle(caller, came, *found.groups())
        raise AssertionError(f"the stand-in has no {came.method} {path}")


@contextmanager
def cloudflare() -> Iterator[Cloudflare]:
    """Serve a Cloudflare for the duration."""
    standin = Cloudflare()
    with serving(standin):
        yield standin
