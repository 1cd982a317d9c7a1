"""The OpenAPI document of the vpnkeys wire: what each endpoint answers, and what the framework cannot know by itself.

Used by the routes and, once, by the application.
"""

from enum import Enum
from typing import Any

from keystead.dialects.vpnkeys import schemas
from keystead.http import documented
from keystead.http.bodies import JSON

KEYS: list[str | Enum] = ["Keys"]
SYSTEM: list[str | Enum] = ["System"]
STATUS: list[str | Enum] = ["Status"]

_SECURITY_SCHEMES = {
    "ApiKey": documented.API_KEY,
    "Bearer": {
        **documented.BEARER,
        "description": "The same token. Where veil shares the door, this header chooses veil below /api/keys.",
    },
}
_SECURED: dict[str, Any] = {"security": [{"ApiKey": []}, {"Bearer": []}]}


_SAID = {
    400: "The request breaks a rule; errors names each field. Or the greatest number of keys is reached",
    429: "The limit of requests a minute, or too many wrong credentials",
}


def _responses(*statuses: int) -> documented.Responses:
    return documented.responses(schemas.Error, *statuses, said=_SAID)


_ON_ALL = _responses(400, 401, 403, 429, 500, 503)
ONE_KEY: dict[str, Any] = {"responses": _ON_ALL | _responses(404), "openapi_extra": _SECURED, "tags": KEYS}
ALL_KEYS: dict[str, Any] = {"responses": _ON_ALL, "openapi_extra": _SECURED, "tags": KEYS}
ALL_SYSTEM: dict[str, Any] = {"responses": _ON_ALL, "openapi_extra": _SECURED, "tags": SYSTEM}

ON_CREATE = _ON_ALL | _responses(409, 413)
CREATE: dict[str, Any] = {
    **_SECURED,
    "parameters": [documented.IDEMPOTENCY_KEY],
    "requestBody": {"required": True, "content": {JSON: {"schema": schemas.KeyCreate.model_json_schema()}}},
}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Return the framework's document as this wire is."""
    return documented.completed(document, _SECURITY_SCHEMES)
