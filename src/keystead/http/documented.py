"""What the OpenAPI documents of the REST dialects have in common: errors, credentials, the Idempotency-Key.

The framework documents a 422 for each parameter; these wires answer 400 instead, which every endpoint declares.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

Responses = dict[int | str, dict[str, Any]]
Json = dict[str, Any]

_SECONDS: Final = {"schema": {"type": "integer"}}
_CHALLENGE: Final = {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "Bearer"}}
_RETRY: Final = {"Retry-After": {**_SECONDS, "description": "Seconds to wait before the next attempt"}}
_ERRORS: Mapping[int, Json] = {
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
IDEMPOTENCY_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body within 24 hours get the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
BEARER: Final[Json] = {"type": "http", "scheme": "bearer"}
API_KEY: Final[Json] = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
_NOT_OURS = ("HTTPValidationError", "ValidationError")


def responses(model: type[BaseModel], *statuses: int, said: Mapping[int, str] | None = None) -> Responses:
    """Return how errors of these statuses are answered; ``said`` describes some of them in the wire's own words."""
    own = {status: {"description": text} for status, text in (said or {}).items()}
    return {status: {"model": model, **_ERRORS[status], **own.get(status, {})} for status in statuses}


def completed(document: Json, security_schemes: Mapping[str, Json]) -> Json:
    """Return the framework's document with the ways to authenticate and without the answers that are never given."""
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    components = document["components"]
    for name in _NOT_OURS:
        components["schemas"].pop(name, None)
    components["securitySchemes"] = dict(security_schemes)
    return document
