"""HostTracker's API v2 on loopback: the account, monitors, memory of what was written under a key.

Shapes are those of the official SDK ``hosttracker`` 0.2.0: the views in ``_generated/models`` (``account_view``,
``monitor_page``, ``monitor_view``, ``monitor_write_result``, ``monitor_delete_receipt``), the closed vocabulary of
``monitor_write_request``, the catalogue of problems (a module for each code, with status, title and the members of
``errors[]``), the addresses ``https://api2.host-tracker.com/problems/<code-in-kebab-case>``; its README for the headers
RateLimit-Policy, -Limit, -Remaining, -Reset, X-Request-Id and Idempotency-Replayed, and for which 429 is which. The SDK
itself is run against this stand-in (tests/providers/test_hosttracker.py).
"""

import itertools
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

import orjson

from tests.support.standins.server import Came, StandIn, Told

TOKEN, LOGIN = "CANARY-hosttracker-token", "anna@example.com"
ACCOUNT = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
_PROBLEM = "application/problem+json"
_NOW_S = 1_790_000_000
_KINDS = {"api", "cntCheck", "counter", "database", "dnsbl", "domainExp", "http", "ping", "port", "snmp", "sslExp"}
_KINDS |= {"tran", "waterfall", "webRisk"}
_TITLES = {
    "duplicate_monitor": (409, "A monitor with this url and type already exists on this account."),
    "idempotency_key_conflict": (409, "This idempotency key is already in use for a different request."),
    "invalid_cursor": (422, "The pagination cursor is not valid."),
    "invalid_limit": (422, "The requested page size is outside the allowed range."),
    "invalid_token": (401, "The access token is missing, malformed or expired."),
    "ip_not_allowed": (403, "The caller's IP address is not on this token's allow-list."),
    "missing_scope": (403, "The token does not carry the scope this operation requires."),
    "not_found": (404, "The requested resource does not exist."),
    "package_limit": (403, "The account's package does not allow this operation."),
    "quota_exceeded": (429, "The account's API quota for this scope is exhausted."),
    "rate_limited": (429, "Too many requests - slow down."),
    "service_unavailable": (503, "The service is temporarily unavailable."),
    "unknown_enum_value": (422, "The value is not one this field accepts."),
    "unknown_parameter": (422, "The request carries a query parameter this endpoint does not define."),
    "validation_failed": (422, "The request body or query is not valid."),
}


class Refused(Exception):
    """An answer that is a problem."""

    def __init__(self, code: str, detail: str | None = None, **error: Any) -> None:
        self.code, self.detail, self.error = code, detail, error

    @property
    def status(self) -> int:
        return _TITLES[self.code][0]


@dataclass
class Monitor:
    """A monitor."""

    id: str
    kind: str
    url: str
    name: str
    state: str = "up"
    interval_s: int = 300

    def listed(self) -> dict[str, Any]:
        """Return a row of a list: without what is only in the whole view."""
        return {
            "id": self.id,
            "since": _NOW_S,
            "enabled": self.state != "paused",
            "updated": _NOW_S,
            "openStat": False,
            "fullLog": False,
            "type": self.kind,
            "name": self.name,
            "url": self.url,
            "state": self.state,
            "tags": [],
            "created": _NOW_S,
        }

    def whole(self) -> dict[str, Any]:
        return self.listed() | {"interval": self.interval_s}


class HostTracker(StandIn):
    """The stand-in."""

    def __init__(self) -> None:
        super().__init__()
        self.monitors: dict[str, Monitor] = {}
        self.tokens = {TOKEN: ACCOUNT}
        self.headers: dict[str, str] = {"RateLimit-Policy": "read;q=1000;w=3600", "X-Request-Id": "req-1"}
        self.headers |= {"RateLimit-Limit": "1000", "RateLimit-Remaining": "999", "RateLimit-Reset": "3600"}
        self.is_api_enabled = True
        self.refusal: Refused | None = None
        self._remembered: dict[str, tuple[bytes, Told]] = {}
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self) -> dict[str, str]:
        """Return the settings that point an instance here."""
        return {"provider_hosttracker_url": self.url}

    def add(self, url: str, kind: str = "http", state: str = "up", name: str = "") -> Monitor:
        """Add a monitor."""
        made = Monitor(str(uuid.UUID(int=next(self._numbers))), kind, url, name or url, state)
        self.monitors[made.id] = made
        return made

    def answer(self, came: Came) -> Told:
        try:
            told = self._remembering(came)
        except Refused as refused:
            status, title = _TITLES[refused.code]
            problem: dict[str, Any] = {
                "type": f"https://api2.host-tracker.com/problems/{refused.code.replace('_', '-')}",
                "title": title,
                "status": status,
                "code": refused.code,
                "instance": came.path,
            }
            problem |= {"detail": refused.detail} if refused.detail else {}
            problem |= {"errors": [refused.error]} if refused.error else {}
            told = Told(status, orjson.dumps(problem), _PROBLEM)
        return Told(told.status, told.body, told.media_type, {**self.headers, **told.headers})

    def _remembering(self, came: Came) -> Told:
        """Answer from memory what was written under the same key."""
        self._check_caller(came)
        key = came.headers.get("idempotency-key")
        if key is None or came.method == "GET":
            return self._answer(came)
        sent = f"{came.method} {came.path}\n".encode() + came.body
        if key in self._remembered:
            former, told = self._remembered[key]
            if former != sent:
                raise Refused("idempotency_key_conflict")
            return Told(told.status, told.body, headers={"Idempotency-Replayed": "true"})
        told = self._answer(came)
        self._remembered[key] = (sent, told)
        return told

    def _check_caller(self, came: Came) -> None:
        scheme, _, token = came.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            raise Refused("invalid_token", reason="malformed")
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal

    def _answer(self, came: Came) -> Told:
        match came.method, came.path:
            case "GET", "/account":
                return Told(200, orjson.dumps(self._account()))
            case "GET", "/monitor":
                return Told(200, orjson.dumps(self._page(came.query)))
            case "POST", "/monitor":
                return Told(201, orjson.dumps(self._create(json.loads(came.body)).whole()))
            case "DELETE", path if found := re.fullmatch(r"/monitor/([0-9a-f-]{36})", path):
                return Told(200, orjson.dumps(self._delete(found[1])))
        raise AssertionError(f"the stand-in has no {came.method} {came.path}")

    def _account(self) -> dict[str, Any]:
        flags = {"enabled": True, "active": True, "overlimited": False, "apiEnabled": self.is_api_enabled}
        return {"id": ACCOUNT, "login": LOGIN, "timezone": "Europe/Berlin", "flags": flags, "overlimits": []}

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        unknown = sorted(set(query) - {"limit", "cursor"})
        if unknown:
            raise Refused("unknown_parameter", pointer=f"/{unknown[0]}")
        limit = int(query.get("limit", "50"))
        if not 1 <= limit <= 500:
            raise Refused("invalid_limit", pointer="/limit")
        begin = self._place(query.get("cursor"))
        rows = list(self.monitors.values())
        has_more = begin + limit < len(rows)
        following = f"opaque-{begin + limit}" if has_more else None
        shown = [one.listed() for one in rows[begin : begin + limit]]
        return {"data": shown, "nextCursor": following, "hasMore": has_more}

    def _place(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        if not cursor.startswith("opaque-"):
            raise Refused("invalid_cursor", pointer="/cursor")
        return int(cursor.removeprefix("opaque-"))

    def _create(self, body: dict[str, Any]) -> Monitor:
        if unknown := set(body) - {"type", "url", "name", "interval", "enabled", "tags"}:
            raise Refused("validation_failed", pointer=f"/{unknown.pop()}", reason="unknown_member")
        if body.get("type") not in _KINDS:
            raise Refused("unknown_enum_value", "type is not one of the published types", pointer="/type")
        for one in self.monitors.values():
            if (one.kind, one.url) == (body["type"], body["url"]):
                raise Refused("duplicate_monitor", pointer="/url", existingId=one.id)
        made = self.add(body["url"], body["type"], name=body.get("name", ""))
        made.interval_s = body.get("interval", 300)
        return made

    def _delete(self, ident: str) -> dict[str, Any]:
        found = self.monitors.pop(ident, None)
        if found is None:
            raise Refused("not_found", resource="monitor", id=ident)
        cascaded = {"alertSubscriptions": 0, "reportSubscriptions": 0, "maintenanceSubscriptions": 0}
        head = {"id": found.id, "type": found.kind, "name": found.name, "url": found.url}
        return head | {"deleted": True, "cascaded": cascaded}
