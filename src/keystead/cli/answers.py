"""What the service answers when it refuses: problem+json (RFC 9457) into one line.

Not of the tree in kit/errors.py: the error was raised in the service, and this is what its wire made of it.
"""

from typing import Any


class Answered(Exception):
    """The service answered with an error; ``code`` and ``status`` are its own, ``message`` is for people."""

    def __init__(self, message: str, *, status: int, code: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.request_id = request_id


def problem(status: int, body: Any) -> Answered:
    """Return the error of an answer's body, whatever form it has."""
    if not isinstance(body, dict):
        return Answered(f"the service answered {status}", status=status, code="error")
    detail = str(body.get("detail") or body.get("title") or f"the service answered {status}")
    entries = [entry for entry in body.get("errors") or () if isinstance(entry, dict)]
    told = "; ".join(_field(entry) for entry in entries if _text(entry) not in detail)
    return Answered(
        f"{detail} ({told})" if told else detail,
        status=status,
        code=str(body.get("code") or "error"),
        request_id=body.get("request_id"),
    )


def _field(entry: dict[str, Any]) -> str:
    name = entry.get("field") or entry.get("loc") or entry.get("pointer") or ""
    name = ".".join(map(str, name)) if isinstance(name, list | tuple) else str(name)
    text = _text(entry)
    return f"{name}: {text}" if name and text else name or text


def _text(entry: dict[str, Any]) -> str:
    return str(entry.get("message") or entry.get("msg") or entry.get("detail") or "")
