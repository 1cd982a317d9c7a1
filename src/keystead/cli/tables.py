"""Tables that people hand over with ``--csv``: a column of one, whatever a spreadsheet made of it."""

from collections.abc import Sequence
from pathlib import Path

from keystead.kit import cells
from keystead.kit.errors import Invalid, Misconfigured

_LINES_NAMED = 5


def column(file: Path, names: Sequence[str]) -> list[str]:
    """Return one column of a table: the first of these names in its first line, or else its first column.

    Rows without anything in them are passed over. Raises Invalid for a table that holds nothing, and for a row that has
    something and an empty cell here.
    """
    import csv

    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, delimiter=_delimiter(text.readline(), names), strict=True)
            text.seek(0)
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Misconfigured(f"--csv {file} cannot be read: {error}") from error
    head = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    here = next((name for name in names if name in head), None)
    place = 0 if here is None else head.index(here)
    found = [(line, cells.plain(row[place].strip()) if len(row) > place else "") for line, row in rows]
    found = found[0 if here is None else 1 :]
    if not found:
        raise Invalid(f"--csv {file} names nothing; it should have a column {names[0]}")
    empty = [str(line) for line, cell in found if not cell]
    if empty:
        more = f" and {len(empty) - _LINES_NAMED:,} more" if len(empty) > _LINES_NAMED else ""
        raise Invalid(f"--csv {file} has no {here or names[0]} in line {', '.join(empty[:_LINES_NAMED])}{more}")
    return [cell for _, cell in found]


def _delimiter(first: str, names: Sequence[str]) -> str:
    """Return what separates cells: a semicolon or a tab where the first line, parted so, names a column we know."""
    for mark in (";", "\t"):
        if mark in first and any(cell.strip(' "\r\n').lower() in names for cell in first.split(mark)):
            return mark
    return ","
