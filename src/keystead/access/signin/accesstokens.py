"""Access tokens: JSON Web Tokens (RFC 7519) of fifteen minutes that say who works in which account, by which session.

They are signed with HS256 by a key named in their head, and bound to a keyed fingerprint of the browser. What a person
may do is not in them: it is looked up, so that a withdrawn role or an ended session is not waited for.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from keystead.access.signin.errors import AccessTokenOver, AccessTokenWrong, FingerprintMismatch
from keystead.access.signin.rules import Binding, Visit
from keystead.access.signin.signingkeys import ACCESS_LIFE, SigningKey
from keystead.kit import crypto
from keystead.kit.secret import Secret

_ALGORITHM = "HS256"
_KIND = "access"
_LENGTH_MAX = 4096


@dataclass(frozen=True)
class Claims:
    """What a token says; ``fingerprint`` is None where tokens are bound to nothing."""

    user_id: int
    account_id: int
    session_id: str
    fingerprint: str | None
    expires_at_s: int


def is_one(presented: str) -> bool:
    """Tell whether a credential has the form of an access token; tokens of our own kinds have no dots."""
    return presented.count(".") == 2 and presented.startswith("ey") and len(presented) <= _LENGTH_MAX


def kid_of(presented: str) -> str:
    """Return the name of the key that a token says it was signed with; nothing of it is believed yet."""
    from joserfc import jws
    from joserfc.errors import JoseError

    try:
        kid = jws.extract_compact(presented.encode()).headers().get("kid")
    except (JoseError, ValueError):
        raise _wrong() from None
    return kid if isinstance(kid, str) else ""


def issue(
    key: SigningKey, *, user_id: int, account_id: int, session_id: str, marks: str | None, now: datetime
) -> Secret[str]:
    """Return a new token."""
    from joserfc import jwt

    issued_at_s = int(now.timestamp())
    claims: dict[str, Any] = {
        "typ": _KIND,
        "sub": str(user_id),
        "user_id": user_id,
        "account_id": account_id,
        "session_id": session_id,
        "iat": issued_at_s,
        "exp": issued_at_s + int(ACCESS_LIFE.total_seconds()),
    }
    if marks is not None:
        claims["fp"] = fingerprint(key, marks)
    head = {"alg": _ALGORITHM, "kid": key.kid}
    return Secret(jwt.encode(head, claims, _octets(key), algorithms=[_ALGORITHM]))


def read(presented: str, key: SigningKey, now: datetime) -> Claims:
    """Return what a token says; raise AccessTokenWrong for a foreign one and AccessTokenOver for an old one."""
    from joserfc import jwt
    from joserfc.errors import JoseError

    try:
        claims = jwt.decode(presented, _octets(key), algorithms=[_ALGORITHM]).claims
        found = _claims(claims)
    except (JoseError, ValueError, KeyError, TypeError):
        raise _wrong() from None
    check_age(found, now)
    return found


def check_age(claims: Claims, now: datetime) -> None:
    """Raise AccessTokenOver for a token whose time is over."""
    if now.timestamp() >= claims.expires_at_s:
        raise AccessTokenOver("this access token has expired; refresh it with POST /auth/refresh")


def check_binding(claims: Claims, key: SigningKey, visit: Visit, binding: Binding) -> None:
    """Raise FingerprintMismatch for a token that is presented from elsewhere than it was made for."""
    marks = visit.marks(binding)
    if marks is None:
        return
    if claims.fingerprint is None or not hmac.compare_digest(claims.fingerprint, fingerprint(key, marks)):
        raise FingerprintMismatch("this access token was made for another browser or address; sign in here")


def fingerprint(key: SigningKey, marks: str) -> str:
    """Return the keyed fingerprint: without the key nobody tries addresses until one fits."""
    return crypto.mac(key.secret, b"fingerprint\x00" + marks.encode("utf-8", "surrogateescape"))


def _claims(claims: Mapping[str, Any]) -> Claims:
    if claims["typ"] != _KIND or not isinstance(claims["exp"], int):
        raise ValueError("another kind of token")
    return Claims(
        user_id=int(claims["user_id"]),
        account_id=int(claims["account_id"]),
        session_id=str(claims["session_id"]),
        fingerprint=claims.get("fp"),
        expires_at_s=claims["exp"],
    )


def _octets(key: SigningKey) -> Any:
    from joserfc.jwk import OctKey

    return OctKey.import_key(key.secret.reveal())


def _wrong() -> AccessTokenWrong:
    return AccessTokenWrong("this access token was not made here; sign in again")
