"""How commands speak: tables and sentences for people, JSON for programs, errors in one line on standard error."""

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

Row = Sequence[object]

# What would act on a terminal instead of being shown: control characters, line separators, changes of direction.
_ACTING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a line beside the answer, on standard error."""
    sys.stderr.write(f"{text}\n")


def progress(text: str) -> None:
    """Tell a person who waits what is being done."""
    if sys.stderr.isatty():
        note(f"  {text} …")


def say_json(value: object) -> None:
    """Print a value as JSON."""
    import orjson

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def say_json_line(value: object) -> None:
    """Print a value as JSON in one line."""
    import orjson

    say(orjson.dumps(value, default=str).decode())


def answer(value: Any, as_json: bool, for_people: Callable[[Any], None]) -> None:
    """Print an answer in the form that was asked for."""
    if as_json:
        say_json(value)
    else:
        for_people(value)


def say_table(columns: Sequence[str], rows: Iterable[Row], *, nothing: str) -> None:
    """Print a table, or a sentence when there is nothing to put in it."""
    from rich.console import Console

    listed = [[_cell(value) for value in row] for row in rows]
    if not listed:
        say(nothing)
        return
    console = Console(highlight=False)
    if not console.is_terminal:  # a pipe has no width: cut nothing
        console.width = max(console.width, _widest(listed, columns))
    console.print(table(columns, listed))


def table(columns: Sequence[str], rows: Iterable[Row]) -> "Table":
    """Return a table that can be printed."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*(Text(_cell(value)) for value in row))
    return made


def say_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print one object, a field a line."""
    shown = [(name, _cell(value)) for name, value in fields]
    width = max(len(name) for name, _ in shown)
    for name, value in shown:
        say(f"{name:<{width}}  {value}")


def shown_error(message: str) -> None:
    """Print an error in one line; in red where a person reads it."""
    text = "keystead: " + "\n".join(map(_inert, message.split("\n")))
    sys.stderr.write(f"\033[31m{text}\033[0m\n" if sys.stderr.isatty() else f"{text}\n")


def size(count: int | None) -> str:
    """Return a count of bytes as people read it."""
    if count is None:
        return "–"
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value:.1f} TiB"


def moment(text: str | None) -> str:
    """Return an RFC 3339 moment as people read it: to the second, UTC."""
    if not text:
        return "–"
    from datetime import UTC, datetime

    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def shown(value: object) -> str:
    """Return a value as it stands in a table or a sentence."""
    return _cell(value)


def _widest(rows: list[list[str]], columns: Sequence[str]) -> int:
    from rich.cells import cell_len

    widths = [max(len(name), *(cell_len(row[index]) for row in rows)) for index, name in enumerate(columns)]
    return sum(widths) + 3 * len(columns)


def _cell(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_inert, value)) or "–"
    return _inert(value)


def _inert(value: object) -> str:
    """Return a value as text that does nothing to a terminal; customers' names come from strangers."""
    return _ACTING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(value))
