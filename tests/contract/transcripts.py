"""Golden transcripts: conversations on a wire, written as they look, and replayed against a running instance.

A file holds exchanges, each opened by ``### what it shows``. A request is a line with method and path, headers, an
empty line and a body; its answer follows, beginning with ``HTTP`` and the status. What cannot be known beforehand is a
hole: ``<uuid>``, ``<int>``, ``<unix>`` (seconds, within a minute of now), ``<moment>`` and ``<second>`` (the same as
ISO 8601 in UTC, with and without microseconds), ``<text>``, ``<base64>``, ``<hex>``, ``<sid>`` (16 of them), ``<key>``
(43 characters of a REALITY key), ``<json>`` for a whole body. With a name (``<int:key_id>``) it is known from then on,
and ``{key_id}`` stands for it in later requests and answers; ``{key_id_capitals}`` is it in capitals.

Answers are compared whole: every field of a JSON body, in its order. Only the headers that are written are compared.
"""

import json
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

_PATTERNS = {
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "int": r"\d+",
    "unix": r"\d{10}",
    "moment": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}",
    "second": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    "sid": r"[0-9a-f]{16}",
    "text": r"(?s:.+)",
    "base64": r"[A-Za-z0-9+/]+={0,2}\n?",
    "hex": r"[0-9a-f]+",
    "key": r"[A-Za-z0-9_-]{43}",
}
_HOLE = re.compile(rf"<({'|'.join(_PATTERNS)})(?::([a-z_]+))?>")
_BARE_HOLE = re.compile(rf"(?<=: )(<(?:{'|'.join(_PATTERNS)})(?::[a-z_]+)?>)(?=[,\n ])")
_NAMED = re.compile(r"\{([a-z_]+)\}")
_STATUS_LINE = re.compile(r"^HTTP (\d{3})$", re.MULTILINE)
_UNIX_TOLERANCE_S = 60


@dataclass
class Message:
    """Headers and a body, as written."""

    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass
class Exchange:
    """A request and its answer, as written."""

    title: str
    method: str
    target: str
    request: Message
    status: int
    answer: Message


def read(path: Path) -> list[Exchange]:
    """Return the exchanges of a file."""
    blocks = re.split(r"^### ", path.read_text(), flags=re.MULTILINE)[1:]
    return [_exchange(block) for block in blocks]


async def replay(path: Path, http: httpx2.AsyncClient, known: dict[str, str]) -> dict[str, str]:
    """Replay a file in order over a client without credentials; return everything that is known at its end."""
    known = dict(known)
    for exchange in read(path):
        answer = await _send(http, exchange, known)
        where = f"{path.name}: {exchange.title}\n{answer.status_code} {answer.text[:2000]}"
        assert answer.status_code == exchange.status, where
        for name, value in exchange.answer.headers.items():
            _compare(_filled(value, known), answer.headers.get(name), known, f"{where}\nheader {name}")
        _compare_body(exchange.answer, answer, known, where)
    return known


def _exchange(block: str) -> Exchange:
    title, _, rest = block.partition("\n")
    status = _STATUS_LINE.search(rest)
    assert status is not None, f"{title}: no answer"
    request_line, _, request = rest[: status.start()].strip("\n").partition("\n")
    method, target = request_line.split(" ", 1)
    answer = rest[status.end() :].removeprefix("\n")
    return Exchange(title.strip(), method, target, _message(request), int(status[1]), _message(answer))


def _message(text: str) -> Message:
    """Read headers up to the first empty line, and the body after it."""
    head, _, body = f"\n{text}".partition("\n\n")
    return Message(dict(line.split(": ", 1) for line in head.splitlines() if line), body.strip("\n"))


async def _send(http: httpx2.AsyncClient, exchange: Exchange, known: dict[str, str]) -> httpx2.Response:
    headers = {name: _filled(value, known) for name, value in exchange.request.headers.items()}
    charset = headers.get("Content-Type", "").partition("charset=")[2] or "utf-8"
    body = _filled(exchange.request.body, known).encode(charset)
    return await http.request(exchange.method, _filled(exchange.target, known), headers=headers, content=body)


def _filled(text: str, known: dict[str, str]) -> str:
    return _NAMED.sub(lambda found: known.get(found[1], found[0]), text)


def _compare_body(expected: Message, answer: httpx2.Response, known: dict[str, str], where: str) -> None:
    text = _filled(expected.body, known)
    if text == "<json>":
        assert isinstance(answer.json(), dict), where
        return
    if not answer.headers.get("content-type", "").startswith("application/json") or not text:
        _compare(text, answer.text.rstrip("\n"), known, where)
        return
    _compare(json.loads(_BARE_HOLE.sub(r'"\1"', f"{text}\n")), answer.json(), known, where)


def _compare(expected: Any, actual: Any, known: dict[str, str], where: str) -> None:
    if isinstance(expected, dict):
        assert isinstance(actual, dict), where
        assert list(actual) == list(expected), where
        for name, value in expected.items():
            _compare(value, actual[name], known, f"{where}\nfield {name}")
    elif isinstance(expected, list):
        assert isinstance(actual, list), where
        assert len(actual) == len(expected), where
        for value, found in zip(expected, actual, strict=True):
            _compare(value, found, known, where)
    elif isinstance(expected, str) and _HOLE.search(expected):
        _compare_holes(expected, actual, known, where)
    else:
        assert (type(actual), actual) == (type(expected), expected), where


def _compare_holes(expected: str, actual: Any, known: dict[str, str], where: str) -> None:
    holes = list(_HOLE.finditer(expected))
    is_number = len(holes) == 1 and holes[0][0] == expected and holes[0][1] in ("int", "unix")
    assert isinstance(actual, int if is_number and not isinstance(actual, str) else str), where
    pattern, at = "", 0
    for hole in holes:
        pattern += re.escape(expected[at : hole.start()]) + f"({_PATTERNS[hole[1]]})"
        at = hole.end()
    found = re.fullmatch(pattern + re.escape(expected[at:]), str(actual))
    assert found is not None, f"{where}\nexpected {expected!r}, found {actual!r}"
    for hole, value in zip(holes, found.groups(), strict=True):
        assert abs(_unix(hole[1], value) - time.time()) < _UNIX_TOLERANCE_S, where
        if hole[2]:
            known[hole[2]] = value
            known[f"{hole[2]}_capitals"] = value.upper()


def _unix(kind: str, value: str) -> float:
    """Return the moment that a hole was filled with; now, for one that is no moment."""
    if kind == "unix":
        return int(value)
    if kind in ("moment", "second"):
        return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
    return time.time()
