"""Answers that are files: sent as they are read."""

from collections.abc import AsyncIterator
from typing import IO

from starlette.concurrency import run_in_threadpool

_CHUNK_SIZE_BYTES = 1 << 18


async def chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    """Yield an open file piece by piece, and close it."""
    with file:
        while chunk := await run_in_threadpool(file.read, _CHUNK_SIZE_BYTES):
            yield chunk
