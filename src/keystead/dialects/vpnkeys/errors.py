"""The vpnkeys wire's one table of errors: which status, which text, for every leaf of the tree.

The document has 200, 400, 401, 404, 500 and 503; 403, 409, 413 and 429 are explained in DIALECT.md. Bodies are
``{"detail": "<text>"}``; failures of an operation begin with what failed (``Failed to create key: …``).
"""

from collections.abc import Mapping

from keystead.http.detail_errors import DetailErrors, Row
from keystead.kit import errors as tree
from keystead.vpn.errors import KeyNotFound

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


TABLE: Mapping[type[tree.KeysteadError], Row] = {
    tree.Throttled: Row(429),
    tree.RateLimited: Row(429),
    tree.Unauthenticated: Row(401, text="Invalid API key. Use X-API-Key header with the correct key."),
    tree.Forbidden: Row(403),
    KeyNotFound: Row(404, text="Key not found"),
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
