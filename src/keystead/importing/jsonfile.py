"""JSON that people exported from another program: bounded in size, and complete where it says how much there is."""

from collections.abc import Callable
from pathlib import Path

import orjson

from keystead.importing import fields
from keystead.importing.fields import Record
from keystead.kit.errors import Invalid

SIZE_BYTES_MAX = 256 << 20


def read(path: Path, *, expected: str) -> object:
    """Return what a file holds; raise Invalid when it is too large or no JSON."""
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_BYTES_MAX + 1)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > SIZE_BYTES_MAX:
        raise Invalid(f"{path.name} is larger than {SIZE_BYTES_MAX >> 20} MiB; it should be {expected}")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Invalid(f"{path.name} does not hold JSON; it should be {expected}") from None


def read_object(path: Path, *, expected: str) -> Record:
    """Return the object a file holds."""
    try:
        return fields.as_mapping(read(path, expected=expected), path.name)
    except Invalid as error:
        raise Invalid(f"{error.message}; {path.name} should be {expected}") from error


def read_pages(
    path: Path, *, of: str, expected: str, bare: Callable[[Record], Record] = lambda page: page
) -> list[Record]:
    """Return the items of an exported list: one answer, or a JSON list of the answers of several pages.

    Raises Invalid when the answers say that there are more items than the file has.
    """
    found = read(path, expected=expected)
    pages = found if isinstance(found, list) else [found]
    items: list[Record] = []
    totals: list[int] = []
    try:
        for page in pages:
            answer = bare(fields.as_mapping(page, path.name))
            if of not in answer:
                raise Invalid(f"it has no list of {of}")
            items += fields.mappings(answer, of)
            totals.append(fields.whole(answer, "total", -1))
    except Invalid as error:
        raise Invalid(f"{path.name}: {error.message}; it should be {expected}") from error
    if totals and max(totals) > len(items):
        raise Invalid(
            f"{path.name} holds {len(items)} of {max(totals)} {of}; export all of them, "
            "or put the answers of all pages into one JSON list"
        )
    return items
