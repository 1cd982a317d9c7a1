"""Tokens: secrets that authenticate to Keystead, for programs of all dialects.

Only a token's SHA-256 is stored, which is also how it is found: no secret is ever compared character by character. The
secret of the environment is a token like any other, of kind ``env``, for as long as it is set. Requests go through
``gate.TokenDoor``, which remembers what is decided here.
"""

import ipaddress
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from keystead.access.permissions import (
    USUAL_VPN_PERMISSIONS,
    VPN_PERMISSIONS,
    Permission,
    ceiling,
    requires,
    written_permissions,
)
from keystead.access.principal import Principal
from keystead.access.store import roles as roles_store
from keystead.access.store import tokens as store
from keystead.access.store import users as users_store
from keystead.access.store.tokens import Presented, Token, TokenKind
from keystead.access.work import Work
from keystead.kit.crypto import fingerprint
from keystead.kit.errors import Conflict, Ended, Forbidden, Invalid, Misconfigured, NotFound, Unauthenticated
from keystead.kit.ids import is_well_formed_token
from keystead.kit.names import Network, network
from keystead.kit.page import Page
from keystead.kit.secret import Secret

ENVIRONMENT_NAME = "API_SECRET_KEY"
ENVIRONMENT_LENGTH_MIN = 32
PRESENTED_LENGTH_MAX = 512
_NAME_LENGTH_MAX = 128
# ``ks_<kind>_`` and four characters: enough to recognise a token by, nothing to guess the rest from.
_HINT_SECRET_LENGTH = 4


@dataclass(frozen=True)
class NewToken:
    """A token at its creation, the only moment its secret is known."""

    token: Token
    secret: Secret[str]


@dataclass(frozen=True)
class Credential:
    """What a look-up found, ready to be checked on every call without the database."""

    token_id: int
    principal: Principal
    networks: tuple[Network, ...]
    expires_at: datetime | None


@requires(Permission.TOKENS_MANAGE)
def create(
    work: Work,
    *,
    name: str,
    permissions: Iterable[Permission],
    kind: TokenKind = TokenKind.API,
    addresses: Iterable[str] = (),
    expires_at: datetime | None = None,
    is_confined: bool = False,
    user_id: int | None = None,
) -> NewToken:
    """Create a token and return it with its secret, which is shown this once.

    ``addresses`` are the addresses and CIDR ranges it may be used from (none: anywhere); a confined token sees only the
    keys it issued, so it may hold VPN permissions only. Raises Forbidden for permissions that the caller lacks, and for
    a caller that is confined itself.
    """
    granted = frozenset(permissions)
    if is_confined:
        _check_confinable(granted)
    work.principal.check_grant(granted)
    if work.principal.confined_to_token is not None:
        raise Forbidden("a confined credential may not create others")
    if user_id is not None and users_store.user(work.connection, work.principal.account_id, user_id) is None:
        raise NotFound("user", user_id)
    if kind is TokenKind.ENV:
        raise Invalid("a token of the environment is made by setting it", fields={"kind": "env is reserved"})
    if expires_at is not None and expires_at <= work.now:
        raise Invalid("expires_at must lie in the future", fields={"expires_at": "lies in the past"})
    secret = work.ids.token(kind.value)
    values = {
        **_row(work, _checked_name(name), kind, secret, granted),
        "user_id": user_id,
        "hint": secret[: len(f"ks_{kind.value}_") + _HINT_SECRET_LENGTH],
        "addresses": [str(network(address)) for address in addresses],
        "is_confined": is_confined,
        "expires_at": expires_at,
    }
    token = _inserted(work, values)
    work.audit("access.token.create", f"token {token.id}", **_audited(token))
    return NewToken(token, Secret(secret))


@requires(Permission.TOKENS_MANAGE)
def create_unlimited(work: Work, /, **wishes: Any) -> NewToken:
    """Create a token that no wire's limits a minute hold; ``wishes`` and errors are those of ``create``."""
    made = create(work, **wishes)
    store.lift_limits(work.connection, made.token.id)
    work.audit("access.token.lift_limits", f"token {made.token.id}", name=made.token.name)
    return NewToken(_found(work, made.token.id), made.secret)


@requires(Permission.TOKENS_MANAGE)
def create_owner(work: Work, /, *, is_rate_limited: bool = True, **wishes: Any) -> NewToken:
    """Create a token that may do whatever an owner of the account may, in this version and in later ones.

    ``wishes`` are those of ``create`` without permissions. Raises Forbidden unless the caller may do all that itself.
    """
    make = create if is_rate_limited else create_unlimited
    made = make(work, permissions=ceiling(is_house=work.principal.is_house), **wishes)
    store.make_owner(work.connection, made.token.id)
    work.audit("access.token.make_owner", f"token {made.token.id}", name=made.token.name)
    return NewToken(_found(work, made.token.id), made.secret)


@requires(Permission.TOKENS_READ)
def find(work: Work, token_id: int) -> Token:
    """Return a token of the caller's account; raise NotFound."""
    return _found(work, token_id)


@requires(Permission.TOKENS_READ)
def list_(work: Work, page: Page) -> list[Token]:
    """Return a page of the account's tokens, revoked ones included."""
    return store.page(work.connection, work.principal.account_id, page)


@requires(Permission.TOKENS_MANAGE)
def revoke(work: Work, token_id: int) -> Token:
    """Revoke a token; once more changes nothing. Tell the door after the commit: ``door.forget(token_id)``.

    Raises Forbidden for a token that may do more than the caller.
    """
    token = _found(work, token_id)
    held = _permissions(work.connection, token, is_house=work.principal.is_house)
    work.principal.check_reach(held, whose=f"token {token_id}")
    if token.kind is TokenKind.ENV:
        raise Conflict(f"this token is the setting {ENVIRONMENT_NAME}; unset it there and restart")
    if store.revoke(work.connection, token_id, work.now):
        work.audit("access.token.revoke", f"token {token_id}", name=token.name)
    return _found(work, token_id)


@requires(Permission.TOKENS_MANAGE)
def ensure_environment(work: Work, secret: Secret[str] | None) -> Token | None:
    """Make the secret of the environment a token with VPN permissions, and revoke those it had before.

    Called at start with the system's principal; None means that it is not set. Raises Misconfigured when it is too
    short to be a secret or is another token already.
    """
    presented = None if secret is None else _checked_environment(secret)
    found = None if presented is None else store.by_fingerprint(work.connection, fingerprint(presented))
    wanted = None if found is None else found.token
    if wanted is not None and wanted.kind is not TokenKind.ENV:
        raise Misconfigured(f"{ENVIRONMENT_NAME} holds token {wanted.id} that Keystead issued; set another secret")
    for token in store.live_of_kind(work.connection, work.principal.account_id, TokenKind.ENV):
        if wanted is None or token.id != wanted.id:
            store.revoke(work.connection, token.id, work.now)
            work.audit("access.token.revoke", f"token {token.id}", name=token.name)
    if presented is None:
        return None
    return _new_environment(work, presented) if wanted is None else _reinstated(work, wanted)


def authenticate(connection: Connection, presented: str, *, address: str, now: datetime) -> Principal:
    """Return who presents a secret from an address.

    Raises Unauthenticated when it is unknown, malformed, expired or revoked, and Forbidden outside its addresses.
    """
    credential = look_up(connection, presented, now)
    check(credential, address=address, now=now)
    return credential.principal


def look_up(connection: Connection, presented: str, now: datetime) -> Credential:
    """Return what the database knows of a presented secret; raise Unauthenticated when it is good for nothing."""
    if not is_plausible(presented):
        raise Unauthenticated("this credential is malformed; copy it whole")
    found = store.by_fingerprint(connection, fingerprint(presented))
    if found is None:
        raise Unauthenticated("this credential is unknown")
    token = found.token
    if token.revoked_at is not None or not found.is_admitted:
        raise Unauthenticated("this credential is revoked")
    credential = Credential(
        token_id=token.id,
        principal=_principal(connection, found),
        networks=tuple(network(address) for address in token.addresses),
        expires_at=token.expires_at,
    )
    _check_expiry(credential, now)
    return credential


def check(credential: Credential, *, address: str, now: datetime) -> None:
    """Check what may change between two calls: raise Unauthenticated after the expiry, Forbidden elsewhere."""
    _check_expiry(credential, now)
    if credential.networks and not _is_within(address, credential.networks):
        raise Forbidden(
            "this credential may not be used from this address",
            actor=credential.principal.actor,
            account_id=credential.principal.account_id,
        )


def is_plausible(presented: str) -> bool:
    """Tell whether a presented secret could be one at all, before anything is looked up."""
    if not 0 < len(presented) <= PRESENTED_LENGTH_MAX or not presented.isascii():
        return False
    return not presented.startswith("ks_") or is_well_formed_token(presented)


def _check_expiry(credential: Credential, now: datetime) -> None:
    if credential.expires_at is not None and credential.expires_at <= now:
        raise Ended("this credential has expired")


def _is_within(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        caller = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = caller.ipv4_mapped if isinstance(caller, ipaddress.IPv6Address) else None
    return any((mapped or caller) in allowed for allowed in networks)


def _permissions(connection: Connection, token: Token, *, is_house: bool) -> frozenset[Permission]:
    """Return what a token may do now: less than it was given where its user or its account may do less."""
    most = ceiling(is_house=is_house)
    permissions = most if token.is_owner else token.permissions & most
    if token.user_id is not None:
        permissions &= roles_store.permissions_of(connection, token.account_id, token.user_id)
    if token.is_confined:  # one made by an earlier version may have been given more
        permissions &= VPN_PERMISSIONS
    return permissions


def _principal(connection: Connection, found: Presented) -> Principal:
    token = found.token
    return Principal(
        account_id=token.account_id,
        actor=f"token:env {token.name}" if token.kind is TokenKind.ENV else f"token:{token.id} {token.name}",
        permissions=_permissions(connection, token, is_house=found.is_house),
        token_id=token.id,
        user_id=token.user_id,
        confined_to_token=token.id if token.is_confined else None,
        is_rate_limited=token.is_rate_limited,
        is_house=found.is_house,
    )


def _check_confinable(granted: frozenset[Permission]) -> None:
    """Refuse what would lead past the confinement: the trail, plans and backups tell of everybody's keys."""
    beyond = ", ".join(written_permissions(granted - VPN_PERMISSIONS))
    if beyond:
        problem = f"a confined token may hold VPN permissions only, not {beyond}"
        raise Invalid(problem, fields={"permissions": problem})


def _checked_name(name: str) -> str:
    bare = name.strip()
    if not 0 < len(bare) <= _NAME_LENGTH_MAX or any(unicodedata.category(letter) == "Cc" for letter in bare):
        raise Invalid(f"a token's name has 1 to {_NAME_LENGTH_MAX} characters", fields={"name": "wrong length or form"})
    return bare


def _checked_environment(secret: Secret[str]) -> str:
    presented = secret.reveal()
    if len(presented) < ENVIRONMENT_LENGTH_MIN or not is_plausible(presented):
        raise Misconfigured(
            f"{ENVIRONMENT_NAME} must be {ENVIRONMENT_LENGTH_MIN} to {PRESENTED_LENGTH_MAX} ASCII characters, "
            "for example API_SECRET_KEY=$(openssl rand -hex 32)"
        )
    return presented


def _row(work: Work, name: str, kind: TokenKind, secret: str, permissions: frozenset[Permission]) -> dict[str, object]:
    return {
        "account_id": work.principal.account_id,
        "name": name,
        "kind": kind.value,
        "fingerprint": fingerprint(secret),
        "permissions": written_permissions(permissions),
        "created_at": work.now,
    }


def _inserted(work: Work, values: dict[str, object]) -> Token:
    return _found(work, store.insert_token(work.connection, values))


def _new_environment(work: Work, presented: str) -> Token:
    row = _row(work, ENVIRONMENT_NAME, TokenKind.ENV, presented, USUAL_VPN_PERMISSIONS)
    token = _inserted(work, {**row, "hint": "env", "addresses": [], "is_confined": False})
    work.audit("access.token.create", f"token {token.id}", **_audited(token))
    return token


def _reinstated(work: Work, token: Token) -> Token:
    if token.revoked_at is None:
        return token
    store.reinstate(work.connection, token.id)
    work.audit("access.token.reinstate", f"token {token.id}", name=token.name)
    return _found(work, token.id)


def _found(work: Work, token_id: int) -> Token:
    token = store.find(work.connection, work.principal.account_id, token_id)
    if token is None:
        raise NotFound("token", token_id)
    return token


def _audited(token: Token) -> dict[str, object]:
    return {
        "name": token.name,
        "kind": token.kind.value,
        "hint": token.hint,
        "permissions": written_permissions(token.permissions),
        "addresses": list(token.addresses),
        "is_confined": token.is_confined,
        "expires_at": None if token.expires_at is None else token.expires_at.isoformat(),
        "user_id": token.user_id,
    }
