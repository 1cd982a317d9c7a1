"""Cells of tables of comma-separated values: a text that a spreadsheet would calculate is kept from that.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return for a formula, quoted
or not; an apostrophe before it makes it text (OWASP, "CSV Injection"). What was exported so is read back as it was.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe(value: object) -> str:
    """Return a value as the text of a cell that is no formula; None is an empty one."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_STARTS) else text


def plain(text: str) -> str:
    """Return the text of a cell as it was before it was made safe."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_STARTS) else text


def line(values: Iterable[object]) -> str:
    """Return one line of a table, its cells made safe."""
    text = io.StringIO()
    csv.writer(text).writerow([safe(value) for value in values])
    return text.getvalue()


def rows(text: str, columns: Sequence[str]) -> list[Mapping[str, str]]:
    """Return the rows of a table by those of its columns that are known; raise ValueError without its first column."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    named = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    if columns[0] not in named:
        raise ValueError(f"the first line names no column {columns[0]}")
    known = [(name, named[name]) for name in columns if name in named]
    try:
        return [{name: plain(row[as_is] or "") for name, as_is in known} for row in reader]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error
