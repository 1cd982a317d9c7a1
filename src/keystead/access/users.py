"""Users: people who sign in. Their passwords are hashed before the unit of work, see ``passwords``.

A user is at home in one account and may be a member of several. Nobody reaches, through another user, what they may not
do themselves, and nobody keeps out who may do more: passwords are set and people kept out only by who holds all that
they hold. Whoever works in several accounts is kept out of each by taking the membership, and of all by the operator.
"""

import re

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from keystead.access import reach
from keystead.access.passwords import PasswordHash
from keystead.access.permissions import Permission, requires
from keystead.access.principal import Principal
from keystead.access.store import roles as roles_store
from keystead.access.store import sessions as sessions_store
from keystead.access.store import users as store
from keystead.access.store.users import User
from keystead.access.work import Work
from keystead.kit.errors import AlreadyExists, Forbidden, Invalid, NotFound
from keystead.kit.page import Page

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


@requires(Permission.USERS_MANAGE)
def create(work: Work, *, login: str, password_hash: PasswordHash) -> User:
    """Create an active user without roles, at home in the caller's account.

    Raises Invalid for the login's form, AlreadyExists when it is taken, and QuotaExceeded beyond the account's plan.
    """
    name = checked_login(login)
    reach.check_room(work)
    values = {
        "account_id": work.principal.account_id,
        "login": name,
        "password_hash": password_hash,
        "is_active": True,
        "created_at": work.now,
    }
    try:
        user_id = store.insert_user(work.connection, values)
    except IntegrityError as error:
        raise AlreadyExists(f"login {name} is taken") from error
    work.audit("access.user.create", f"user {user_id}", login=name)
    return found(work, user_id)


@requires(Permission.USERS_READ)
def find(work: Work, user_id: int) -> User:
    """Return a user of the caller's account; raise NotFound."""
    return found(work, user_id)


@requires(Permission.USERS_READ)
def list_(work: Work, page: Page) -> list[User]:
    """Return a page of the account's users, disabled ones included."""
    return store.page(work.connection, work.principal.account_id, page)


@requires(Permission.USERS_MANAGE)
def disable(work: Work, user_id: int) -> User:
    """Keep a user and its tokens out, and end its sessions; raise Forbidden when the user may do more than the caller.

    Raises Conflict for the last owner. Tell the doors after the commit: ``forget_all()``.
    """
    reach.check_whole(work, found(work, user_id))
    reach.check_owner_left(work, user_id)
    sessions_store.end_of_user(work.connection, user_id, work.now, "user disabled")
    return _set_active(work, user_id, is_active=False)


@requires(Permission.USERS_MANAGE)
def enable(work: Work, user_id: int) -> User:
    """Let a disabled user in again."""
    reach.check_whole(work, found(work, user_id))
    return _set_active(work, user_id, is_active=True)


@requires(Permission.USERS_MANAGE)
def set_password(work: Work, user_id: int, password_hash: PasswordHash) -> User:
    """Replace a user's password and end its sessions; raise Forbidden when the user may do more than the caller.

    Tell the doors after the commit: ``forget_all()``.
    """
    user = found(work, user_id)
    reach.check_whole(work, user)
    store.set_password(work.connection, user_id, password_hash)
    ended = sessions_store.end_of_user(work.connection, user_id, work.now, "password set")
    work.audit("access.user.set_password", f"user {user_id}", login=user.login, sessions_ended=ended)
    return user


@requires(Permission.USERS_MANAGE)
def change(work: Work, user_id: int, *, is_active: bool | None, password_hash: PasswordHash | None) -> User:
    """Let a user in or keep it out, replace its password, or both; None leaves a thing as it is.

    Tell the door after the commit: ``door.forget_all()``.
    """
    if password_hash is not None:
        set_password(work, user_id, password_hash)
    if is_active is not None:
        (enable if is_active else disable)(work, user_id)
    return found(work, user_id)


@requires(Permission.USERS_MANAGE)
def ask_management(work: Work) -> None:
    """Let the caller begin what costs time before its transaction; nothing is changed here."""


def by_login(connection: Connection, login: str) -> tuple[User, PasswordHash] | None:
    """Return the user with a login and its password's hash, for signing in; None when there is none."""
    row = store.by_login(connection, login.strip().lower())
    return None if row is None else (row[0], PasswordHash(row[1]))


def principal_of(connection: Connection, user: User, account_id: int) -> Principal:
    """Return the principal of a user who has proved to be itself, at work in an account.

    Raises Forbidden when the user is disabled, is no member of the account, or the account is suspended.
    """
    actor = f"user:{user.id} {user.login}"
    if not user.is_active:
        raise Forbidden(f"user {user.login} is disabled", actor=actor)
    account = next((one for one in store.memberships(connection, user.id) if one.account_id == account_id), None)
    if account is None or not account.is_active:
        raise Forbidden(f"user {user.login} may not work in account {account_id}", actor=actor)
    return Principal(
        account_id=account_id,
        actor=actor,
        permissions=roles_store.permissions_of(connection, account_id, user.id) | {Permission.SIGN_IN},
        user_id=user.id,
        is_house=account.is_house,
    )


def checked_login(login: str) -> str:
    """Return a login as it is kept; raise Invalid for one of the wrong form."""
    name = login.strip().lower()
    if not _LOGIN.fullmatch(name):
        raise Invalid(
            "a login has 1 to 64 of a-z, 0-9 and . _ @ + -, and begins with a letter or digit",
            fields={"login": "wrong form"},
        )
    return name


def found(work: Work, user_id: int) -> User:
    """Return a user of the account for another verb of access; raise NotFound."""
    user = store.user(work.connection, work.principal.account_id, user_id)
    if user is None:
        raise NotFound("user", user_id)
    return user


def _set_active(work: Work, user_id: int, *, is_active: bool) -> User:
    user = found(work, user_id)
    if user.is_active != is_active:
        store.set_active(work.connection, user_id, is_active=is_active)
        work.audit(f"access.user.{'enable' if is_active else 'disable'}", f"user {user_id}", login=user.login)
    return found(work, user_id)
