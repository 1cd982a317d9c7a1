"""Sessions: a person's sign-in in one browser, kept up by refreshing, listed and ended by hand.

What a session's access tokens may do ends with it: at once in this process, and within ``door.REMEMBER_S`` in others
that share the database. Refreshing keeps up what signing in has opened, so it leaves no record of its own.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from keystead.access import reach, users
from keystead.access.models import SESSIONS
from keystead.access.permissions import Permission, requires
from keystead.access.rotation import SealedColumn
from keystead.access.signin import accesstokens, refreshing, signingkeys
from keystead.access.signin.errors import SessionOver
from keystead.access.signin.refreshing import Presented, Verdict
from keystead.access.signin.rules import Binding, Visit
from keystead.access.store import sessions as store
from keystead.access.store import users as users_store
from keystead.access.store.sessions import Session
from keystead.access.store.users import Membership, User
from keystead.access.work import Work
from keystead.kit.crypto import decode_key, encode_key, new_key
from keystead.kit.errors import Forbidden, NotFound
from keystead.kit.secret import Secret

CHAIN_KEY = SealedColumn(SESSIONS, [SESSIONS.c.id], SESSIONS.c.chain_key)
# A session that is not refreshed for a week is over, and so is one of a quarter of a year, however busy.
IDLE_LIFE = timedelta(days=7)
WHOLE_LIFE = timedelta(days=90)
# How long a session that is over stays in the database, for its refresh token to be told apart from a stranger's.
KEPT = timedelta(days=30)


@dataclass(frozen=True)
class SignedIn:
    """A person at work in an account: the session, and the tokens that open it from now on."""

    user: User
    account_id: int
    memberships: tuple[Membership, ...]
    session_id: str
    access: Secret[str]
    refresh: Secret[str]


def begin(work: Work, user: User, visit: Visit, binding: Binding) -> SignedIn:
    """Open a session for a user who has proved to be itself, in the first account that it may work in."""
    memberships = tuple(users_store.memberships(work.connection, user.id))
    account_id = _account(memberships, preferred=user.account_id)
    if account_id is None:
        raise Forbidden(f"{user.login} is a member of no account that is open; ask to be invited")
    acting = replace(work, principal=users.principal_of(work.connection, user, account_id))
    session_id, chain_key = work.ids.hex(16), new_key()
    store.insert_session(
        work.connection,
        {
            "id": session_id,
            "user_id": user.id,
            "account_id": account_id,
            "chain_key": work.keys.seal(Secret(encode_key(chain_key)), CHAIN_KEY.place(session_id)),
            "generation": 1,
            "rotated_at": work.now,
            "replaced": [],
            "created_at": work.now,
            "expires_at": work.now + IDLE_LIFE,
            "ends_at": work.now + WHOLE_LIFE,
            "address": visit.kept_address,
            "user_agent": visit.kept_user_agent,
        },
    )
    acting.audit("access.session.open", f"session {session_id}", address=visit.kept_address)
    access = _access(work, user, account_id, session_id, visit.marks(binding))
    return SignedIn(user, account_id, memberships, session_id, access, refreshing.token(session_id, 1, chain_key))


@requires(Permission.SIGN_IN)
def refresh(work: Work, presented: Secret[str], visit: Visit, binding: Binding) -> SignedIn | None:
    """Exchange a refresh token for its successor and an access token; None when a copy came back and ended the session.

    Raises SessionOver for a token that opens nothing. Tell the door after the commit of an end: ``forget_all()``.
    """
    found, session, user, chain_key = _genuine(work, presented)
    if not session.is_live(work.now) or not user.is_active:
        raise SessionOver("this session has ended; sign in again")
    memberships = tuple(users_store.memberships(work.connection, user.id))
    account_id = _account(memberships, preferred=session.account_id)
    if account_id is None:
        raise SessionOver("there is no account left to work in; ask to be invited")
    generation = session.generation
    match refreshing.judge(found.generation, newest=generation, replaced=session.replaced, now=work.now):
        case Verdict.REUSED:
            _end_reused(work, session, user)
            return None
        case Verdict.EXCHANGE:
            generation += 1
            store.rotate(work.connection, session.id, found.generation, _renewed(work, session, account_id, visit))
        case Verdict.REPEAT:
            pass
    access = _access(work, user, account_id, session.id, visit.marks(binding))
    token = refreshing.token(session.id, generation, chain_key)
    return SignedIn(user, account_id, memberships, session.id, access, token)


@requires(Permission.SIGN_IN)
def end_presented(work: Work, presented: Secret[str]) -> None:
    """End the session of a refresh token, old or new; one that opens nothing is no error. Tell the door afterwards."""
    try:
        _, session, user, _ = _genuine(work, presented)
    except SessionOver:
        return
    _end(work, session, user, "signed out")


@requires(Permission.SIGN_IN)
def list_own(work: Work) -> list[Session]:
    """Return the caller's sessions that somebody is signed in by, newest first."""
    return store.live_of_user(work.connection, signed_in(work), work.now)


@requires(Permission.SIGN_IN)
def end_own(work: Work, session_id: str | None = None) -> None:
    """End one of the caller's sessions, by default the present one; raise NotFound. Tell the door afterwards."""
    wanted = session_id or work.principal.session_id or ""
    found = store.with_user(work.connection, wanted)
    if found is None or found[0].user_id != signed_in(work):
        raise NotFound("session", wanted)
    _end(work, *found, "signed out")


@requires(Permission.SIGN_IN)
def end_others(work: Work) -> int:
    """End all of the caller's sessions but the present one; return how many. Tell the door afterwards."""
    return end_all(work, signed_in(work), "signed out", kept=work.principal.session_id)


@requires(Permission.SIGN_IN)
def switch(work: Work, account_id: int, visit: Visit, binding: Binding) -> tuple[Secret[str], int]:
    """Let the caller's session work in another account; return an access token for it, and the account.

    Raises Forbidden where the caller is no member. Access tokens made before keep the account they were made for.
    """
    found = store.with_user(work.connection, work.principal.session_id or "")
    if found is None:
        raise Forbidden("only a person who signed in can switch accounts; a token belongs to one")
    session, user = found
    acting = replace(work, principal=users.principal_of(work.connection, user, account_id))
    store.switch(work.connection, session.id, account_id)
    acting.audit("access.session.switch", f"session {session.id}", account_id=account_id)
    return _access(work, user, account_id, session.id, visit.marks(binding)), account_id


@requires(Permission.USERS_READ)
def list_of_user(work: Work, user_id: int) -> list[Session]:
    """Return the sessions of a user who is at home in the caller's account, newest first."""
    _at_home(work, user_id)
    return store.live_of_user(work.connection, user_id, work.now)


@requires(Permission.USERS_MANAGE)
def end_of_user(work: Work, user_id: int) -> int:
    """End all sessions of a user; return how many. Raises Forbidden when the user may do more than the caller.

    Tell the door after the commit: ``forget_all()``.
    """
    reach.check_whole(work, _at_home(work, user_id))
    return end_all(work, user_id, "ended by a manager")


def end_all(work: Work, user_id: int, reason: str, *, kept: str | None = None) -> int:
    """End a user's sessions but one, for another verb of access; return how many."""
    ended = store.end_of_user(work.connection, user_id, work.now, reason, kept=kept)
    if ended:
        work.audit("access.session.end", f"user {user_id}", sessions=ended, reason=reason)
    return ended


def signed_in(work: Work) -> int:
    """Return the caller's user for another verb about oneself; raise Forbidden for a token, which has no self."""
    if work.principal.session_id is None or work.principal.user_id is None:
        raise Forbidden("this concerns a person who signed in; a token has neither password nor sessions")
    return work.principal.user_id


def _genuine(work: Work, presented: Secret[str]) -> tuple[Presented, Session, User, Secret[bytes]]:
    """Return what a refresh token names, if it was made here; raise SessionOver."""
    found = refreshing.parse(presented.reveal())
    stored = None if found is None else store.for_refresh(work.connection, found.session_id)
    if found is None or stored is None:
        raise SessionOver("there is no such session; sign in")
    session, user = stored
    plain = work.keys.open(session.chain_key, CHAIN_KEY.place(session.id))
    chain_key = decode_key(plain.reveal(), source=f"session {session.id}")
    if not refreshing.is_genuine(found, chain_key):
        raise SessionOver("there is no such session; sign in")
    return found, session, user, chain_key


def _renewed(work: Work, session: Session, account_id: int, visit: Visit) -> dict[str, object]:
    return {
        "at": work.now,
        "moments": refreshing.replaced_now(session.replaced, work.now),
        "until": min(work.now + IDLE_LIFE, session.ends_at),
        "new_account_id": account_id,
        "new_address": visit.kept_address,
        "new_user_agent": visit.kept_user_agent,
    }


def _account(memberships: tuple[Membership, ...], *, preferred: int) -> int | None:
    """Return the account to work in: the preferred one, else the first that is open."""
    open_ones = [one.account_id for one in memberships if one.is_active]
    return preferred if preferred in open_ones else next(iter(open_ones), None)


def _access(work: Work, user: User, account_id: int, session_id: str, marks: str | None) -> Secret[str]:
    key = signingkeys.current(work)
    return accesstokens.issue(
        key, user_id=user.id, account_id=account_id, session_id=session_id, marks=marks, now=work.now
    )


def _end(work: Work, session: Session, user: User, reason: str) -> None:
    if store.end(work.connection, session.id, work.now, reason):
        _as(work, session, user).audit("access.session.end", f"session {session.id}", reason=reason)


def _end_reused(work: Work, session: Session, user: User) -> None:
    store.end(work.connection, session.id, work.now, "refresh token reused")
    acting = _as(work, session, user)
    acting.audit("access.session.reused", f"session {session.id}", generation=session.generation)


def _as(work: Work, session: Session, user: User) -> Work:
    """Return the work as the user's own, for its record to stand in the account it concerns."""
    principal = replace(work.principal, account_id=session.account_id, actor=f"user:{user.id} {user.login}")
    return replace(work, principal=principal)


def _at_home(work: Work, user_id: int) -> User:
    """Return a user whose sessions are this account's to see; elsewhere they are nobody's but its own."""
    user = users.found(work, user_id)
    if user.account_id != work.principal.account_id and not work.principal.is_operator:
        raise Forbidden(f"user {user_id} is at home in another account, which alone may see its sessions")
    return user
