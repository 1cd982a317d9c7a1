"""Sealing of secrets at rest: AES-256-GCM under data keys that are themselves wrapped by the root key.

A sealed value reads ``v2:<data key id>:<nonce and ciphertext in hexadecimal>`` and is bound by its associated data to
the table, row and column it stands in, so that a ciphertext moved elsewhere does not open. The root key never touches a
row: it wraps a few data keys, which is what makes rotation cheap. Algorithms are those of ``cryptography``; nothing is
invented here.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keystead.kit.errors import Broken, Misconfigured
from keystead.kit.secret import Secret

KEY_SIZE_BYTES = 32
_NONCE_SIZE_BYTES = 12
_VERSION = "v2"
# Values of v1 have base64, which takes several times as long to read as the cipher takes; they open, and are sealed
# again by the next rotation.
_READERS: Mapping[str, Callable[[str], bytes]] = {_VERSION: binascii.unhexlify, "v1": base64.b64decode}


@dataclass(frozen=True)
class Place:
    """Where a sealed value stands: it opens nowhere else."""

    table: str
    row: str
    column: str

    @property
    def associated_data(self) -> bytes:
        """Return the place as unambiguous bytes."""
        return "\x1f".join((self.table, self.row, self.column)).encode()


@dataclass(frozen=True)
class _Held:
    ciphers: Mapping[str, AESGCM]
    newest: str


class KeyRing:
    """Seal and open with named keys; the newest seals, all open.

    A ring is shared by everything that runs, so that a rotation reaches all of it at once: ``adopt`` swaps the keys in
    one assignment, which no thread can see half done.
    """

    def __init__(self, keys: Mapping[str, Secret[bytes]], *, newest: str) -> None:
        self._held = _Held({name: AESGCM(key.reveal()) for name, key in keys.items()}, newest)

    @property
    def newest(self) -> str:
        """Return the name of the key that seals."""
        return self._held.newest

    def adopt(self, other: "KeyRing") -> None:
        """Take the keys of another ring in place of the present ones, while others seal and open."""
        self._held = other._held

    def seal(self, plain: Secret[str], place: Place) -> str:
        """Return the sealed text of a secret for one place."""
        held = self._held
        nonce = os.urandom(_NONCE_SIZE_BYTES)
        raw = nonce + held.ciphers[held.newest].encrypt(nonce, plain.reveal().encode(), place.associated_data)
        return f"{_VERSION}:{held.newest}:{raw.hex()}"

    def open(self, sealed: str, place: Place) -> Secret[str]:
        """Return the secret; raise Misconfigured for an unknown key and Broken for a value that was tampered with."""
        version, _, rest = sealed.partition(":")
        name, _, body = rest.partition(":")
        if not body:
            raise Broken(f"{place.table} row {place.row}: {place.column} is no sealed value; it was changed")
        cipher = self._held.ciphers.get(name)
        read = _READERS.get(version)
        if read is None or cipher is None:
            raise Misconfigured(f"{place.table}.{place.column} is sealed under key {name}, which is not at hand")
        try:
            raw = read(body)
            plain = cipher.decrypt(raw[:_NONCE_SIZE_BYTES], raw[_NONCE_SIZE_BYTES:], place.associated_data)
        except (InvalidTag, ValueError):  # a body that is no hexadecimal, or shorter than a nonce, is a ValueError
            raise Broken(
                f"{place.table} row {place.row}: {place.column} does not open; it was changed or moved"
            ) from None
        return Secret(plain.decode())

    def is_current(self, sealed: str) -> bool:
        """Tell whether a value is sealed under the newest key."""
        return sealed.startswith(sealed_prefix(self._held.newest))


def sealed_prefix(key: str) -> str:
    """Return what every value sealed under the named key begins with, for a search in the database."""
    return f"{_VERSION}:{key}:"


def new_key() -> Secret[bytes]:
    """Return 256 fresh random bits."""
    return Secret(os.urandom(KEY_SIZE_BYTES))


def key_name(key: Secret[bytes]) -> str:
    """Return a short public name of a key, derived from it."""
    return hashlib.sha256(b"keystead key name\x00" + key.reveal()).hexdigest()[:12]


def mac(key: Secret[bytes], content: bytes) -> str:
    """Return HMAC-SHA256 as hexadecimal."""
    return hmac.new(key.reveal(), content, hashlib.sha256).hexdigest()


def fingerprint(token: str) -> str:
    """Return the stored form of a high-entropy token: SHA-256 as hexadecimal (a slow hash would protect nothing)."""
    return hashlib.sha256(token.encode()).hexdigest()


def encode_key(key: Secret[bytes]) -> str:
    """Return a key as base64 text for a file or an environment variable."""
    return base64.b64encode(key.reveal()).decode()


def decode_key(text: str, *, source: str) -> Secret[bytes]:
    """Read a base64 key; raise Misconfigured naming the source when it is not 32 bytes."""
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != KEY_SIZE_BYTES:
        raise Misconfigured(
            f"{source} must hold base64 of {KEY_SIZE_BYTES} bytes, for example the output of: openssl rand -base64 32"
        )
    return Secret(raw)
