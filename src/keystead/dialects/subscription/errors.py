"""The subscription wire's one table of errors: a few texts, and none of them tells a stranger anything.

Whoever asks without a right to an answer is told what everybody else is told who asks for nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from keystead.kit import errors as tree


@dataclass(frozen=True)
class Row:
    """A status and its text."""

    status: int
    text: str


NOT_FOUND = Row(404, "Not found\n")
DEVICE_REFUSED = Row(404, "This device may not fetch the subscription\n")
_BUSY = Row(429, "Too many requests\n")
_LATER = Row(503, "Temporarily unavailable\n")
_OURS = Row(500, "Internal error\n")

TABLE: Mapping[type[tree.KeysteadError], Row] = {
    tree.Throttled: _BUSY,
    tree.Unauthenticated: NOT_FOUND,
    tree.Forbidden: NOT_FOUND,
    tree.NotFound: NOT_FOUND,
    tree.Invalid: NOT_FOUND,
    tree.RateLimited: _BUSY,
    tree.QuotaExceeded: NOT_FOUND,
    tree.Conflict: NOT_FOUND,
    tree.Unsupported: NOT_FOUND,
    tree.Unavailable: _LATER,
    tree.Rejected: _OURS,
    tree.StorageFailed: _OURS,
    tree.Misconfigured: _OURS,
    tree.Broken: _OURS,
}


def row_of(kind: type[tree.KeysteadError]) -> Row:
    """Return the row of the most specific class; every leaf has one (tests/architecture/test_error_tables.py)."""
    return tree.most_specific(TABLE, kind)
