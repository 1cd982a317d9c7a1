"""Signing in with a password, and changing one's own. Passwords are hashed and compared beside the units of work."""

from dataclasses import dataclass

from keystead.access import audit, users
from keystead.access.passwords import PasswordHash
from keystead.access.permissions import Permission, requires
from keystead.access.signin import attempts, secondfactor, sessions
from keystead.access.signin.attempts import Kind
from keystead.access.signin.errors import WrongCredentials
from keystead.access.signin.rules import Binding, Visit
from keystead.access.signin.sessions import SignedIn
from keystead.access.store import users as store
from keystead.access.store.users import Membership, User
from keystead.access.work import Work


@dataclass(frozen=True)
class Known:
    """What is known of a login before anything is proved: for comparing, never for answering."""

    user: User
    password_hash: PasswordHash
    has_second_factor: bool


@dataclass(frozen=True)
class Proof:
    """What a person has proved with: a code, where there is a second factor, and a hash to keep instead, if any."""

    code: str | None = None
    rehashed: PasswordHash | None = None


@requires(Permission.SIGN_IN)
def look_up(work: Work, login: str) -> Known | None:
    """Return what there is to compare a password with; None for a login that nobody has."""
    found = users.by_login(work.connection, login)
    if found is None:
        return None
    user, password_hash = found
    return Known(user, password_hash, secondfactor.is_on(work.connection, user.id))


@requires(Permission.SIGN_IN)
def look_up_own(work: Work) -> Known:
    """Return the same of the caller."""
    known = look_up(work, _own(work).login)
    assert known is not None  # noqa: S101 - a user has a login
    return known


@requires(Permission.SIGN_IN)
def sign_in(work: Work, known: Known, proof: Proof, visit: Visit, binding: Binding) -> SignedIn:
    """Open a session for a user whose password was right; raise SecondFactorNeeded or WrongSecondFactor.

    Raises WrongCredentials when the user was disabled or the password changed meanwhile.
    """
    now = store.by_id(work.connection, known.user.id)
    if now is None or now != (known.user, known.password_hash) or not known.user.is_active:
        raise WrongCredentials("the login or the password is wrong")
    if known.has_second_factor:
        secondfactor.check(work, known.user.id, proof.code)
        attempts.succeed(work, Kind.SECOND_FACTOR, login=known.user.login, address=visit.address)
    attempts.succeed(work, Kind.SIGN_IN, login=known.user.login, address=visit.address)
    if proof.rehashed is not None:
        store.set_password(work.connection, known.user.id, proof.rehashed)
    return sessions.begin(work, known.user, visit, binding)


@requires(Permission.SIGN_IN)
def note_failure(work: Work, user: User | None, reason: str) -> None:
    """Record that somebody did not get in; for a login that nobody has too, so that both take as long."""
    audit.record_denial(
        work.connection,
        account_id=work.principal.account_id if user is None else user.account_id,
        actor=work.principal.actor if user is None else f"user:{user.id} {user.login}",
        request_id=work.request_id,
        at=work.now,
        verb="access.session.open",
        subject="unknown login" if user is None else f"user {user.id}",
        reason=reason,
    )


@requires(Permission.SIGN_IN)
def me(work: Work) -> tuple[User, list[Membership]]:
    """Return the caller and the accounts it may work in."""
    user = _own(work)
    return user, store.memberships(work.connection, user.id)


@requires(Permission.SIGN_IN)
def change_password(work: Work, password_hash: PasswordHash, visit: Visit, binding: Binding) -> SignedIn:
    """Replace the caller's password, end all its sessions and open a new one. Tell the door after the commit."""
    user = _own(work)
    store.set_password(work.connection, user.id, password_hash)
    work.audit("access.user.change_password", f"user {user.id}", login=user.login)
    attempts.succeed(work, Kind.SIGN_IN, login=user.login, address=visit.address)
    sessions.end_all(work, user.id, "password changed")
    return sessions.begin(work, user, visit, binding)


def _own(work: Work) -> User:
    found = store.by_id(work.connection, sessions.signed_in(work))
    if found is None:
        raise WrongCredentials("this user is gone")
    return found[0]
