"""The veil wire's one table of errors: which status, which text, for every leaf of the tree.

The wire documents ``{"detail": "<text>"}`` and statuses 200, 400, 401, 403, 404 and 500; 409, 413, 429 and 503 are ours
and explained in DIALECT.md. Failures of an operation keep the documented prefix (``Failed to create key: …``).
"""

from collections.abc import Mapping

from keystead.http.credentials import NoCredential
from keystead.http.detail_errors import DetailErrors, Row
from keystead.kit import errors as tree

# What each endpoint was doing, for "Failed to …" (the wire documents the first; the others follow it).
FAILED_TO = {
    "create_key": "create key",
    "list_keys": "get keys",
    "get_key": "get key",
    "delete_key": "delete key",
    "get_link": "generate link",
    "get_config": "generate link",
    "get_subscription": "generate subscription",
    "get_traffic": "get traffic",
    "reset_traffic": "reset traffic",
    "sync_traffic": "sync traffic",
    "sync_config": "synchronize configuration",
}


TABLE: Mapping[type[tree.KeysteadError], Row] = {
    tree.Throttled: Row(429),
    tree.RateLimited: Row(429),
    NoCredential: Row(401, text="Not authenticated"),
    tree.Unauthenticated: Row(401, text="Invalid authentication token"),
    tree.Forbidden: Row(403),
    tree.NotFound: Row(404),
    tree.Invalid: Row(400),
    tree.QuotaExceeded: Row(400),
    tree.Conflict: Row(409),
    tree.Unsupported: Row(501),
    tree.Unavailable: Row(503, is_prefixed=True),
    tree.StorageFailed: Row(500, is_prefixed=True, text="Database error"),
    tree.Rejected: Row(500, is_prefixed=True),
    tree.Misconfigured: Row(500, is_prefixed=True),
    tree.Broken: Row(500, is_prefixed=True, text="Internal error"),
}

ERRORS = DetailErrors(TABLE, FAILED_TO)
