"""What the keeper says about itself: one JSON object a line, on standard error, which its start binds to a file.

A keeper runs for months, so it begins another file itself when this one is large; one predecessor is kept. Two keepers
may write to the same file: the one that did not rename it follows when it finds its own to be too large, or gone.
"""

import json
import os
import stat
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

SIZE_MAX_BYTES = 5_000_000
_BEFORE = ".1"
_GONE = " (deleted)"


def note(event: str, **facts: object) -> None:
    """Write down an event; free of secrets, addresses and destinations. A full disk loses the line, nothing else."""
    line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts})
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    with suppress(OSError):
        bound(sys.stderr.fileno())


def bound(descriptor: int, *, size_max_bytes: int = SIZE_MAX_BYTES) -> None:
    """Begin a new file behind a descriptor when its own is larger; what is no file, a terminal say, is left alone."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size <= size_max_bytes:
        return
    name = os.readlink(f"/proc/self/fd/{descriptor}")
    is_current = not name.endswith((_BEFORE, _GONE))
    path = Path(name.removesuffix(_GONE).removesuffix(_BEFORE))
    if is_current:
        path.replace(path.with_name(f"{path.name}{_BEFORE}"))
    new = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.dup2(new, descriptor)
    finally:
        os.close(new)
