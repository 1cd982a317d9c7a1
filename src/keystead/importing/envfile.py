"""Settings that a program keeps as ``NAME=value`` lines; they may hold keys, so no message shows any of them."""

import io
from pathlib import Path

from dotenv import dotenv_values

from keystead.kit.errors import Invalid

SIZE_BYTES_MAX = 1 << 20


def read(path: Path | None, *, expected: str) -> dict[str, str]:
    """Return the settings by their upper-case names; no file is no settings. Raises Invalid when it cannot be read."""
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_BYTES_MAX + 1)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > SIZE_BYTES_MAX or b"\0" in content:
        raise Invalid(f"{path.name} is no file of settings; it should be {expected}")
    found = dotenv_values(stream=io.StringIO(content.decode(errors="replace")), interpolate=False)
    return {name.upper(): value.strip() for name, value in found.items() if value is not None}
