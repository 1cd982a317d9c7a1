"""The native API's one table of errors: RFC 9457 problem documents, for every leaf of the tree.

``type`` is a stable name (``urn:keystead:error:<code>``) rather than an address, so that it means the same on every
instance; ``code`` repeats its last part for programs that compare text.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from starlette.responses import Response

from keystead.http import failures
from keystead.kit import errors as tree
from keystead.providers import errors as provider
from keystead.vault import errors as vault

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Row:
    """How one kind of error looks; ``detail`` replaces a message that is for the log only."""

    status: int
    title: str
    detail: str | None = None


TABLE: Mapping[type[tree.KeysteadError], Row] = {
    tree.Throttled: Row(429, "Too many failed attempts"),
    tree.Unauthenticated: Row(401, "Not authenticated"),
    tree.Forbidden: Row(403, "Not allowed"),
    tree.NotFound: Row(404, "Not found"),
    tree.Invalid: Row(422, "Invalid input"),
    tree.RateLimited: Row(429, "Too many requests"),
    tree.QuotaExceeded: Row(409, "A limit is reached"),
    tree.Conflict: Row(409, "Conflict with the present state"),
    provider.AlreadyThere: Row(409, "There already at the provider"),
    provider.NotThere: Row(404, "Not there at the provider"),
    provider.ProviderRejected: Row(502, "Refused by the provider"),
    vault.BootstrapRefused: Row(502, "Refused by the provider"),
    vault.BootstrapEnded: Row(502, "Refused by the provider"),
    vault.BootstrapInactive: Row(502, "Refused by the provider"),
    vault.PermissionsMissing: Row(502, "Refused by the provider"),
    vault.WorkingTokenRefused: Row(502, "Refused by the provider"),
    tree.Rejected: Row(502, "Refused by the engine"),
    tree.Unsupported: Row(501, "Not possible on this instance"),
    tree.Unavailable: Row(503, "Temporarily unavailable"),
    tree.StorageFailed: Row(500, "Storage failed", "the database refused; see the log, and GET /v1/doctor"),
    tree.Misconfigured: Row(500, "Misconfigured"),
    tree.Broken: Row(500, "Internal error", "an invariant failed; this is a bug, and the log has its trace"),
}
# What the framework itself refuses: no route, no method, a body that is no JSON.
_STATUS_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 431: "headers_too_large", 500: "broken"}
_STATUS_TITLES = {404: "Not found", 405: "Method not allowed", 413: "Too large", 431: "Too large"}


def row_of(kind: type[tree.KeysteadError]) -> Row:
    """Return the row of the most specific class; every leaf has one (tests/architecture/test_error_tables.py)."""
    return tree.most_specific(TABLE, kind)


def response_of(error: tree.KeysteadError, request_id: str) -> Response:
    """Return the problem document of an error."""
    row = row_of(type(error))
    if row.status == 500:
        failures.note(error)
    fields = error.fields if isinstance(error, tree.Invalid) else {}
    body = problem(row.status, row.title, row.detail or _sentence(error), code=error.code, request_id=request_id)
    body["errors"] = [{"field": field, "message": message} for field, message in fields.items()]
    headers = {"cache-control": "no-store"}
    if isinstance(error, tree.Throttled | tree.RateLimited | tree.Unavailable):
        headers["retry-after"] = str(error.retry_after_s)
    elif isinstance(error, tree.Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    return Response(orjson.dumps(body), row.status, headers, MEDIA_TYPE)


def _sentence(error: tree.KeysteadError) -> str:
    """Return what failed, a provider's own words with it."""
    words = error.text if isinstance(error, provider.ProviderRejected | vault.BootstrapRefused) else ""
    return f"{error.message}: {words}" if words and words not in error.message else error.message


def problem(status: int, title: str, detail: str, *, code: str, request_id: str) -> dict[str, object]:
    """Return a problem document without field errors."""
    return {
        "type": f"urn:keystead:error:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        "errors": [],
    }


def bare_problem(status: int, detail: str, request_id: str) -> tuple[bytes, str]:
    """Return body and media type for a refusal that no error of the tree stands for."""
    code = _STATUS_CODES.get(status, "invalid")
    title = _STATUS_TITLES.get(status, "Internal error" if status >= 500 else "Invalid request")
    return orjson.dumps(problem(status, title, detail, code=code, request_id=request_id)), MEDIA_TYPE
