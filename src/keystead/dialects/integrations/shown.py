"""What the OpenAPI document says of every endpoint of the integrations wire; shared by the modules of endpoints."""

from typing import Any

from keystead.dialects.integrations import schemas
from keystead.http.documented import Responses

# What the OpenAPI document says of every endpoint that needs a credential.
SECURED: dict[str, Any] = {"security": [{"Bearer": []}]}
FAILURES: Responses = {
    status: {"model": schemas.Error, "description": said}
    for status, said in {
        400: "The request, the provider or the relay; error says which",
        403: "owner_required, or a limit of the plan",
        404: "No key with this id",
        409: "Another key is in the way",
        429: "Too many wrong credentials, or the provider's limit",
        500: "Failed; with recoverable, try again",
        502: "The provider answered something else than its API",
        503: "Not available for now; Retry-After says when",
    }.items()
}
