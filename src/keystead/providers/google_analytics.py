"""Google Analytics 4: properties, a report by day, who is there now. Tokens are those of ``google_tokens``.

Sources: Google's discovery documents ``analyticsadmin.v1beta`` (revision 20261102) and ``analyticsdata.v1beta``
(20261006), and developers.google.com/analytics (read 2026-11). Numbers come as text, empty lists are left out, and a
report leaves out days without anything unless it is asked to keep them. A failure is
``{"error": {"code", "message", "status"}}``; ``status`` is the word to go by.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import orjson

from keystead.kit.errors import Invalid
from keystead.providers.capability import Capability, Provider
from keystead.providers.connectable import Connectable, Field, RemoteAccount, Secrets
from keystead.providers.errors import (
    ProviderBusy,
    ProviderFailed,
    ProviderRejected,
    ProviderUnreadable,
    SecretRefused,
)
from keystead.providers.google_tokens import (
    BASE_URL,
    TOKENS,
    AccessToken,
    Grant,
    GrantTokens,
    Json,
    RefreshToken,
    ServiceAccount,
    json_of,
    service_account,
)
from keystead.providers.transport import Answer, Ask, Repeat, Transport

# The name of the host that lists properties, among the provider's.
ADMIN = "admin"

GOOGLE_ANALYTICS = Provider(
    id="google_analytics",
    title="Google Analytics",
    base_url="https://analyticsdata.googleapis.com",
    secret_fields=("service_account", "client_secret", "refresh_token", "access_token"),
    public_fields=("kind", "client_id"),
    capabilities=frozenset({Capability.PROPERTIES, Capability.VISITS, Capability.REALTIME}),
    errors={
        "invalid_grant, invalid_client, unauthorized_client": "the key or the refresh token is wrong, deleted or ended",
        "401 UNAUTHENTICATED": "the access token has ended; a new one is asked for, once",
        "403 PERMISSION_DENIED": "no viewer of the property, or the API is not enabled; told by its word",
        "429 RESOURCE_EXHAUSTED": "the property's tokens for this hour or day are spent; tried again later",
        "HTTP 5xx": "not available for now",
        "any other": "told by its word and its own sentence",
    },
    limits="40,000 tokens an hour and 200,000 a day for each property, 10 requests at once; told by 429",
    lacks={
        "events, streams, administration": "only analytics.readonly is asked for",
        "token_uri of an uploaded key": "never followed: tokens come from one address, which is a setting",
    },
    parallel=10,
    hosts={ADMIN: "https://analyticsadmin.googleapis.com", TOKENS: BASE_URL},
)

# The largest that Google takes.
PAGE_SIZE = 200
# More days than there are in a property's life.
ROWS_MAX = 10_000
# What realtime looks back on: the last half hour, of every kind of property.
REALTIME_MINUTES = 30
METRICS = ("activeUsers", "newUsers", "sessions", "screenPageViews")
_DAYS_USUAL = 28
_PAGES_MAX = 1000
_UNAUTHENTICATED = 401


@dataclass(frozen=True)
class Property:
    """A property, and the account it is in; ``id`` is the number that reports are asked for with."""

    id: str
    name: str
    kind: str
    account: str


@dataclass(frozen=True)
class Day:
    """What a property counted on a day."""

    day: date
    active_users: int
    new_users: int
    sessions: int
    views: int


class GoogleAnalytics:
    """Call Google Analytics with what one credential grants."""

    def __init__(self, transport: Transport, grant: Grant) -> None:
        self._transport = transport
        self._grant = grant
        self._tokens = GrantTokens(transport, grant)

    async def verify(self) -> RemoteAccount:
        """Return whose grant this is; one that may look at nothing is told from one that looks at nothing yet."""
        access = await self._tokens.access()
        seen = len(await self.properties())
        ends_at = None
        if access.ends_in_s is not None:
            ends_at = self._transport.clock.now() + timedelta(seconds=access.ends_in_s)
        return RemoteAccount(access.subject, scope=_shown(self._grant), told={"properties": seen}, expires_at=ends_at)

    async def properties(self) -> list[Property]:
        """Return every property of every account: all pages."""
        found: list[Property] = []
        query = {"pageSize": str(PAGE_SIZE)}
        for _ in range(_PAGES_MAX):
            page = await self._ask("GET", "/v1beta/accountSummaries", query=query, host=ADMIN)
            found += [one for summary in _list(page, "accountSummaries") for one in _properties(summary)]
            following = page.get("nextPageToken")
            if not following or following == query.get("pageToken"):
                break
            query = {**query, "pageToken": str(following)}
        return found

    async def report(self, property_id: int, first: date | None = None, last: date | None = None) -> list[Day]:
        """Return what a property counted on each day of a range, both ends in it; raise Invalid for none.

        Without a last day it is today, without a first one four weeks are told.
        """
        last = last or self._transport.clock.now().date()
        first = first or last - timedelta(days=_DAYS_USUAL - 1)
        if not 1 <= (last - first).days + 1 <= ROWS_MAX:
            problem = f"the last day is on or after the first, and at most {ROWS_MAX} days are asked for at once"
            raise Invalid(problem, fields={"date2": problem})
        body = {
            "dateRanges": [{"startDate": first.isoformat(), "endDate": last.isoformat()}],
            "dimensions": [{"name": "date"}],
            "metrics": [{"name": name} for name in METRICS],
            "orderBys": [{"dimension": {"dimensionName": "date"}}],
            "keepEmptyRows": True,
            "limit": str(ROWS_MAX),
        }
        found = await self._report(property_id, "runReport", body)
        return [_day(row) for row in _list(found, "rows")]

    async def realtime_users(self, property_id: int) -> int:
        """Return how many were active in the last half hour."""
        body: Json = {"metrics": [{"name": METRICS[0]}]}
        rows = _list(await self._report(property_id, "runRealtimeReport", body), "rows")
        return _numbers(rows[0], 1)[0] if rows else 0

    async def _report(self, property_id: int, what: str, body: Json) -> Json:
        # Google counts a property's tokens, not a caller's: one that is spent does not stop the others.
        path = f"/v1beta/properties/{property_id}:{what}"
        return await self._ask("POST", path, body=body, paced_by=str(property_id))

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        host: str = "",
        paced_by: str = "",
    ) -> Json:
        raw = b"" if body is None else orjson.dumps(body)
        # All of it only reads.
        key, repeat = f"{self._tokens.key}/{paced_by}", Repeat.HARMLESS
        ask = Ask(method, path, key=key, repeat=repeat, query=query or {}, body=raw, host=host)
        try:
            return _read(await self._granted(ask))
        except ProviderBusy as busy:
            message = _words(busy.body)[1]
            raise _busy(busy, message) if message else busy from None

    async def _granted(self, ask: Ask) -> Answer:
        """Send with an access token, and once more with a new one where the first was taken back before its end."""
        answer = await self._send(ask)
        if answer.status == _UNAUTHENTICATED and self._tokens.forget():
            answer = await self._send(ask)
        return answer

    async def _send(self, ask: Ask) -> Answer:
        token = (await self._tokens.token()).reveal()
        headers = {"authorization": f"Bearer {token}", "accept": "application/json", "content-type": "application/json"}
        return await self._transport.send(replace(ask, headers=headers))


def grant_of(secrets: Secrets) -> Grant:
    """Return what a person handed over as a grant; raise SecretRefused for a key that is none."""
    if "service_account" in secrets:
        return service_account(secrets["service_account"].reveal())
    if "refresh_token" in secrets:
        return RefreshToken(secrets["client_id"].reveal(), secrets["client_secret"], secrets["refresh_token"])
    return AccessToken(secrets["access_token"])


def _client(transport: Transport, secrets: Secrets) -> GoogleAnalytics:
    return GoogleAnalytics(transport, grant_of(secrets))


CONNECTABLE = Connectable(
    provider=GOOGLE_ANALYTICS,
    ways=(
        (Field("service_account", "The JSON key of a service account, as Google's console gives it", is_json=True),),
        (
            Field("refresh_token", "A refresh token with the scope analytics.readonly"),
            Field("client_id", "The OAuth client that it was granted to"),
            Field("client_secret", "That client's secret"),
        ),
        (Field("access_token", "An access token alone; it ends within the hour"),),
    ),
    client=_client,
    aliases=("ga",),
)


def _shown(grant: Grant) -> dict[str, str]:
    match grant:
        case ServiceAccount():
            return {"kind": "service_account"}
        case RefreshToken():
            return {"kind": "oauth", "client_id": grant.client_id}
        case AccessToken():
            return {"kind": "access_token"}


def _read(answer: Answer) -> Json:
    status = answer.status
    if 200 <= status < 300:
        found = json_of(answer.body)
        if found is None:
            raise ProviderUnreadable("Google answered no JSON object")
        return found
    word, text = _words(answer.body)
    if status >= 500 or not word:
        raise ProviderFailed(f"Google answered HTTP {status}", status=status)
    kind = SecretRefused if status == _UNAUTHENTICATED else ProviderRejected
    raise kind(f"Google refused: {word}", number=word, text=text, status=status)


def _words(body: bytes) -> tuple[str, str]:
    """Return the word and the sentence of a failure; empty where there are none."""
    error = (json_of(body) or {}).get("error")
    if not isinstance(error, dict):
        return "", ""
    return str(error.get("status") or error.get("code") or ""), str(error.get("message") or "")


def _busy(busy: ProviderBusy, message: str) -> ProviderBusy:
    """Return the same limit with Google's sentence, which says which of its limits that was."""
    text = f"Google Analytics takes no more requests for now: {message}"
    return ProviderBusy(text, retry_after_s=busy.retry_after_s, status=busy.status, body=busy.body)


def _properties(summary: Any) -> list[Property]:
    account = str(summary.get("displayName") or "") if isinstance(summary, dict) else ""
    return [
        Property(
            id=str(one.get("property") or "").removeprefix("properties/"),
            name=str(one.get("displayName") or ""),
            kind=str(one.get("propertyType") or "").removeprefix("PROPERTY_TYPE_").lower(),
            account=account,
        )
        for one in _list(summary, "propertySummaries")
        if isinstance(one, dict)
    ]


def _day(row: Any) -> Day:
    try:
        day = date.fromisoformat(_values(row, "dimensionValues")[0])
    except ValueError:
        raise ProviderUnreadable("Google answered a day that is none") from None
    return Day(day, *_numbers(row, len(METRICS)))


def _numbers(row: Any, count: int) -> list[int]:
    written = _values(row, "metricValues")
    try:
        found = [int(text) for text in written]
    except ValueError:
        raise ProviderUnreadable("Google answered a count that is no number") from None
    if len(found) != count:
        raise ProviderUnreadable(f"Google answered {len(found)} counts where {count} were asked for")
    return found


def _values(row: Any, name: str) -> list[str]:
    found = [str(one.get("value", "")) for one in _list(row, name) if isinstance(one, dict)]
    if not found:
        raise ProviderUnreadable(f"a row of Google's answer lacks {name}")
    return found


def _list(found: Any, name: str) -> list[Any]:
    """Return a list of an answer: what is empty is left out of it."""
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, list) else []
