"""How often one may try: wrong passwords, codes and registrations, from one place and for one login.

Counted in the database, so that a restart forgets nothing and several processes count together. An attempt is counted
before it is judged, and given back when it was right: many at once are no way round. Whoever signed in from a place
before is not kept out there by strangers who try the same login elsewhere.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from keystead.access.gate import place
from keystead.access.permissions import Permission, requires
from keystead.access.store import attempts as store
from keystead.access.store import sessions as sessions_store
from keystead.access.work import Work
from keystead.kit.errors import Throttled

_KNOWN_FOR = timedelta(days=30)


class Kind(StrEnum):
    """What is tried."""

    SIGN_IN = "sign-in"
    REGISTER = "register"
    RESET = "reset"
    SECOND_FACTOR = "second-factor"


@dataclass(frozen=True)
class Allowance:
    """So many within a span of time."""

    most: int
    within: timedelta


# From one place, and for one login; those of signing in and registering are the documented ones of the wire.
OF_PLACE = {
    Kind.SIGN_IN: Allowance(5, timedelta(minutes=5)),
    Kind.REGISTER: Allowance(3, timedelta(minutes=15)),
    Kind.RESET: Allowance(3, timedelta(minutes=15)),
    Kind.SECOND_FACTOR: Allowance(10, timedelta(minutes=15)),
}
OF_LOGIN = {
    Kind.SIGN_IN: Allowance(10, timedelta(minutes=15)),
    Kind.REGISTER: Allowance(1, timedelta(minutes=5)),
    Kind.RESET: Allowance(1, timedelta(minutes=5)),
    Kind.SECOND_FACTOR: Allowance(5, timedelta(minutes=15)),
}


@requires(Permission.SIGN_IN)
def begin(work: Work, kind: Kind, *, login: str, address: str) -> None:
    """Count an attempt; raise Throttled, telling how long to wait, when there were too many."""
    _take(work, _of_place(kind, address), OF_PLACE[kind])
    if kind is Kind.SIGN_IN and _is_known(work, login, address):
        return
    _take(work, _of_login(kind, login), OF_LOGIN[kind])


@requires(Permission.SIGN_IN)
def succeed(work: Work, kind: Kind, *, login: str, address: str) -> None:
    """Forget the attempts for a login that ended well, and give the last one back to the place."""
    store.forget(work.connection, _of_login(kind, login))
    store.give_back(work.connection, _of_place(kind, address))


@requires(Permission.SIGN_IN)
def forgive(work: Work, kind: Kind, *, login: str) -> None:
    """Forget the attempts for a login that came to nothing, so that no stranger uses up what is its owner's."""
    store.forget(work.connection, _of_login(kind, login))


def _take(work: Work, name: str, allowance: Allowance) -> None:
    ends_at = store.take(work.connection, name, allowance.most, work.now, work.now + allowance.within)
    if ends_at is not None:
        wait_s = max(1, math.ceil((ends_at - work.now).total_seconds()))
        raise Throttled(f"too many attempts; wait {wait_s} seconds and try again", retry_after_s=wait_s)


def _is_known(work: Work, login: str, address: str) -> bool:
    since = work.now - _KNOWN_FOR
    return sessions_store.has_from_place(work.connection, _bare(login), address, since)


def _of_place(kind: Kind, address: str) -> str:
    return f"{kind.value} from {place(address)}"[:128]


def _of_login(kind: Kind, login: str) -> str:
    return f"{kind.value} for {hashlib.sha256(_bare(login).encode('utf-8', 'replace')).hexdigest()}"


def _bare(login: str) -> str:
    return login.strip().lower().replace("\x00", "")
