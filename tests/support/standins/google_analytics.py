"""Google on loopback: the address tokens come from, Analytics' properties, reports and realtime.

Every request for Analytics that comes and every answer that goes is held against Google's discovery documents
(``google_document``). What they leave open is as it was recorded elsewhere:

- tokens: developers.google.com/identity/protocols/oauth2/service-account (claims, ``expires_in`` 3599 of 3600, and
  ``invalid_grant`` "Invalid JWT Signature."), the same site's web-server (refresh; ``invalid_grant`` "Bad Request")
- "Invalid grant: account not found", "Invalid JWT: Token must be a short-lived token…": the same page, and
  googleapis/google-cloud-python#10004, erebusnz/gapi-google-analytics-php-interface#147
- ``tokeninfo``: ``sub`` only where a scope of identity was granted, numbers as text, "invalid_token": Google's
  discovery document ``oauth2.v2`` and developers.google.com/identity/openid-connect
- failures: ``{"error": {"code", "message", "status"}}`` (google.aip.dev/193); "Exhausted property tokens…" with 429
  RESOURCE_EXHAUSTED (developers.google.com/analytics/devguides/reporting/data/v1/quotas); 403 for a property that one
  is no viewer of, with the sentence that googleapis/google-cloud-python has in its reports of it
- a report leaves out empty lists, writes counts as text, and days of nothing only with ``keepEmptyRows``
"""

import json
import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import orjson

from tests.support.standins import google_document as document
from tests.support.standins.server import Came, StandIn, Told

EMAIL = "keystead@example-project.iam.gserviceaccount.com"
AUDIENCE = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
CLIENT_ID, CLIENT_SECRET = "1234.apps.googleusercontent.com", "CANARY-google-client"
REFRESH_TOKEN, SUBJECT = "CANARY-google-refresh", "110169484474386276334"
EVIL = "https://evil.example.com/token"
# Rows of a report where nobody says how many.
_LIMIT = 10_000
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Refused(Exception):
    """An answer with an error, of the API (with a word) or of the address of tokens (without a number)."""

    def __init__(self, status: int, word: str, text: str) -> None:
        self.status, self.word, self.text = status, word, text


@dataclass
class Property:
    """A property and what it has counted: active, new, sessions and views of a day."""

    id: int
    name: str
    viewers: set[str]
    days: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    now: int = 0


@cache
def private_key() -> str:
    """Return the private key of the service account; made once, since that takes a while."""
    return _new_key()


@cache
def other_key() -> str:
    """Return a key that Google does not know."""
    return _new_key()


def uploaded(**more: Any) -> dict[str, Any]:
    """Return a service account's key as Google's console gives it, with a token_uri that nobody must follow."""
    return {
        "type": "service_account",
        "project_id": "example-project",
        "private_key_id": "0123456789abcdef0123456789abcdef01234567",
        "private_key": private_key(),
        "client_email": EMAIL,
        "client_id": "110000000000000000000",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": EVIL,
        **more,
    }


class GoogleAnalytics(StandIn):
    """The stand-in. One address serves what Google has three for."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, list[Property]] = {"Example": []}
        self.page_size_max = 200
        self.identity: dict[str, str] = {"sub": SUBJECT, "email": "anna@example.com"}
        self.tokens: dict[str, str] = {}
        self.has_account = True
        self.refusal: Refused | None = None
        self.made = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self) -> dict[str, str]:
        """Return the settings that point an instance here, with all that it asks Google."""
        return {f"provider_google_analytics{host}_url": self.url for host in ("", "_admin", "_token")}

    def add(self, ident: int, name: str = "Site", *, account: str = "Example", who: str = EMAIL) -> Property:
        """Add a property that one may view."""
        made = Property(ident, name, {who})
        self.accounts.setdefault(account, []).append(made)
        return made

    def revoke(self) -> None:
        """Take back every access token, before their end."""
        self.tokens.clear()

    def answer(self, came: Came) -> Told:
        try:
            if came.path in {"/token", "/tokeninfo"}:
                return Told(200, orjson.dumps(self._token(came)))
            document.check_request(came.method, came.path, came.query, came.body)
            body = orjson.dumps(self._analytics(came))
        except Refused as refused:
            return Told(refused.status, orjson.dumps(_failure(came, refused)))
        document.check_answer(came.method, came.path, body)
        return Told(200, body)

    # --- tokens

    def _token(self, came: Came) -> dict[str, Any]:
        assert came.method == "POST"
        assert came.headers["content-type"] == "application/x-www-form-urlencoded"
        form = dict(parse_qsl(came.body.decode()))
        if came.path == "/tokeninfo":
            return self._told(form["access_token"])
        who = self._signed(form) if form["grant_type"] == _JWT_GRANT else self._refreshed(form)
        return {"access_token": self.grant(who), "expires_in": 3599, "scope": SCOPE, "token_type": "Bearer"}

    def grant(self, who: str) -> str:
        """Make an access token."""
        self.made += 1
        token = f"ya29.CANARY-google-access-{self.made}"
        self.tokens[token] = who
        return token

    def _signed(self, form: dict[str, str]) -> str:
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import RSAKey

        try:
            claims = jwt.decode(form["assertion"], RSAKey.import_key(private_key()), algorithms=["RS256"]).claims
        except JoseError:
            raise Refused(400, "invalid_grant", "Invalid JWT Signature.") from None
        if claims["iss"] != EMAIL or not self.has_account:
            raise Refused(400, "invalid_grant", "Invalid grant: account not found")
        assert (claims["aud"], claims["scope"]) == (AUDIENCE, SCOPE)
        if not 0 < claims["exp"] - claims["iat"] <= 3600:
            raise Refused(400, "invalid_grant", "Invalid JWT: Token must be a short-lived token")
        return EMAIL

    def _refreshed(self, form: dict[str, str]) -> str:
        assert form["grant_type"] == "refresh_token"
        if (form["client_id"], form["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
            raise Refused(401, "invalid_client", "The OAuth client was not found.")
        if form["refresh_token"] != REFRESH_TOKEN:
            raise Refused(400, "invalid_grant", "Bad Request")
        return SUBJECT

    def _told(self, token: str) -> dict[str, Any]:
        if token not in self.tokens:
            raise Refused(400, "invalid_token", "Invalid Value")
        common = {"azp": CLIENT_ID, "aud": CLIENT_ID, "scope": SCOPE, "exp": "1893456000", "expires_in": "3480"}
        return {**common, **self.identity, "access_type": "offline"}

    # --- Analytics

    def _analytics(self, came: Came) -> dict[str, Any]:
        who = self.tokens.get(came.headers.get("authorization", "").removeprefix("Bearer "))
        if who is None:
            raise Refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal
        if came.path == "/v1beta/accountSummaries":
            return self._summaries(who, came.query)
        found = re.fullmatch(r"/v1beta/properties/(\d+):(\w+)", came.path)
        assert found is not None
        wanted, body = self._viewed(who, int(found[1])), json.loads(came.body)
        return _report(wanted, body) if found[2] == "runReport" else _realtime(wanted, body)

    def _summaries(self, who: str, query: dict[str, str]) -> dict[str, Any]:
        size = min(int(query.get("pageSize", "50")), self.page_size_max)
        begin = int(query.get("pageToken", "0"))
        every = [_summary(number, name, self.accounts[name], who) for number, name in enumerate(self.accounts, 1000)]
        shown = [one for one in every if one.get("propertySummaries")]
        page: dict[str, Any] = {}
        if shown[begin : begin + size]:
            page["accountSummaries"] = shown[begin : begin + size]
        if begin + size < len(shown):
            page["nextPageToken"] = str(begin + size)
        return page

    def _viewed(self, who: str, ident: int) -> Property:
        for one in (one for held in self.accounts.values() for one in held):
            if one.id == ident and who in one.viewers:
                return one
        raise Refused(403, "PERMISSION_DENIED", "User does not have sufficient permissions for this property.")


def exhausted() -> Refused:
    """Return what a property answers whose tokens are spent."""
    text = "Exhausted property tokens for a project per hour. These quota tokens will return in under an hour."
    return Refused(429, "RESOURCE_EXHAUSTED", text)


def _failure(came: Came, refused: Refused) -> dict[str, Any]:
    if came.path in {"/token", "/tokeninfo"}:
        return {"error": refused.word, "error_description": refused.text}
    return {"error": {"code": refused.status, "message": refused.text, "status": refused.word}}


def _summary(number: int, name: str, held: list[Property], who: str) -> dict[str, Any]:
    shown = [
        {
            "property": f"properties/{one.id}",
            "displayName": one.name,
            "propertyType": "PROPERTY_TYPE_ORDINARY",
            "parent": f"accounts/{number}",
        }
        for one in held
        if who in one.viewers
    ]
    head = {"name": f"accountSummaries/{number}", "account": f"accounts/{number}", "displayName": name}
    return head | ({"propertySummaries": shown} if shown else {})


def _report(wanted: Property, body: dict[str, Any]) -> dict[str, Any]:
    assert [one["name"] for one in body["dimensions"]] == ["date"]
    names = [one["name"] for one in body["metrics"]]
    assert names == ["activeUsers", "newUsers", "sessions", "screenPageViews"]
    (ranged,) = body["dateRanges"]
    first, last = (date.fromisoformat(ranged[name]) for name in ("startDate", "endDate"))
    if last < first:
        raise Refused(400, "INVALID_ARGUMENT", "The start date must be before the end date.")
    days = [str(first + timedelta(days=number)) for number in range((last - first).days + 1)]
    kept = [day for day in days if day in wanted.days or body.get("keepEmptyRows")]
    rows = [
        {
            "dimensionValues": [{"value": day.replace("-", "")}],
            "metricValues": [{"value": str(count)} for count in wanted.days.get(day, (0, 0, 0, 0))],
        }
        for day in kept[: int(body.get("limit", _LIMIT))]
    ]
    head: dict[str, Any] = {
        "dimensionHeaders": [{"name": "date"}],
        "metricHeaders": [{"name": name, "type": "TYPE_INTEGER"} for name in names],
    }
    tail = {"metadata": {"currencyCode": "USD", "timeZone": "Europe/Berlin"}, "kind": "analyticsData#runReport"}
    return head | ({"rows": rows, "rowCount": len(kept)} if rows else {}) | tail


def _realtime(wanted: Property, body: dict[str, Any]) -> dict[str, Any]:
    assert body == {"metrics": [{"name": "activeUsers"}]}
    head: dict[str, Any] = {"metricHeaders": [{"name": "activeUsers", "type": "TYPE_INTEGER"}]}
    rows = [{"metricValues": [{"value": str(wanted.now)}]}]
    counted = {"rows": rows, "rowCount": 1} if wanted.now else {}
    return head | counted | {"kind": "analyticsData#runRealtimeReport"}


def _new_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
