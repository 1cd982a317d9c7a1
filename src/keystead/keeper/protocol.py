"""The keeper's wire: frames of JSON over a Unix socket that only its owner may open.

A frame is four bytes of length (big-endian) and so many bytes of JSON. The API sends ``{"id", "verb", …}`` and gets
``{"id", "answer"}`` or ``{"id", "error", "message"}`` back, except to what has ``is_told`` (a keeper from before that
field answers all the same); ``{"event", …}`` comes unasked. A keeper may be older than
the API that finds it running, and says so in its ``hello``. Fields may be added within a version; whoever changes the
meaning of one raises the version and keeps the one before understood, so that a keeper is upgraded by a handover.

``hello`` and ``end`` are the same in every version.
"""

import asyncio
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

VERSION = 2
# The versions that this API can steer a keeper in.
UNDERSTOOD = frozenset({VERSION})
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


@cache
def build() -> str:
    """Return a short digest of the keeper's program: tells whether the one that runs is the one that is installed."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def sockets(first: Path) -> list[Path]:
    """Return where keepers beside the one at ``first`` listen, ``first`` included, whether or not they still do."""
    others = first.parent.glob(f"{first.stem}[2-9]{first.suffix}")
    return [*([first] if first.exists() else []), *sorted(others)]


def free_socket(first: Path) -> Path | None:
    """Return where another keeper can listen; None when there are nine already."""
    places = [first, *(first.with_name(f"{first.stem}{number}{first.suffix}") for number in range(2, 10))]
    return next((place for place in places if not place.exists()), None)


def is_alone(socket: Path) -> bool:
    """Tell whether the keeper at ``socket`` is the only one of its directory."""
    return not siblings(socket)


def siblings(socket: Path) -> list[Path]:
    """Return where the other keepers of the directory of the one at ``socket`` listen."""
    first = socket.with_name(f"{socket.stem.rstrip('23456789')}{socket.suffix}")
    return [other for other in sockets(first) if other != socket]
