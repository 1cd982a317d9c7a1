"""Identifiers that are the same in every run of a test."""

import uuid

from keystead.kit.ids import token_checksum


class CountingIds:
    """Number everything that is made up."""

    def __init__(self) -> None:
        self._count = 0

    def _next(self) -> int:
        self._count += 1
        return self._count

    def uuid(self) -> uuid.UUID:
        """Return the next UUID, a well-formed version 4."""
        return uuid.UUID(int=self._next(), version=4)

    def token(self, kind: str) -> str:
        """Return the next token of a kind, with a right checksum."""
        body = f"ks_{kind}_{self._next():043d}"
        return f"{body}_{token_checksum(body)}"

    def hex(self, size_bytes: int) -> str:
        """Return the next hexadecimal text of ``2 * size_bytes`` characters."""
        return f"{self._next():0{2 * size_bytes}x}"
