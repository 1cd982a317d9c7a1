"""REALITY key pairs: X25519 in Xray's form, which is unpadded URL-safe base64 of the 32 raw bytes.

Form: ``xray x25519`` of v26.7.28, main/commands/all/curve25519.go.
"""

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret

_SIZE_BYTES = 32


@dataclass(frozen=True)
class KeyPair:
    """A REALITY key pair; clients get the public half."""

    private_key: Secret[str]
    public_key: str


def generate() -> KeyPair:
    """Make a new key pair."""
    private_key = Secret(_encode(X25519PrivateKey.generate().private_bytes_raw()))
    return KeyPair(private_key, public_of(private_key))


def public_of(private_key: Secret[str]) -> str:
    """Return the public half of a private key; raise Invalid when it is none."""
    text = private_key.reveal()
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raw = b""
    if len(raw) != _SIZE_BYTES:
        raise Invalid("a REALITY private key is 32 bytes in unpadded URL-safe base64, 43 characters")
    return _encode(X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
