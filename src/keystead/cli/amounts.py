"""How people write amounts on the command line, and read them: sizes, speeds, durations, moments."""

import re
from datetime import UTC, datetime

import typer

_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_BINARY = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(i?)B?", re.IGNORECASE)
_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"(\d+) ?([smhdw])")
_RATE = re.compile(r"(\d+(?:\.\d+)?) ?([KMG])bit(?:/s)?", re.IGNORECASE)
_BYTES_PER_MBIT = 125_000


def size(text: str) -> int:
    """Return bytes: ``50GB`` is 50,000,000,000, ``50GiB`` is 53,687,091,200."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or (found[3] and not found[2]):
        raise typer.BadParameter(f"{text!r} is no size; write one like 50GB, 50GiB or 1000000")
    unit = found[2].upper()
    return int(float(found[1]) * (_BINARY[unit] if found[3] else _UNITS[unit]))


def rate(text: str) -> int:
    """Return bytes a second: ``20Mbit/s`` is 2,500,000."""
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no speed; write one like 20Mbit/s or 500Kbit/s")
    return int(float(found[1]) * _UNITS[found[2].upper()] / 8)


def whole(text: str) -> int:
    """Return a whole number."""
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter(f"{text!r} is no whole number")
    return int(text)


def yes(text: str) -> bool:
    """Return whether a word is ``yes``; the other one is ``no``."""
    if text not in {"yes", "no"}:
        raise typer.BadParameter(f"{text!r} is neither yes nor no")
    return text == "yes"


def duration(text: str) -> int:
    """Return seconds: ``30d``, ``12h``, ``90m``, ``10s``, ``2w``; a day has 24 hours."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration; write one like 30d, 12h or 90m")
    return int(found[1]) * _SPANS[found[2]]


def days(text: str) -> int:
    """Return days of 24 hours: ``30``, or a duration that is whole days, as ``30d``, ``2w`` and ``48h`` are."""
    if text.isascii() and text.isdigit():
        return int(text)
    if _DURATION.fullmatch(text.strip()) is None or duration(text) % _SPANS["d"]:
        raise typer.BadParameter(f"{text!r} is not whole days; write 30, 30d or 2w")
    return duration(text) // _SPANS["d"]


def moment(text: str) -> str:
    """Return an RFC 3339 moment; one without an offset is UTC, and a day alone is its beginning."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no moment; write one like 2027-12-31T18:00+03:00") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def percents(text: str) -> list[int]:
    """Return percents: ``80,95``; ``none`` for no warning."""
    return [] if text == "none" else [whole(part.strip(" %")) for part in text.split(",")]


def mbits(bytes_s: int | None) -> str:
    """Return a rate as people read it."""
    return "–" if bytes_s is None else f"{bytes_s / _BYTES_PER_MBIT:g} Mbit/s"


def span(seconds: int | None) -> str:
    """Return a duration as people read it."""
    if seconds is None:
        return "–"
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
