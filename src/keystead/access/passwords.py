"""Passwords: Argon2id, deliberately slow, so it is called beside the units of work and never inside one.

Callers run ``hash_password`` and ``is_right`` in a thread of their own (``asyncio.to_thread``): argon2 releases the
interpreter while it works. Parameters are OWASP's Password Storage Cheat Sheet (2025): 19 MiB, two passes, one lane.
"""

import functools
from typing import TYPE_CHECKING, NewType

from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret

if TYPE_CHECKING:
    from argon2 import PasswordHasher

PasswordHash = NewType("PasswordHash", str)

LENGTH_MIN = 12
_LENGTH_MAX = 1024
# The hash of a password nobody has: an unknown login takes as long as a wrong password.
_NOBODYS = PasswordHash(
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


def check_length(password: Secret[str], field: str = "password") -> None:
    """Raise Invalid, naming the field, for a password too short to resist guessing; it costs nothing."""
    if not LENGTH_MIN <= len(password.reveal()) <= _LENGTH_MAX:
        raise Invalid(f"a password has {LENGTH_MIN} to {_LENGTH_MAX} characters", fields={field: "wrong length"})


def hash_password(password: Secret[str]) -> PasswordHash:
    """Return the hash to store; raise Invalid for a password too short to resist guessing."""
    check_length(password)
    return PasswordHash(_hasher().hash(password.reveal()))


def is_right(password: Secret[str], stored: PasswordHash | None) -> bool:
    """Tell whether a password matches its stored hash; None, for an unknown login, takes the same time."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        _hasher().verify(stored or _NOBODYS, password.reveal()[: _LENGTH_MAX + 1])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def needs_rehash(stored: PasswordHash) -> bool:
    """Tell whether a hash was made with other parameters than today's."""
    return _hasher().check_needs_rehash(stored)


@functools.cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
