"""The OpenAPI document of the veil wire: what each endpoint answers, and what the framework cannot know by itself.

Used by the routes and, once, by the application.
"""

from enum import Enum
from typing import Any, Final

from keystead.dialects.veil import schemas, subscriptions
from keystead.http import documented
from keystead.http.bodies import JSON

KEYS: list[str | Enum] = ["Keys"]
STATUS: list[str | Enum] = ["Status"]

_TEXT: Final = {"schema": {"type": "string"}}
_SECURITY_SCHEMES = {
    "Bearer": {**documented.BEARER, "description": "Authorization: Bearer <token>"},
    "ApiKey": {
        **documented.API_KEY,
        "description": "The same token, on a door of this wire alone. Where vpnkeys shares it, this chooses vpnkeys.",
    },
}
_SECURED: dict[str, Any] = {"security": [{"Bearer": []}, {"ApiKey": []}]}


def _responses(*statuses: int) -> documented.Responses:
    return documented.responses(schemas.Error, *statuses)


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
    "parameters": [documented.IDEMPOTENCY_KEY],
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
    """Return the framework's document as this wire is."""
    return documented.completed(document, _SECURITY_SCHEMES)
