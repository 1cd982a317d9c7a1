"""The auth wire's one table of errors: ``{"ok": false, "error": …, "message": …}`` for every leaf of the tree.

``error`` is the error's own code, but for those that the wire has a name of its own for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from starlette.responses import Response

from keystead.http import failures
from keystead.kit import errors as tree

_JSON = "application/json"


@dataclass(frozen=True)
class Row:
    """How one kind of error looks; ``error`` and ``message`` replace its own."""

    status: int
    error: str | None = None
    message: str | None = None


TABLE: Mapping[type[tree.KeysteadError], Row] = {
    tree.Throttled: Row(429, "rate_limit_exceeded"),
    tree.RateLimited: Row(429, "rate_limit_exceeded"),
    tree.Unauthenticated: Row(401),
    tree.Forbidden: Row(403),
    tree.NotFound: Row(404),
    tree.Invalid: Row(400),
    tree.QuotaExceeded: Row(403),
    tree.Conflict: Row(409),
    tree.Rejected: Row(502),
    tree.Unsupported: Row(501),
    tree.Unavailable: Row(503),
    tree.StorageFailed: Row(500, message="the database refused; the operator finds the reason in the log"),
    tree.Misconfigured: Row(500),
    tree.Broken: Row(500, "internal_error", "internal error; the operator finds the reason in the log"),
}
# The one code that clients of this wire know by another name.
_NAMES = {"unauthenticated": "unauthorized"}
# What the tree calls a login is an e-mail address in every body here.
_FIELDS = {"login": "email"}
_STATUS_ERRORS = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    431: "too_large",
    500: "internal_error",
}


def row_of(kind: type[tree.KeysteadError]) -> Row:
    """Return the row of the most specific class."""
    return tree.most_specific(TABLE, kind)


def response_of(error: tree.KeysteadError, *, now_s: float) -> Response:
    """Return the body of an error; ``now_s`` is the time in seconds since 1970."""
    row = row_of(type(error))
    if row.status == 500:
        failures.note(error)
    name = row.error or _NAMES.get(error.code, error.code)
    body: dict[str, object] = {"ok": False, "error": name, "message": row.message or error.message}
    headers = {"cache-control": "no-store"}
    if isinstance(error, tree.Throttled | tree.RateLimited):
        body |= {"retryAfter": error.retry_after_s, "resetAt": int(now_s) + error.retry_after_s}
    if isinstance(error, tree.Throttled | tree.RateLimited | tree.Unavailable):
        headers["retry-after"] = str(error.retry_after_s)
    elif isinstance(error, tree.Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, tree.Invalid) and error.fields:
        body["fields"] = [_FIELDS.get(name, name) for name in error.fields]
    return Response(orjson.dumps(body), row.status, headers, _JSON)


def bare(status: int, detail: str, request_id: str) -> tuple[bytes, str]:
    """Return body and media type for a refusal that no error of the tree stands for."""
    name = _STATUS_ERRORS.get(status, "invalid")
    return orjson.dumps({"ok": False, "error": name, "message": detail}), _JSON
