"""HostTracker's API v2: the account, its monitors, and whether they are up.

Source: the official SDK ``hosttracker`` 0.2.0 (operations, views and the catalogue of problems in its generated part;
read 2026-11). Lists are pages of ``{data, nextCursor, hasMore}``; failures are RFC 9457 documents whose ``code`` is the
member to branch on: ``rate_limited`` and ``quota_exceeded`` are both 429, and only the first one passes by itself. What
was written under an ``Idempotency-Key`` is answered from memory for a day, so a write with one may be repeated.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from keystead.kit.secret import Secret
from keystead.providers.capability import Capability, Provider
from keystead.providers.connectable import Connectable, Field, RemoteAccount, Secrets
from keystead.providers.errors import (
    AddressRefused,
    ProviderBusy,
    ProviderFailed,
    ProviderRejected,
    ProviderUnreadable,
    SecretRefused,
)
from keystead.providers.transport import Answer, Ask, Repeat, Transport

HOSTTRACKER = Provider(
    id="hosttracker",
    title="HostTracker",
    base_url="https://api2.host-tracker.com",
    secret_fields=("token",),
    public_fields=("login",),
    capabilities=frozenset({Capability.MONITORS}),
    errors={
        "401 invalid_token": "the token is wrong or has ended",
        "403 ip_not_allowed": "the token is bound to addresses, and requests come from another one",
        "403 missing_scope, insufficient_rights": "the token, or its user, may not do this; told by its code",
        "404 not_found": "there is no monitor with this id",
        "409 duplicate_monitor": "the account has a monitor with this URL and type; told by its code",
        "429 rate_limited, or none": "too many requests; tried again later",
        "429 quota_exceeded": "the account's quota is spent: told by its code, and nothing is repeated",
        "5xx": "not available for now",
        "any other": "told by its code and its own sentence",
    },
    limits="read from the headers RateLimit-Remaining, RateLimit-Reset and Retry-After",
    lacks={
        "bulk jobs, contacts, alerts, reports, status pages": "not used here yet",
        "revoking the token": "HostTracker does not keep tokens; one is good until its own end",
    },
)

PAGE_SIZE = 200
_PAGES_MAX = 1000
_NOT_FOUND = 404
_TOO_MANY = "rate_limited"
_STATES = ("up", "down", "paused", "maintenance")
_IDENT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)

Json = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """Whose token it is, and whether the account's package allows the API at all."""

    id: str
    login: str
    is_api_enabled: bool


@dataclass(frozen=True)
class Monitor:
    """A monitor. ``state`` is up, down, paused or maintenance, ``since`` that moment."""

    id: str
    name: str
    kind: str
    url: str
    state: str
    is_enabled: bool
    since: datetime | None
    interval_s: int | None


@dataclass(frozen=True)
class MonitorWish:
    """A monitor to be made; without an interval it runs at the account's default."""

    url: str
    kind: str = "http"
    name: str | None = None
    interval_s: int | None = None

    @property
    def body(self) -> Json:
        """Return the body of the request."""
        optional = {"name": self.name, "interval": self.interval_s}
        return {"type": self.kind, "url": self.url} | {
            name: value for name, value in optional.items() if value is not None
        }


class HostTracker:
    """Call HostTracker with one token."""

    def __init__(self, transport: Transport, token: Secret[str]) -> None:
        self._transport = transport
        self._token = token
        self._key = hashlib.sha256(token.reveal().encode()).hexdigest()[:16]

    async def account(self) -> Account:
        """Return whose token this is; also the check of a token."""
        found = _object(_read(await self._send("GET", "/account")), "id")
        flags = found.get("flags")
        is_enabled = flags.get("apiEnabled") is not False if isinstance(flags, dict) else True
        return Account(str(found["id"]).lower(), str(found.get("login") or ""), is_enabled)

    async def verify(self) -> RemoteAccount:
        """Return whose token this is, and its end as the token itself tells it."""
        found = await self.account()
        told = {"login": found.login, "api_enabled": found.is_api_enabled}
        scope, ends_at = {"login": found.login}, _end_of(self._token.reveal())
        return RemoteAccount(found.id, scope=scope, told=told, expires_at=ends_at)

    async def monitors(self) -> list[Monitor]:
        """Return every monitor with its state as it is now: all pages. A list does not tell intervals."""
        return [_monitor(row) for row in await self._all("/monitor")]

    async def create_monitor(self, wish: MonitorWish, idempotency_key: str) -> Monitor:
        """Make a monitor, once for each key however often it is sent."""
        answer = await self._send("POST", "/monitor", body=wish.body, idempotency_key=idempotency_key)
        return _monitor(_read(answer, has_effect=True))

    async def delete_monitor(self, ident: str, idempotency_key: str) -> bool:
        """Delete a monitor; return False when there is none with this id."""
        if not is_monitor_id(ident):
            return False
        answer = await self._send("DELETE", f"/monitor/{ident.lower()}", idempotency_key=idempotency_key)
        try:
            _read(answer, has_effect=True)
        except ProviderRejected as refusal:
            if refusal.status != _NOT_FOUND:
                raise
            return False
        return True

    async def _all(self, path: str) -> list[Any]:
        found: list[Any] = []
        cursor: str | None = None
        for _ in range(_PAGES_MAX):
            more = {} if cursor is None else {"cursor": cursor}
            page = _object(_read(await self._send("GET", path, {"limit": str(PAGE_SIZE), **more})), "data")
            found += page["data"] if isinstance(page["data"], list) else []
            following = page.get("nextCursor")
            # A cursor that stays the same would be a fault over there, and no reason to ask for ever.
            if not following or following == cursor:
                break
            cursor = str(following)
        return found

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Json | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        headers = {"authorization": f"Bearer {self._token.reveal()}", "accept": "application/json"}
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        if body is not None:
            headers["content-type"] = "application/json"
        raw = b"" if body is None else orjson.dumps(body)
        ask = Ask(method, path, key=self._key, repeat=Repeat.HARMLESS, query=query or {}, headers=headers, body=raw)
        try:
            return await self._transport.send(ask)
        except ProviderBusy as busy:
            problem = _json(busy.body)
            if problem.get("code") in {None, _TOO_MANY}:
                raise
            raise _refusal(busy.status, problem) from None


def _client(transport: Transport, secrets: Secrets) -> HostTracker:
    return HostTracker(transport, secrets["token"])


CONNECTABLE = Connectable(
    provider=HOSTTRACKER,
    ways=((Field("token", "An API token, made on HostTracker's profile page; it cannot be revoked"),),),
    client=_client,
)


def is_monitor_id(text: str) -> bool:
    """Tell whether a text could be a monitor's id; nothing is asked about any other."""
    return _IDENT.fullmatch(text) is not None


def counts(monitors: list[Monitor]) -> dict[str, int]:
    """Count monitors by state; all four states are there."""
    return {state: sum(1 for one in monitors if one.state == state) for state in _STATES}


def _end_of(token: str) -> datetime | None:
    """Return when a token ends; None for one that does not say. It is HostTracker that checks its signature."""
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return None
    return _moment(claims.get("exp")) if isinstance(claims, dict) else None


def _read(answer: Answer, *, has_effect: bool = False) -> Any:
    """Return the document of an answer; raise by what a failure means."""
    status = answer.status
    if 200 <= status < 300:
        return _json(answer.body, may_have_landed=has_effect, is_needed=True)
    problem = _json(answer.body)
    if status >= 500 or not isinstance(problem.get("code"), str):
        raise ProviderFailed(f"HostTracker answered HTTP {status}", status=status, may_have_landed=has_effect)
    raise _refusal(status, problem)


def _refusal(status: int, problem: Json) -> ProviderRejected:
    code = str(problem["code"])
    text = str(problem.get("detail") or problem.get("title") or "")
    kinds: dict[str, type[ProviderRejected]] = {"invalid_token": SecretRefused, "ip_not_allowed": AddressRefused}
    kind = kinds.get(code, ProviderRejected)
    return kind(f"HostTracker refused: {code}", number=code, text=text, status=status)


def _monitor(row: Any) -> Monitor:
    values = _object(row, "id")
    return Monitor(
        id=str(values["id"]).lower(),
        name=str(values.get("name") or ""),
        kind=str(values.get("type") or ""),
        url=str(values.get("url") or ""),
        state=str(values.get("state") or ""),
        is_enabled=values.get("enabled") is not False,
        since=_moment(values.get("since")),
        interval_s=_whole(values.get("interval")),
    )


def _moment(value: object) -> datetime | None:
    """Return Unix seconds as a moment; None for what is none."""
    seconds = _whole(value)
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _json(body: bytes, *, may_have_landed: bool = False, is_needed: bool = False) -> Json:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict):
        return found
    if is_needed:
        raise ProviderUnreadable("HostTracker answered no JSON object", may_have_landed=may_have_landed)
    return {}


def _object(found: Any, needed: str) -> Json:
    if not isinstance(found, dict) or found.get(needed) is None:
        raise ProviderUnreadable(f"HostTracker's answer lacks {needed}")
    return found
