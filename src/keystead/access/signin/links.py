"""One-time links: secrets that a person uses once, kept as hashes. What each is for is decided by the verbs beside."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from keystead.access.signin.errors import LinkOver
from keystead.access.store import links as store
from keystead.access.store.links import Link, Purpose
from keystead.access.work import Work
from keystead.kit.crypto import fingerprint
from keystead.kit.secret import Secret

_LENGTH_MAX = 256


@dataclass(frozen=True)
class NewLink:
    """A link at its making, the only moment its secret is known; ``login`` is whom it is for."""

    id: int
    login: str
    secret: Secret[str]
    expires_at: datetime


def make(work: Work, purpose: Purpose, login: str, life: timedelta, **values: Any) -> NewLink:
    """Make a link for a login."""
    secret, expires_at = work.ids.token(purpose.value), work.now + life
    row = {
        "purpose": purpose.value,
        "login": login,
        "fingerprint": fingerprint(secret),
        "created_at": work.now,
        "expires_at": expires_at,
        "account_id": None,
        "user_id": None,
        "role": None,
        "password_hash": None,
        **values,
    }
    return NewLink(store.insert_link(work.connection, row), login, Secret(secret), expires_at)


def look_at(work: Work, secret: Secret[str], purpose: Purpose) -> Link:
    """Return an open link without using it up; raise LinkOver. Space around a secret is what copying left there."""
    presented = secret.reveal().strip()
    is_plausible = presented.isascii() and len(presented) <= _LENGTH_MAX
    found = store.open_one(work.connection, fingerprint(presented), purpose, work.now) if is_plausible else None
    if found is None:
        raise LinkOver("this link is unknown, was used, or its time is over; ask for another")
    return found


def use(work: Work, secret: Secret[str], purpose: Purpose) -> Link:
    """Use a link up; raise LinkOver."""
    found = look_at(work, secret, purpose)
    if not store.use(work.connection, found.id, work.now):
        raise LinkOver("this link was used")
    return found
