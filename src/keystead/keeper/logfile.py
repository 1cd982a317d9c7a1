"""A log file that only its owner may read and that never grows past its bound: one predecessor is kept."""

import os
from pathlib import Path

SIZE_MAX_BYTES = 5_000_000


class LogFile:
    """Append lines; at the bound the file becomes ``<name>.1`` and a new one begins."""

    def __init__(self, path: Path, *, size_max_bytes: int = SIZE_MAX_BYTES) -> None:
        self._path = path
        self._size_max_bytes = size_max_bytes

    def append(self, line: str) -> None:
        """Write one line; a full disk loses the line, never the program that wrote it."""
        try:
            self._append(f"{line}\n".encode())
        except OSError:
            return

    def _append(self, content: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size + len(content) > self._size_max_bytes:
                os.replace(self._path, self._path.with_name(f"{self._path.name}.1"))
                os.close(descriptor)
                descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(descriptor, content)
        finally:
            os.close(descriptor)
