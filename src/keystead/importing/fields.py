"""Values out of foreign records, checked one by one: text, numbers, moments, UUIDs, names.

A record is a mapping whose values may be anything. Each function raises Invalid with a sentence that names the field;
readers catch it per customer, so that one broken record is listed and does not end the reading of all others.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import orjson

from keystead.kit.errors import Invalid
from keystead.vpn.termvalue import BYTES_MAX, LAST_YEAR

Record = Mapping[str, object]

NAME_LENGTH_MAX = 255
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Xray takes a text of up to 30 bytes for a VLESS id and hashes it into a UUID (common/uuid/uuid.go, v26.7.28).
_SHORT_ID_BYTES_MAX = 30
_HASHED = uuid.UUID(int=0)
# Controls and every white space but the ordinary one.
_GAPS = re.compile(r"(?:[^\S ]|[\x00-\x1f\x7f-\x9f])+")


def text(record: Record, name: str, default: str = "") -> str:
    """Return a text; what is missing or null is the default."""
    value = record.get(name)
    if value is None:
        return default
    if isinstance(value, str):
        return value
    raise Invalid(f"{name} should be a text")


def whole(record: Record, name: str, default: int = 0) -> int:
    """Return a whole number; a fraction of zero is taken as none, since some panels stored floats."""
    value = record.get(name)
    if value is None:
        return default
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Invalid(f"{name} should be a whole number")


def size(record: Record, name: str) -> int:
    """Return a number of bytes; raise Invalid for one below zero or beyond all measure."""
    value = whole(record, name)
    if not 0 <= value <= BYTES_MAX:
        raise Invalid(f"{name} is {value}, which is no number of bytes")
    return value


def flag(record: Record, name: str, default: bool) -> bool:
    """Return a truth value, as JSON or as SQLite's 0 and 1."""
    value = record.get(name)
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    raise Invalid(f"{name} should be true or false")


def mapping(record: Record, name: str) -> Record:
    """Return a record inside a record; what is missing or null is empty."""
    return as_mapping(record.get(name), name)


def as_mapping(value: object, name: str) -> Record:
    """Return a value as a record; None is empty."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    raise Invalid(f"{name} should be an object")


def mappings(record: Record, name: str) -> list[Record]:
    """Return a list of records; what is missing or null is empty."""
    return [as_mapping(item, name) for item in sequence(record, name)]


def sequence(record: Record, name: str) -> Sequence[object]:
    """Return a list; what is missing or null is empty."""
    value = record.get(name)
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return value
    raise Invalid(f"{name} should be a list")


def texts(record: Record, name: str) -> list[str]:
    """Return a list of texts."""
    found = sequence(record, name)
    if all(isinstance(item, str) for item in found):
        return [str(item) for item in found]
    raise Invalid(f"{name} should be a list of texts")


def json_text(record: Record, name: str) -> Record:
    """Return a record that is stored as JSON inside a text; an empty text is an empty record."""
    stored = record.get(name)
    if isinstance(stored, Mapping):
        return stored
    if stored is None or stored == "":
        return {}
    try:
        return as_mapping(orjson.loads(stored if isinstance(stored, str | bytes) else b""), name)
    except orjson.JSONDecodeError:
        raise Invalid(f"{name} does not hold JSON") from None


def moment_s(seconds: int, name: str) -> datetime:
    """Return a moment from seconds since 1970."""
    return _moment(timedelta(seconds=1), seconds, name)


def moment_ms(milliseconds: int, name: str) -> datetime:
    """Return a moment from milliseconds since 1970."""
    return _moment(timedelta(milliseconds=1), milliseconds, name)


def moment_text(record: Record, name: str) -> datetime | None:
    """Return a moment written in ISO form; one without a zone is UTC, what is missing is None."""
    written = record.get(name)
    if written is None or written == "":
        return None
    try:
        found = datetime.fromisoformat(written if isinstance(written, str) else "")
    except ValueError:
        raise Invalid(f"{name} should be a moment in ISO form") from None
    if not 1 < found.year <= LAST_YEAR:
        raise Invalid(f"{name} lies in the year {found.year}")
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def vless_uuid(written: str) -> tuple[str, bool]:
    """Return a VLESS id as the UUID that Xray compares, and whether it was written as one.

    Any short text is an id to Xray too, on both ends of a link. Raises Invalid for what Xray would not take.
    """
    try:
        found = uuid.UUID(written) if len(written) in (32, 36) else None
    except ValueError:
        found = None
    if found is not None:
        return str(found), True
    if not 0 < len(written.encode()) <= _SHORT_ID_BYTES_MAX:
        raise Invalid("the VLESS id is neither a UUID nor a short text")
    return str(uuid.uuid5(_HASHED, written)), False


def shown_name(written: str) -> str:
    """Return a name as Keystead keeps it: a space for control characters, nothing that is not seen, cut to length."""
    return "".join(letter for letter in _GAPS.sub(" ", written) if letter.isprintable()).strip()[:NAME_LENGTH_MAX]


def _moment(unit: timedelta, count: int, name: str) -> datetime:
    try:
        found = _EPOCH + unit * count
    except OverflowError:
        raise Invalid(f"{name} is no moment") from None
    if not 1 < found.year <= LAST_YEAR:
        raise Invalid(f"{name} lies in the year {found.year}")
    return found
