"""Files that commands write: their owner's alone, whole or not there, and never in the place of another."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from keystead.kit.errors import Invalid, Misconfigured


@contextmanager
def written_beside(file: Path) -> Iterator[IO[bytes]]:
    """Write a private file beside and rename it when it is whole."""
    import tempfile

    from keystead.kit.files import sync_directory

    try:
        with tempfile.NamedTemporaryFile(dir=file.absolute().parent, prefix=f".{file.name}.", delete=False) as target:
            try:
                yield target
                target.flush()
                os.fsync(target.fileno())
                os.link(target.name, file)  # unlike a rename, this replaces nothing
            finally:
                os.unlink(target.name)
    except FileExistsError as error:
        raise Invalid(f"{file} exists; name a new file") from error
    except OSError as error:
        raise Misconfigured(f"{file} cannot be written: {error.strerror}") from error
    sync_directory(file.absolute().parent)
