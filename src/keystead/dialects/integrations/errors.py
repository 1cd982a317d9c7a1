"""The integrations wire's table of errors: which status and which word, for every leaf of the tree.

Families of endpoints say the same failure in different words, as the document has it: those of keys, Cloudflare's,
Namecheap's, and those of other providers, whose words have the provider in them (``provider_words``). A body is
``{"ok": false, "error": …, "recoverable": …}`` with what the document adds to it; where it has one value at two places,
both are there (DIALECT.md).
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import orjson
from starlette.responses import Response

from keystead.access.signin import errors as signin
from keystead.dialects.integrations import provider_words
from keystead.dialects.integrations.row import Row, Told
from keystead.http import failures
from keystead.http.bodies import JSON
from keystead.http.credentials import NoCredential
from keystead.kit import errors as tree
from keystead.providers import errors as provider
from keystead.vault import errors as vault

Kind = type[tree.KeysteadError]


class Family(Enum):
    """Which words an endpoint uses."""

    KEYS = "keys"
    CLOUDFLARE = "cloudflare"
    NAMECHEAP = "namecheap"
    # The list of domains answers 500 where the others of Namecheap answer 400.
    DOMAINS = "domains"
    # A provider that is connected by a secret alone: its id is in the words.
    PROVIDER = "provider"
    # Beside the document: zones, and their records and redirects, which are told apart when one is not there.
    ZONES = "zones"
    RECORDS = "records"
    REDIRECTS = "redirects"


class WireError(Exception):
    """A failure that only this wire has: it says what is wrong with the request in the document's own word."""

    def __init__(self, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.extra = extra


# What a missing, ended or foreign token is answered with: as documented, or so that clients refresh it by themselves.
OWNER_REQUIRED = Row(403, "owner_required")
TOKEN_PROBLEMS: Mapping[str, Row] = {
    "owner_required": OWNER_REQUIRED,
    "unauthorized": Row(401, "unauthorized"),
}

TABLE: Mapping[Kind, Row] = {
    tree.Throttled: Row(429, "rate_limit_exceeded", is_recoverable=True),
    tree.Unauthenticated: OWNER_REQUIRED,
    tree.Forbidden: OWNER_REQUIRED,
    tree.NotFound: Row(404, "not_found"),
    tree.Invalid: Row(400, "invalid_request"),
    tree.RateLimited: Row(429, "rate_limit_exceeded", is_recoverable=True),
    tree.QuotaExceeded: Row(403, "quota_exceeded"),
    vault.ZoneNotFound: Row(404, "zone_not_found"),
    vault.ZoneElsewhere: Row(409, "zone_belongs_to_another_account"),
    vault.ConnectingAlready: Row(409, "key_creation_in_progress", is_recoverable=True),
    vault.ReplaceUnconfirmed: Row(409, "cf_account_conflict"),
    vault.ConnectedElsewhere: Row(409, "external_account_already_used"),
    vault.AlreadyConnected: Row(409, "namecheap_key_already_exists"),
    vault.CredentialRevoked: Row(400, "key_revoked"),
    vault.CredentialExpired: Row(400, "key_expired"),
    tree.Conflict: Row(409, "conflict"),
    vault.BootstrapRefused: Row(400, "bootstrap_invalid"),
    vault.BootstrapEnded: Row(400, "bootstrap_expired"),
    vault.BootstrapInactive: Row(400, "bootstrap_not_active"),
    vault.PermissionsMissing: Row(400, "permissions_missing"),
    vault.WorkingTokenRefused: Row(500, "working_token_invalid", is_recoverable=True),
    tree.Rejected: Row(400, "cf_rejected"),
    tree.Unsupported: Row(501, "unsupported"),
    provider.ProviderUnreadable: Row(502, "cf_unknown_error", is_recoverable=True),
    provider.ProviderUnavailable: Row(503, "cf_unavailable", is_recoverable=True),
    tree.StorageBusy: Row(503, "storage_failed", is_recoverable=True),
    tree.Unavailable: Row(503, "unavailable", is_recoverable=True),
    tree.StorageFailed: Row(500, "storage_failed", is_recoverable=True),
    provider.NoWay: Row(400, "no_relay_configured"),
    tree.Misconfigured: Row(500, "misconfigured"),
    tree.Broken: Row(500, "internal_error"),
}

# What a request may be told in words of this wire alone.
ADD_TO_WHITELIST = "Add these IPs to your Namecheap API whitelist"


def row_of(kind: Kind) -> Row:
    """Return the row of the most specific class; every leaf has one (tests/architecture/test_error_tables.py)."""
    return tree.most_specific(TABLE, kind)


def response_of(
    error: tree.KeysteadError,
    family: Family,
    request_id: str,
    token_problem: Row = OWNER_REQUIRED,
    *,
    provider_id: str = "",
) -> Response:
    """Return the wire's answer for an error of an endpoint; ``provider_id`` says of which provider's."""
    told = told_of(error, family, token_problem, provider_id=provider_id)
    status = told.row.status
    if family is Family.DOMAINS and isinstance(error, _OF_PROVIDERS):
        status = 500
    body = {"ok": False, "error": told.row.error, "recoverable": told.row.is_recoverable, **told.extra}
    if status == 500:
        body["request_id"] = request_id
        failures.note(error)
    return Response(orjson.dumps(body), status, _headers(error), JSON)


def told_of(
    error: tree.KeysteadError, family: Family, token_problem: Row = OWNER_REQUIRED, *, provider_id: str = ""
) -> Told:
    """Return what an error of an endpoint is told as; ``provider_id`` says of which provider's."""
    told = None
    if family in {Family.NAMECHEAP, Family.DOMAINS}:
        told = _namecheap(error)
    elif family in _OF_ZONES:
        told = _zones(error, family)
    elif family is Family.PROVIDER:
        told = provider_words.told(error, provider_id)
    return told or Told(token_problem if _is_of_token(error) else row_of(type(error)), _extra(error))


def refused(status: int, error: str, extra: Mapping[str, Any] | None = None) -> Response:
    """Return an answer that no error of the tree stands for."""
    body = {"ok": False, "error": error, "recoverable": False, **(extra or {})}
    return Response(orjson.dumps(body), status, media_type=JSON)


def too_large(status: int, detail: str, request_id: str) -> tuple[bytes, str]:
    """Return body and media type of what the door itself refuses."""
    error = {413: "too_large", 431: "headers_too_large"}.get(status, "internal_error")
    body = {"ok": False, "error": error, "recoverable": False, "message": detail, "request_id": request_id}
    return orjson.dumps(body), JSON


_OF_PROVIDERS = (provider.ProviderUnavailable, provider.ProviderRejected, provider.NoWay)


def _namecheap(error: tree.KeysteadError) -> Told | None:
    """Return what Namecheap's endpoints say in words of their own, or None."""
    if isinstance(error, vault.CredentialNotFound):
        return Told(Row(404, "key_not_found"))
    if isinstance(error, provider.ProviderRejected):
        return _refusal(error)
    return _absence(error) if isinstance(error, provider.ProviderUnavailable) else None


def _zones(error: tree.KeysteadError, family: Family) -> Told | None:
    """Return what endpoints of zones say in words of their own, or None."""
    row = None
    what = _OF_ZONES[family]
    match error:
        case tree.Throttled():
            return None
        case tree.Unauthenticated():
            row = Row(401, "unauthorized")
        case vault.CredentialNotFound():
            row = Row(404, "key_not_found")
        case provider.AlreadyThere():
            row = Row(409, f"{what}_already_exists")
        case provider.NotThere():
            row = Row(404, "zone_not_found" if error.number in _NO_ZONE else f"{what}_not_found")
    is_wordless = isinstance(error, provider.ProviderRejected) and not error.number
    return None if row is None else Told(row, {} if is_wordless else _extra(error))


# What an endpoint is about.
_OF_ZONES = {Family.ZONES: "zone", Family.RECORDS: "record", Family.REDIRECTS: "redirect"}
# "Could not route to …": a path below a zone that is none.
_NO_ZONE = frozenset({7000, 7003})


def _refusal(error: provider.ProviderRejected) -> Told:
    """Return what Namecheap refused."""
    match error:
        case provider.SecretRefused():
            extra = {"message": error.text, "provider_code": str(error.number)}
            return Told(Row(400, "invalid_api_key"), extra)
        case provider.AddressRefused():
            shown = error.context.get("shown")
            return Told(Row(400, "ip_not_whitelisted"), shown if isinstance(shown, dict) else {"message": error.text})
    return Told(Row(400, f"namecheap_error_{error.number}"), {"message": error.text})


def _absence(error: provider.ProviderUnavailable) -> Told:
    """Return why Namecheap, or the relay before it, gave no answer of its own."""
    message = {"message": error.message}
    match error:
        case provider.ProviderBusy(status=0):
            return Told(Row(429, "rate_limit_exceeded", is_recoverable=True), message)
        case provider.ProviderFailed() | provider.ProviderBusy():
            return Told(Row(400, f"relay_http_{error.status}", is_recoverable=True))
        case provider.ProviderUnreadable():
            return Told(Row(400, "namecheap_error_unreadable", is_recoverable=True), message)
    return Told(Row(400, "relay_timeout", is_recoverable=True), message)


def _extra(error: tree.KeysteadError) -> dict[str, Any]:
    """Return what a failure says besides its word."""
    for kind in type(error).__mro__:
        if kind in _EXTRAS:
            return _EXTRAS[kind](error)
    return {}


def _retry(error: tree.Throttled | tree.RateLimited) -> dict[str, Any]:
    return {"message": error.message, "retryAfter": error.retry_after_s}


def _context(**values: Any) -> dict[str, Any]:
    return {"context": values}


def _words(number: int | str, text: str) -> dict[str, Any]:
    """Return a provider's own words under the names of both lists of the document."""
    return _context(code=number, message=text, cf_code=number, cf_message=text)


_EXTRAS: Mapping[type[BaseException], Callable[[Any], dict[str, Any]]] = {
    tree.Throttled: _retry,
    tree.RateLimited: _retry,
    tree.Unauthenticated: lambda error: {"reason": _reason(error)},
    tree.Forbidden: lambda error: {"reason": _reason(error)},
    tree.Invalid: lambda error: {"message": error.message, "fields": sorted(error.fields)},
    vault.TooManyConnected: lambda error: _context(limit=error.limit, current=error.current, plan=error.plan),
    vault.AlreadyConnected: lambda error: {"existing_key_id": error.credential_id},
    vault.ConnectedElsewhere: lambda error: _context(provider=error.provider, external_account_id=error.external_id),
    vault.ReplaceUnconfirmed: lambda error: _context(
        existing_account_id=error.existing,
        existing_key_id=error.credential_id,
        new_account_id=error.wanted,
        resolution="confirm_replace",
    ),
    vault.BootstrapRefused: lambda error: {"message": error.text, **_words(error.number, error.text)},
    vault.BootstrapInactive: lambda error: {"status": error.status, **_context(status=error.status)},
    vault.PermissionsMissing: lambda error: {"missing": error.missing, **_context(missing=error.missing)},
    provider.ProviderUnavailable: lambda error: {"message": error.message},
    provider.ProviderRejected: lambda error: _words(error.number, error.text),
    vault.NotKept: lambda error: _context(cf_token_id=error.token_id, cf_account_id=error.external_id),
}


def _is_of_token(error: tree.KeysteadError) -> bool:
    return isinstance(error, tree.Unauthenticated | tree.Forbidden) and _reason(error) != "role"


def _reason(error: tree.Unauthenticated | tree.Forbidden) -> str:
    match error:
        case NoCredential():
            return "token_missing"
        case tree.Ended() | signin.AccessTokenOver() | signin.SessionOver():
            return "token_expired"
        case signin.FingerprintMismatch():
            return "fingerprint_mismatch"
        case tree.Unauthenticated():
            return "token_invalid"
        case tree.Forbidden() if "permission" in error.context:
            return "role"
    return "fingerprint_mismatch"


def _headers(error: tree.KeysteadError) -> dict[str, str]:
    if isinstance(error, tree.Throttled | tree.RateLimited | tree.Unavailable):
        return {"Retry-After": str(error.retry_after_s)}
    return {"WWW-Authenticate": "Bearer"} if isinstance(error, tree.Unauthenticated) else {}
