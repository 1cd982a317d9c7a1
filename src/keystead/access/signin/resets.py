"""Resetting a password by a link that works once, for an hour. It ends every session; a second factor stays."""

from dataclasses import replace
from datetime import timedelta

from keystead.access import reach, users
from keystead.access.passwords import PasswordHash
from keystead.access.permissions import Permission, requires
from keystead.access.signin import links, sessions
from keystead.access.signin.links import NewLink
from keystead.access.store import links as store
from keystead.access.store import users as users_store
from keystead.access.store.links import Purpose
from keystead.access.store.users import User
from keystead.access.work import Work
from keystead.kit.secret import Secret

LIFE = timedelta(hours=1)


@requires(Permission.SIGN_IN)
def request(work: Work, login: str) -> NewLink | None:
    """Make a link for a login; None for one that nobody active has, which the caller does not say."""
    found = users.by_login(work.connection, login)
    return None if found is None or not found[0].is_active else _made(work, found[0])


@requires(Permission.USERS_MANAGE)
def create(work: Work, user_id: int) -> NewLink:
    """Make a link for a user; raise Forbidden when the user may do more than the caller."""
    user = users.found(work, user_id)
    reach.check_whole(work, user)
    return _made(work, user)


@requires(Permission.SIGN_IN)
def ask(work: Work, secret: Secret[str]) -> None:
    """Let whoever has a link begin what costs time before its transaction; raise LinkOver."""
    links.look_at(work, secret, Purpose.RESET)


@requires(Permission.SIGN_IN)
def complete(work: Work, secret: Secret[str], password_hash: PasswordHash) -> None:
    """Replace the password of the user a link was made for, and end all its sessions; raise LinkOver.

    Tell the door after the commit: ``forget_all()``.
    """
    link = links.use(work, secret, Purpose.RESET)
    user_id = link.user_id or 0
    users_store.set_password(work.connection, user_id, password_hash)
    store.drop_of_user(work.connection, user_id, Purpose.RESET)
    principal = replace(work.principal, account_id=link.account_id or 0, actor=f"user:{user_id} {link.login}")
    acting = replace(work, principal=principal)
    acting.audit("access.user.reset_password", f"user {user_id}", login=link.login)
    sessions.end_all(acting, user_id, "password reset")


def _made(work: Work, user: User) -> NewLink:
    """Make a link in the place of the one before; the record stands in the account where the user is at home."""
    store.drop_of_user(work.connection, user.id, Purpose.RESET)
    made = links.make(work, Purpose.RESET, user.login, LIFE, user_id=user.id, account_id=user.account_id)
    acting = replace(work, principal=replace(work.principal, account_id=user.account_id))
    acting.audit("access.user.make_reset_link", f"user {user.id}", login=user.login)
    return made
