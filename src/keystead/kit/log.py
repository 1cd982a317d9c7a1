"""Structured logs: JSON lines for machines, readable lines on a terminal."""

import logging
import sys
from contextlib import suppress
from typing import Literal, TextIO, cast

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

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


def configure(log_format: LogFormat) -> None:
    """Set up logging of the process once, on standard error; ``auto`` is text on a terminal and JSON elsewhere."""
    is_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if is_text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if is_text else _TRACEBACKS,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", LossyStream(sys.stderr))),  # all it calls is there
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", force=True
    )
