"""Keys that sign access tokens: made at the first sign-in, sealed in the database, replaced by command.

A replaced key verifies for as long as a token it signed may live, unless it is dropped at once because it leaked.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from keystead.access.models import SIGNING_KEYS
from keystead.access.permissions import Permission, requires
from keystead.access.rotation import SealedColumn
from keystead.access.store import sessions as store
from keystead.access.work import Work
from keystead.kit.crypto import KeyRing, decode_key, encode_key, new_key
from keystead.kit.secret import Secret

SECRET = SealedColumn(SIGNING_KEYS, [SIGNING_KEYS.c.kid], SIGNING_KEYS.c.secret)
# How long an access token lives, and so for how long a replaced key has to verify.
ACCESS_LIFE = timedelta(minutes=15)


@dataclass(frozen=True)
class SigningKey:
    """A key at hand; ``kid`` is in the head of every token it signs."""

    kid: str
    secret: Secret[bytes]


def current(work: Work) -> SigningKey:
    """Return the key that signs now, making the first one."""
    stored = [key for key in store.signing_keys(work.connection) if key.retired_at is None]
    if not stored:
        return _made(work)
    return _opened(work.keys, stored[0])


def verifying(connection: Connection, ring: KeyRing, now: datetime) -> dict[str, SigningKey]:
    """Return the keys whose tokens are still good, by kid."""
    keys = store.signing_keys(connection)
    good = [key for key in keys if key.retired_at is None or now < key.retired_at + ACCESS_LIFE]
    return {key.kid: _opened(ring, key) for key in good}


@requires(Permission.SECRETS_ROTATE)
def rotate(work: Work, *, is_leaked: bool = False) -> str:
    """Let a new key sign; return its kid. A leaked one verifies nothing from now on: everybody has to refresh."""
    store.retire_signing_keys(work.connection, work.now)
    store.purge_signing_keys(work.connection, work.now if is_leaked else work.now - ACCESS_LIFE)
    made = _made(work)
    work.audit("access.signing_key.rotate", f"signing key {made.kid}", is_leaked=is_leaked)
    return made.kid


def _made(work: Work) -> SigningKey:
    kid = f"v1-{work.now:%Y%m%d}-{work.ids.hex(4)}"
    key = SigningKey(kid, new_key())
    sealed = work.keys.seal(Secret(encode_key(key.secret)), SECRET.place(kid))
    store.add_signing_key(work.connection, kid, sealed, work.now)
    return key


def _opened(ring: KeyRing, stored: store.StoredSigningKey) -> SigningKey:
    plain = ring.open(stored.secret, SECRET.place(stored.kid))
    return SigningKey(stored.kid, decode_key(plain.reveal(), source=f"signing key {stored.kid}"))
