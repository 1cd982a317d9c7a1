"""The OpenAPI document of the vpnkeys wire: what each endpoint answers, and what the framework cannot know by itself.

Used by the routes and, once, by the application. The framework documents a 422 for each parameter; this wire answers
400 instead, which every endpoint declares.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from keystead.dialects.vpnkeys import schemas
from keystead.dialects.vpnkeys.errors import JSON

KEYS: list[str | Enum] = ["Keys"]
SYSTEM: list[str | Enum] = ["System"]
STATUS: list[str | Enum] = ["Status"]

_SECONDS: Final = {"schema": {"type": "integer"}}
_CHALLENGE: Final = {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "Bearer"}}
_RETRY: Final = {"Retry-After": {**_SECONDS, "description": "Seconds to wait before the next attempt"}}
_ERRORS: Mapping[int, dict[str, Any]] = {
    400: {
        "description": "The request breaks a rule; errors names each field. Or the greatest number of keys is reached"
    },
    401: {"description": "No credential, or one that is not good", "headers": _CHALLENGE},
    403: {"description": "The token may not do this, or not from this address"},
    404: {"description": "No key with this id"},
    409: {"description": "The Idempotency-Key belongs to another body, or its first request is still at work"},
    413: {"description": "The body is larger than 1 MB"},
    429: {"description": "The limit of requests a minute, or too many wrong credentials", "headers": _RETRY},
    500: {"description": "Failed for good; detail begins with what failed"},
    503: {"description": "Failed for now; nothing was done, or it is carried through by itself", "headers": _RETRY},
}
_SECURITY_SCHEMES = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The same token. Where veil shares the door, this header chooses veil below /api/keys.",
    },
}
_SECURED: dict[str, Any] = {"security": [{"ApiKey": []}, {"Bearer": []}]}
_NOT_OURS = ("HTTPValidationError", "ValidationError")


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": schemas.Error, **_ERRORS[status]} for status in statuses}


_ON_ALL = _responses(400, 401, 403, 429, 500, 503)
ONE_KEY: dict[str, Any] = {"responses": _ON_ALL | _responses(404), "openapi_extra": _SECURED, "tags": KEYS}
ALL_KEYS: dict[str, Any] = {"responses": _ON_ALL, "openapi_extra": _SECURED, "tags": KEYS}
ALL_SYSTEM: dict[str, Any] = {"responses": _ON_ALL, "openapi_extra": _SECURED, "tags": SYSTEM}

ON_CREATE = _ON_ALL | _responses(409, 413)
CREATE: dict[str, Any] = {
    **_SECURED,
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "The same key and body within 24 hours get the first answer again.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }
    ],
    "requestBody": {"required": True, "content": {JSON: {"schema": schemas.KeyCreate.model_json_schema()}}},
}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Return the framework's document with the ways to authenticate and without the answers that are never given."""
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    components = document["components"]
    for name in _NOT_OURS:
        components["schemas"].pop(name, None)
    components["securitySchemes"] = _SECURITY_SCHEMES
    return document
