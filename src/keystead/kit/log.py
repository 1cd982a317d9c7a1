"""Structured logs: JSON lines for machines, readable lines on a terminal.

The only module that imports structlog (``tests/architecture/test_start.py``). Where Rich is installed structlog imports
it (structlog 26.1, ``dev`` and ``tracebacks``), to render what we never show: values of variables, and tracebacks in
colour. That would take a twentieth of a start and four megabytes for good, so Rich is out of reach meanwhile.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast


@contextmanager
def _out_of_reach(package: str) -> Iterator[None]:
    """Have whoever imports a package meanwhile find it not installed; one that is imported already stays."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # means "not found" (language reference, 5.3.1)
    try:
        yield
    finally:
        del sys.modules[package]


with _out_of_reach("rich"):
    import structlog
    from structlog.processors import ExceptionRenderer
    from structlog.tracebacks import ExceptionDictTransformer

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

LogFormat = Literal["auto", "json", "text"]

# The library's default shows every local variable of every frame: presented tokens, passwords and rendered keys.
_TRACEBACKS = ExceptionRenderer(ExceptionDictTransformer(show_locals=False))


class LossyStream:
    """A stream that loses a line rather than the program: its disk may be full, its reader gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError):
            self._stream.flush()


def get_logger() -> Any:
    """Return a logger whose methods are the levels: a constant message, then fields."""
    return structlog.get_logger()


def bind_to_request(request_id: str) -> None:
    """Have every line from here on, in this task and those it begins, carry a request's id and nothing else's."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)


def configure(log_format: LogFormat) -> None:
    """Set up logging of the process once, on standard error; ``auto`` is text on a terminal and JSON elsewhere.

    What libraries log by the standard library, uvicorn among them, leaves in the same form.
    """
    is_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    stream = cast("TextIO", LossyStream(sys.stderr))  # all that is called is there
    described: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendered = _text() if is_text else _json()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *described, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*described, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def configure_for_command() -> None:
    """Let what a command logs by the way go to standard error: standard output is its answer."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def _text() -> "list[Processor]":
    return [structlog.processors.format_exc_info, structlog.dev.ConsoleRenderer()]


def _json() -> "list[Processor]":
    return [_TRACEBACKS, _in_order, structlog.processors.JSONRenderer()]


def _in_order(_logger: object, _method: str, event: "EventDict") -> "EventDict":
    """Put what every line has before what only some have."""
    return {name: event[name] for name in ("timestamp", "level", "event") if name in event} | dict(event)
