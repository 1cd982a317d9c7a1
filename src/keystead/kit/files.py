"""Files and directories that only their owner may read, written so that a cut leaves the old one whole."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from keystead.kit.errors import Misconfigured

# sun_path of a Unix socket holds 108 bytes with its closing zero (unix(7)).
UNIX_SOCKET_PATH_MAX = 107


def private_directory(path: Path) -> Path:
    """Create a directory readable by its owner alone, with its parents; return it.

    Raises Misconfigured when the machine does not let us.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be made a private directory: {error.strerror}") from error
    return path


def write_private(path: Path, content: bytes) -> None:
    """Replace a file atomically and durably, mode 0600: written beside, synced, renamed."""
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        with suppress(FileNotFoundError):  # it was renamed
            os.unlink(beside)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make a rename in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive_lock(path: Path, *, held_by: str) -> Iterator[None]:
    """Hold a file lock for the duration; raise Misconfigured at once when another process holds it.

    ``held_by`` completes the message "… is in use by another …".
    """
    with path.open("a") as file:
        path.chmod(0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(f"{path.parent} is in use by another {held_by}; stop it first") from None
        yield


def socket_directory(preferred: Path, *, longest_name: int) -> Path:
    """Return a private directory in which a Unix socket of that name length fits the kernel's limit.

    The preferred directory is used when it is short enough; otherwise a private one below the system's temporary
    directory, whose path is noted beside the preferred one (``run`` in ``run.path``) and used again by the next call.
    """
    if len(os.fsencode(preferred)) + 1 + longest_name <= UNIX_SOCKET_PATH_MAX:
        _note(preferred).unlink(missing_ok=True)
        return private_directory(preferred)
    noted = noted_directory(preferred)
    if noted != preferred and _is_private(noted):
        return noted
    made = Path(tempfile.mkdtemp(prefix="keystead-"))
    write_private(_note(preferred), os.fsencode(made) + b"\n")
    return made


def noted_directory(preferred: Path) -> Path:
    """Return the directory that ``socket_directory`` chose in place of the preferred one, else the preferred one."""
    try:
        return Path(os.fsdecode(_note(preferred).read_bytes().rstrip(b"\n")))
    except (FileNotFoundError, PermissionError):
        return preferred


def _note(preferred: Path) -> Path:
    return preferred.with_name(f"{preferred.name}.path")


def _is_private(path: Path) -> bool:
    """Tell whether a directory is ours alone, so that nobody else can have put a socket into it."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == 0o700
