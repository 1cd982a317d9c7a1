"""The OpenAPI document of the veil wire: what each endpoint answers, and what the framework cannot know by itself.

Used by the routes and, once, by the application. The framework documents a 422 for each parameter; this wire answers
400 instead, which every endpoint declares.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from keystead.dialects.veil import schemas, subscriptions
from keystead.dialects.veil.errors import JSON

KEYS: list[str | Enum] = ["Keys"]
STATUS: list[str | Enum] = ["Status"]

_TEXT: Final = {"schema": {"type": "string"}}
_SECONDS: Final = {"schema": {"type": "integer"}}
_CHALLENGE: Final = {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "Bearer"}}
_RETRY: Final = {"Retry-After": {**_SECONDS, "description": "Seconds to wait before the next attempt"}}
_ERRORS: Mapping[int, dict[str, Any]] = {
    400: {"description": "The request breaks a rule; errors names each field"},
    401: {"description": "No credential, or one that is not good", "headers": _CHALLENGE},
    403: {"description": "The token may not do this, or not from this address"},
    404: {"description": "No key with this id"},
    409: {"description": "The Idempotency-Key belongs to another body, or its first request is still at work"},
    413: {"description": "The body is larger than 1 MB"},
    429: {"description": "Too many wrong credentials from this address", "headers": _RETRY},
    500: {"description": "Failed for good; detail begins with what failed"},
    503: {"description": "Failed for now; nothing was done, or it is carried through by itself", "headers": _RETRY},
}
_SECURITY_SCHEMES = {
    "Bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer <token>"},
    "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same token, on a door of this wire alone. Where vpnkeys shares it, this chooses vpnkeys.",
    },
}
_SECURED: dict[str, Any] = {"security": [{"Bearer": []}, {"ApiKey": []}]}
_NOT_OURS = ("HTTPValidationError", "ValidationError")


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": schemas.Error, **_ERRORS[status]} for status in statuses}


_ON_ONE_KEY = _responses(400, 401, 403, 404, 429, 500, 503)

ONE_KEY: dict[str, Any] = {"responses": _ON_ONE_KEY, "openapi_extra": _SECURED, "tags": KEYS}
ALL_KEYS: dict[str, Any] = {
    "responses": _responses(400, 401, 403, 429, 500, 503),
    "openapi_extra": _SECURED,
    "tags": KEYS,
}

_BODY: Final = {"anyOf": [schemas.KeyCreate.model_json_schema(), {"type": "null"}]}
ON_CREATE = _responses(400, 401, 403, 409, 413, 429, 500, 503)
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
    "requestBody": {"required": False, "content": {JSON: {"schema": _BODY}}},
}

ON_SUBSCRIPTION: dict[int | str, dict[str, Any]] = {
    200: {"description": "The body an app imports", "content": {"text/plain": _TEXT, JSON: {"schema": {}}}},
    **_ON_ONE_KEY,
}
SUBSCRIPTION: dict[str, Any] = {
    **_SECURED,
    "parameters": [
        {
            "name": "format",
            "in": "query",
            "required": False,
            "schema": {"type": "string", "enum": list(subscriptions.FORMATS), "default": "base64"},
        }
    ],
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
