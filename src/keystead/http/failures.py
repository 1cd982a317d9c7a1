"""Failures whose reason a caller is not told, so that the log has to: called by every dialect's table of errors."""

from keystead.kit.errors import KeysteadError
from keystead.kit.log import get_logger

log = get_logger()


def note(error: KeysteadError) -> None:
    """Log why a request failed on our side; the door has bound its id to the line."""
    log.error("request failed", code=error.code, reason=error.message)
