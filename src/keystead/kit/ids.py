"""Randomness: every identifier and secret that Keystead makes up comes from here.

Tokens look like ``ks_<kind>_<43 base62 characters>_<6 character checksum>``: the prefix tells people and secret
scanners what they found, 43 base62 characters carry 256 bits, and the checksum catches a cut-off paste before it
costs a database look-up.
"""

import secrets
import uuid
import zlib
from typing import Protocol

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN_LENGTH = 43
_CHECKSUM_LENGTH = 6


class Ids(Protocol):
    """Make up identifiers."""

    def uuid(self) -> uuid.UUID:
        """Return a random UUID (version 4)."""
        ...

    def token(self, kind: str) -> str:
        """Return a new secret token of a kind, e.g. ``ks_api_…``."""
        ...

    def hex(self, size_bytes: int) -> str:
        """Return random lower-case hexadecimal of ``2 * size_bytes`` characters."""
        ...


class RandomIds:
    """Identifiers from the system's random source."""

    def uuid(self) -> uuid.UUID:
        """Return a random UUID (version 4)."""
        return uuid.UUID(bytes=secrets.token_bytes(16), version=4)

    def token(self, kind: str) -> str:
        """Return a new secret token of a kind, with 256 random bits."""
        body = f"ks_{kind}_{_base62(secrets.randbits(256), _TOKEN_LENGTH)}"
        return f"{body}_{token_checksum(body)}"

    def hex(self, size_bytes: int) -> str:
        """Return random lower-case hexadecimal of ``2 * size_bytes`` characters."""
        return secrets.token_hex(size_bytes)


def token_checksum(body: str) -> str:
    """Return the checksum that ends a token whose part before the last underscore is ``body``."""
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def is_well_formed_token(token: str) -> bool:
    """Tell whether a string of our own token form carries its right checksum."""
    body, _, checksum = token.rpartition("_")
    return body.startswith("ks_") and checksum == token_checksum(body)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, rest = divmod(number, 62)
        digits.append(BASE62[rest])
    return "".join(reversed(digits))
