"""Files that open with a passphrase or with an age identity (https://age-encryption.org/v1): for whom, and with what.

Used for backups, which are streams (access/archive.py), and for the sealed part of an exported account, which is small.
The library is imported where it is called: a service that makes no backup does without it.
"""

from dataclasses import dataclass
from typing import Any

from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret

PASSPHRASE_LENGTH_MIN = 8
_MAGIC = b"age-encryption.org/v1\n"
_SCRYPT = b"-> scrypt "
BEGINNING_SIZE_BYTES = len(_MAGIC) + len(_SCRYPT)


@dataclass(frozen=True)
class Lock:
    """What something is encrypted for: a passphrase, or an age recipient (``age1…``)."""

    passphrase: Secret[str] | None = None
    recipient: str | None = None

    def __post_init__(self) -> None:
        if (self.passphrase is None) == (self.recipient is None):
            raise Invalid("give either a passphrase or a recipient (age1…)")
        if self.passphrase is not None and len(self.passphrase.reveal()) < PASSPHRASE_LENGTH_MIN:
            raise Invalid(
                f"the passphrase must have at least {PASSPHRASE_LENGTH_MIN} characters", fields={"passphrase": "short"}
            )
        if self.recipient is not None:
            recipient_of(self.recipient)

    @property
    def described(self) -> str:
        """Return whom it is for, as the audit trail tells it."""
        return self.recipient or "passphrase"


@dataclass(frozen=True)
class Unlock:
    """What opens it: the passphrase, or the text of an age identity file."""

    passphrase: Secret[str] | None = None
    identity: Secret[str] | None = None


def is_age(beginning: bytes) -> bool:
    """Tell whether something is encrypted in age's form; its first ``BEGINNING_SIZE_BYTES`` are enough."""
    return beginning.startswith(_MAGIC)


def is_for_passphrase(beginning: bytes) -> bool:
    """Tell whether something in age's form opens with a passphrase."""
    return beginning.startswith(_MAGIC + _SCRYPT)


def recipient_of(text: str) -> Any:
    """Return a recipient for pyrage; raise Invalid for a text that is none."""
    import pyrage

    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise Invalid(
            f"{text!r} is no age recipient; it looks like age1… and is printed by age-keygen",
            fields={"recipient": "not an age recipient"},
        ) from error


def identities_of(unlock: Unlock, what: str) -> list[Any]:
    """Return the identities for pyrage; raise Invalid, naming what is encrypted, when there are none."""
    import pyrage

    if unlock.identity is None:
        raise Invalid(f"{what} is encrypted for an age recipient; name its identity file (AGE-SECRET-KEY-…)")
    lines = [line.strip() for line in unlock.identity.reveal().splitlines()]
    try:
        return [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except pyrage.IdentityError as error:
        raise Invalid("the identity file holds no AGE-SECRET-KEY-…; it is the file that age-keygen wrote") from error


def passphrase_of(unlock: Unlock, what: str) -> str:
    """Return the passphrase; raise Invalid, naming what is locked, when there is none."""
    if unlock.passphrase is None:
        raise Invalid(f"{what} is locked with a passphrase; give it")
    return unlock.passphrase.reveal()


def sealed(plain: bytes, lock: Lock) -> bytes:
    """Return bytes encrypted for whom a lock names; a passphrase takes a quarter of a gigabyte for a second."""
    import pyrage

    if lock.passphrase is not None:
        by_passphrase: bytes = pyrage.passphrase.encrypt(plain, lock.passphrase.reveal())
        return by_passphrase
    for_recipient: bytes = pyrage.encrypt(plain, [recipient_of(lock.recipient or "")])
    return for_recipient


def opened(locked: bytes, unlock: Unlock, what: str) -> bytes:
    """Return what ``sealed`` was given; raise Invalid, naming what it is, when it does not open."""
    import pyrage

    if not is_age(locked):
        raise Invalid(f"{what} is not encrypted in age's form")
    try:
        if is_for_passphrase(locked):
            by_passphrase: bytes = pyrage.passphrase.decrypt(locked, passphrase_of(unlock, what))
            return by_passphrase
        by_identity: bytes = pyrage.decrypt(locked, identities_of(unlock, what))
        return by_identity
    except pyrage.DecryptError as error:
        raise Invalid(f"{what} does not open: {error}; wrong passphrase or identity, or a damaged file") from error
