"""Failures whose reason a caller is not told, so that the log has to: called by every dialect's table of errors."""

import structlog

from keystead.kit.errors import KeysteadError

log = structlog.get_logger()


def note(error: KeysteadError) -> None:
    """Log why a request failed on our side; the door has bound its id to the line."""
    log.error("request failed", code=error.code, reason=error.message)
