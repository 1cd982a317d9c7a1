"""The vpnkeys wire's one table of errors: which status, which text, for every leaf of the tree.

The document has 200, 400, 401, 404, 500 and 503; 403, 409, 413 and 429 are explained in DIALECT.md. Bodies are
``{"detail": "<text>"}``; failures of an operation begin with what failed (``Failed to create key: …``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response

from keystead.http import failures
from keystead.kit import errors as tree
from keystead.vpn.errors import KeyNotFound

JSON = "application/json"

# What each endpoint was doing, for "Failed to …"; the original says the one of verify_reality.
FAILED_TO = {
    "create_key": "create key",
    "list_keys": "get keys",
    "get_key": "get key",
    "get_config": "get key configuration",
    "get_link": "get key configuration",
    "delete_key": "delete key",
    "get_traffic": "get traffic",
    "reset_traffic": "reset traffic",
    "sync_config": "synchronize configuration",
    "get_config_status": "get configuration status",
    "verify_reality": "verify Reality settings",
    "fix_reality_keys": "fix Reality keys",
    "get_ports": "get ports status",
    "reset_ports": "reset ports",
    "get_ports_status": "validate ports",
    "get_xray_config_status": "get Xray configuration status",
    "get_inbounds": "get Xray inbounds",
    "sync_xray_config": "synchronize Xray configuration",
    "validate_sync": "validate Xray synchronization",
}


@dataclass(frozen=True)
class Wire:
    """How one kind of error looks: its status, whether what failed stands before it, its own text."""

    status: int
    is_prefixed: bool = False
    text: str | None = None


TABLE: Mapping[type[tree.KeysteadError], Wire] = {
    tree.Throttled: Wire(429),
    tree.RateLimited: Wire(429),
    tree.Unauthenticated: Wire(401, text="Invalid API key. Use X-API-Key header with the correct key."),
    tree.Forbidden: Wire(403),
    KeyNotFound: Wire(404, text="Key not found"),
    tree.NotFound: Wire(404),
    tree.Invalid: Wire(400),
    tree.QuotaExceeded: Wire(400),
    tree.Conflict: Wire(409),
    tree.Unsupported: Wire(501),
    tree.Unavailable: Wire(503, is_prefixed=True),
    tree.StorageFailed: Wire(500, is_prefixed=True, text="Database error"),
    tree.Rejected: Wire(500, is_prefixed=True),
    tree.Misconfigured: Wire(500, is_prefixed=True),
    tree.Broken: Wire(500, is_prefixed=True, text="Internal error"),
}


def wire_of(kind: type[tree.KeysteadError]) -> Wire:
    """Return the row of the most specific class; every leaf has one (tests/architecture/test_error_tables.py)."""
    return tree.most_specific(TABLE, kind)


def response_of(error: tree.KeysteadError, operation: str, request_id: str) -> Response:
    """Return the wire's answer for an error."""
    wire = wire_of(type(error))
    text = wire.text or error.message
    if wire.is_prefixed and operation in FAILED_TO:
        text = f"Failed to {FAILED_TO[operation]}: {text}"
    body: dict[str, Any] = {"detail": text}
    if wire.status == 500:
        body["request_id"] = request_id
        failures.note(error)
    headers: dict[str, str] = {}
    if isinstance(error, tree.Invalid):
        body["errors"] = [{"field": field, "message": message} for field, message in error.fields.items()]
    if wire.status == 429:
        body = {"error": text, **body}
    if isinstance(error, tree.Throttled | tree.RateLimited | tree.Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
    elif isinstance(error, tree.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(body), wire.status, headers, JSON)
