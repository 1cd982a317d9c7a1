"""The keeper's wire: frames of JSON over a Unix socket that only its owner may open.

A frame is four bytes of length (big-endian) and so many bytes of JSON. The API sends ``{"id", "verb", …}`` and gets
``{"id", "answer"}`` or ``{"id", "error", "message"}`` back; ``{"event", …}`` comes unasked. Both sides are of one
version or part again: a keeper may be older than the API that finds it running, and says so in its ``hello``.
"""

import asyncio
import json
from typing import Any

VERSION = 1
SOCKET_NAME = "keeper.sock"
# A launch with 200,000 customers is about 20 MB.
FRAME_MAX = 128 << 20
_LENGTH = 4

Message = dict[str, Any]


def frame(message: Message) -> bytes:
    """Return a message as it goes over the wire."""
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    return len(body).to_bytes(_LENGTH, "big") + body


async def read_frame(reader: asyncio.StreamReader) -> Message | None:
    """Return the next message; None when the other side is gone or sends what is no frame."""
    try:
        size = int.from_bytes(await reader.readexactly(_LENGTH), "big")
        if size > FRAME_MAX:
            return None
        message = json.loads(await reader.readexactly(size))
    except (OSError, EOFError, ValueError):
        return None
    return message if isinstance(message, dict) else None
