"""The whole instance as one encrypted file."""

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

_FILE = "application/octet-stream"
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {_FILE: {"schema": {"type": "string", "format": "binary"}}}}
}
_HEADERS = {"cache-control": "no-store", "content-disposition": 'attachment; filename="keystead-backup.age"'}


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoint of backups."""
    routes = ValidatedEndpoints(tags=["System"])

    @routes.post("/v1/backup", response_class=StreamingResponse, responses=WRITE | _ANSWER)
    async def make_backup(call: Caller, wanted: schemas.BackupRequest) -> StreamingResponse:
        """Make a backup: database, root key and head of the audit trail, encrypted in age's form."""
        passphrase = None if wanted.passphrase is None else Secret(wanted.passphrase.get_secret_value())
        file = await services.backups.make(call, Lock(passphrase, wanted.recipient))
        return StreamingResponse(chunks(file), headers=_HEADERS, media_type=_FILE)

    return routes
