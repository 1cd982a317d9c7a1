"""Errors as ``{"detail": "<text>"}``: what the REST dialects make of a row of their tables.

Failures of an operation begin with what failed (``Failed to create key: …``); a 400 names bad fields in ``errors``, a
429 says the text in ``error`` too, which some clients read, and a 500 has the request's id, which the log has too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response

from keystead.http import failures
from keystead.http.bodies import JSON
from keystead.kit import errors as tree

Kind = type[tree.KeysteadError]


@dataclass(frozen=True)
class Row:
    """How one kind of error looks: its status, whether what failed stands before its text, its own text."""

    status: int
    is_prefixed: bool = False
    text: str | None = None


@dataclass(frozen=True)
class DetailErrors:
    """A wire's table of errors, and what each endpoint was doing, for "Failed to …"."""

    table: Mapping[Kind, Row]
    failed_to: Mapping[str, str]

    def row_of(self, kind: Kind) -> Row:
        """Return the row of the most specific class; every leaf has one (tests/architecture/test_error_tables.py)."""
        return tree.most_specific(self.table, kind)

    def response_of(self, error: tree.KeysteadError, operation: str, request_id: str) -> Response:
        """Return the wire's answer for an error."""
        row = self.row_of(type(error))
        text = row.text or error.message
        if row.is_prefixed and operation in self.failed_to:
            text = f"Failed to {self.failed_to[operation]}: {text}"
        body: dict[str, Any] = {"error": text, "detail": text} if row.status == 429 else {"detail": text}
        if row.status == 500:
            body["request_id"] = request_id
            failures.note(error)
        if isinstance(error, tree.Invalid):
            body["errors"] = [{"field": field, "message": message} for field, message in error.fields.items()]
        return Response(orjson.dumps(body), row.status, _headers(error), JSON)


def _headers(error: tree.KeysteadError) -> dict[str, str]:
    if isinstance(error, tree.Throttled | tree.RateLimited | tree.Unavailable):
        return {"Retry-After": str(error.retry_after_s)}
    return {"WWW-Authenticate": "Bearer"} if isinstance(error, tree.Unauthenticated) else {}
