"""The second factor: a code of six digits that changes every thirty seconds (TOTP, RFC 6238), and recovery codes.

A code is accepted within one step of the clock and never twice. Ten recovery codes stand in for a lost device; each
works once, and only their hashes are kept.
"""

import base64
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from keystead.access import reach, users
from keystead.access.models import SECOND_FACTORS
from keystead.access.permissions import Permission, requires
from keystead.access.rotation import SealedColumn
from keystead.access.signin import sessions
from keystead.access.signin.errors import SecondFactorNeeded, WrongSecondFactor
from keystead.access.store import secondfactors as store
from keystead.access.work import Work
from keystead.kit.crypto import fingerprint
from keystead.kit.errors import Conflict
from keystead.kit.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.twofactor.totp import TOTP

SECRET = SealedColumn(SECOND_FACTORS, [SECOND_FACTORS.c.user_id], SECOND_FACTORS.c.secret)
RECOVERY_CODES = 10
_STEP_S = 30
_DIGITS = 6
# RFC 4226 recommends a secret of 160 bits; a recovery code has 80, written in groups of four.
_SECRET_SIZE_BYTES = 20
_CODE_SIZE_BYTES = 10
_ISSUER = "Keystead"


@dataclass(frozen=True)
class Enrolment:
    """What a person puts into an authenticator app; shown this once."""

    secret: Secret[str]
    uri: Secret[str]


@requires(Permission.SIGN_IN)
def begin(work: Work) -> Enrolment:
    """Make a secret for the caller; it is asked for only when ``confirm`` has seen a code of it.

    Raises Conflict when there is a second factor already.
    """
    user_id = sessions.signed_in(work)
    if is_on(work.connection, user_id):
        raise Conflict("there is a second factor already; remove it first")
    raw = bytes.fromhex(work.ids.hex(_SECRET_SIZE_BYTES))
    text = Secret(base64.b32encode(raw).decode())
    store.replace(work.connection, user_id, work.keys.seal(text, SECRET.place(user_id)))
    user = users.found(work, user_id)
    work.audit("access.second_factor.begin", f"user {user_id}")
    return Enrolment(text, Secret(_generator(text).get_provisioning_uri(user.login, _ISSUER)))


@requires(Permission.SIGN_IN)
def confirm(work: Work, code: str) -> list[Secret[str]]:
    """Ask the second factor of the caller from now on; return the recovery codes, which are shown this once.

    Raises WrongSecondFactor, and Conflict where nothing waits to be confirmed.
    """
    user_id = sessions.signed_in(work)
    found = store.find(work.connection, user_id)
    if found is None or found.confirmed_at is not None:
        raise Conflict("no second factor waits to be confirmed; begin one first")
    _use_code(work, found, code)
    store.confirm(work.connection, user_id, work.now)
    work.audit("access.second_factor.confirm", f"user {user_id}")
    return _new_codes(work, user_id)


@requires(Permission.SIGN_IN)
def renew_codes(work: Work, code: str) -> list[Secret[str]]:
    """Replace the caller's recovery codes; raise WrongSecondFactor."""
    user_id = sessions.signed_in(work)
    check(work, user_id, code)
    work.audit("access.second_factor.renew_codes", f"user {user_id}")
    return _new_codes(work, user_id)


@requires(Permission.SIGN_IN)
def remove(work: Work, code: str) -> None:
    """Ask the caller for its password only; raise WrongSecondFactor."""
    user_id = sessions.signed_in(work)
    check(work, user_id, code)
    store.remove(work.connection, user_id)
    work.audit("access.second_factor.remove", f"user {user_id}")


@requires(Permission.USERS_MANAGE)
def remove_of_user(work: Work, user_id: int) -> bool:
    """Take a second factor from a user who lost it; return whether there was one.

    Raises Forbidden when the user may do more than the caller.
    """
    reach.check_whole(work, users.found(work, user_id))
    had_one = store.remove(work.connection, user_id)
    if had_one:
        work.audit("access.second_factor.remove", f"user {user_id}")
    return had_one


def is_on(connection: Connection, user_id: int) -> bool:
    """Tell whether a user is asked for a second factor."""
    found = store.find(connection, user_id)
    return found is not None and found.confirmed_at is not None


def check(work: Work, user_id: int, code: str | None) -> None:
    """Use up a code or a recovery code; raise SecondFactorNeeded without one and WrongSecondFactor for a wrong one."""
    found = store.find(work.connection, user_id)
    if found is None or found.confirmed_at is None:
        raise Conflict("there is no second factor")
    if not code:
        raise SecondFactorNeeded("a code of the second factor is needed; send it as code")
    bare = "".join(code.split()).replace("-", "").lower()
    if len(bare) != _DIGITS:
        if not store.use_code(work.connection, user_id, fingerprint(bare), work.now):
            raise WrongSecondFactor("this recovery code is wrong or was used")
        left = store.count_codes(work.connection, user_id)
        work.audit("access.second_factor.use_recovery_code", f"user {user_id}", codes_left=left)
        return
    _use_code(work, found, bare)


def _use_code(work: Work, found: store.SecondFactor, code: str) -> None:
    """Use up a code; the clock of the person's device may be a step before or behind."""
    generator = _generator(work.keys.open(found.secret, SECRET.place(found.user_id)))
    now_step = int(work.now.timestamp()) // _STEP_S
    for step in (now_step - 1, now_step, now_step + 1):
        is_right = hmac.compare_digest(generator.generate(step * _STEP_S), code.strip().encode("utf-8", "replace"))
        if is_right and store.use_step(work.connection, found.user_id, step):
            return
    raise WrongSecondFactor("this code is wrong, or it was used; wait for the next one")


def _new_codes(work: Work, user_id: int) -> list[Secret[str]]:
    codes = [work.ids.hex(_CODE_SIZE_BYTES) for _ in range(RECOVERY_CODES)]
    store.replace_codes(work.connection, user_id, [fingerprint(code) for code in codes])
    return [Secret("-".join(code[at : at + 4] for at in range(0, len(code), 4))) for code in codes]


def _generator(text: Secret[str]) -> "TOTP":
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.twofactor.totp import TOTP

    # RFC 6238's default, and the only one that all authenticator apps know; collisions do not matter to an HMAC.
    return TOTP(base64.b32decode(text.reveal()), _DIGITS, SHA1(), _STEP_S)  # noqa: S303
