"""``POST /v1/backup``: the whole instance as one encrypted file."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import IO

from fastapi import APIRouter
from pydantic import BaseModel, Field, SecretStr
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from keystead.access.archive import Lock
from keystead.http.backup import Backups
from keystead.http.calls import Call
from keystead.kit.secret import Secret

_CHUNK_SIZE_BYTES = 1 << 18

Authenticate = Callable[[Request], Awaitable[Call]]


class BackupRequest(BaseModel):
    """What to encrypt the backup for; exactly one of the two."""

    passphrase: SecretStr | None = Field(None, description="At least 8 characters.")
    recipient: str | None = Field(None, description="An age recipient.", examples=["age1…"])


def router(backups: Backups, authenticate: Authenticate) -> APIRouter:
    """Return the endpoint."""
    routes = APIRouter()

    @routes.post("/v1/backup", response_class=StreamingResponse)
    async def make_backup(request: Request, wanted: BackupRequest) -> StreamingResponse:
        """Make a backup: database, root key and head of the audit trail, encrypted in age's form."""
        call = await authenticate(request)
        passphrase = None if wanted.passphrase is None else Secret(wanted.passphrase.get_secret_value())
        file = await backups.make(call, Lock(passphrase, wanted.recipient))
        headers = {"Content-Disposition": 'attachment; filename="keystead-backup.age"'}
        return StreamingResponse(_chunks(file), media_type="application/octet-stream", headers=headers)

    return routes


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await run_in_threadpool(file.read, _CHUNK_SIZE_BYTES):
            yield chunk
