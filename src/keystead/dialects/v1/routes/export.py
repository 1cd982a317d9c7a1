"""An account's VPN side as one JSON document."""

from typing import Any

from starlette.responses import StreamingResponse

from keystead.dialects.v1 import schemas
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.routes.asking import WRITE
from keystead.dialects.v1.routes.files import chunks
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.kit.age import Lock
from keystead.kit.secret import Secret

_ANSWER: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}
_HEADERS = {"cache-control": "no-store", "content-disposition": 'attachment; filename="keystead-export.json"'}


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoint of exports."""
    routes = ValidatedEndpoints(tags=["System"])

    @routes.post("/v1/export", response_class=StreamingResponse, responses=WRITE | _ANSWER)
    async def make_export(call: Caller, wanted: schemas.ExportRequest) -> StreamingResponse:
        """Return inbounds, plans and keys as one document; secrets are sealed in it, or left out."""
        file = await services.exports.make(call, _lock(wanted))
        return StreamingResponse(chunks(file), headers=_HEADERS, media_type="application/json")

    return routes


def _lock(wanted: schemas.ExportRequest) -> Lock | None:
    if wanted.passphrase is None and wanted.recipient is None:
        return None
    passphrase = None if wanted.passphrase is None else Secret(wanted.passphrase.get_secret_value())
    return Lock(passphrase, wanted.recipient)
