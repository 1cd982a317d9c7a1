"""Invitations: how people come to be members of an account. Each is for one login, works once and for a week."""

from dataclasses import replace
from datetime import timedelta

from keystead.access import accounts, reach, roles, users
from keystead.access.accountplans import AccountPlan
from keystead.access.permissions import Permission, ceiling, requires
from keystead.access.principal import system
from keystead.access.signin import links, sessions
from keystead.access.signin.links import NewLink
from keystead.access.store import links as store
from keystead.access.store import roles as roles_store
from keystead.access.store import users as users_store
from keystead.access.store.accounts import Account
from keystead.access.store.links import Link, Purpose
from keystead.access.store.users import User
from keystead.access.work import Work
from keystead.kit.errors import AlreadyExists, Forbidden, NotFound
from keystead.kit.page import Page
from keystead.kit.secret import Secret

LIFE = timedelta(days=7)


@requires(Permission.USERS_MANAGE)
def create(work: Work, *, login: str, role: str) -> NewLink:
    """Invite a person into the caller's account with a role; an earlier invitation of the same login is void.

    Raises Forbidden for a role beyond the caller, AlreadyExists for a member, and QuotaExceeded beyond the plan.
    """
    name, account_id = users.checked_login(login), work.principal.account_id
    granted = roles_store.role(work.connection, account_id, role)
    if granted is None:
        raise NotFound("role", role)
    work.principal.check_grant(granted.permissions & ceiling(is_house=work.principal.is_house))
    known = users.by_login(work.connection, name)
    if known is not None and users_store.user(work.connection, account_id, known[0].id) is not None:
        raise AlreadyExists(f"{name} is a member already")
    reach.check_room(work)
    store.drop_of_account(work.connection, account_id, Purpose.INVITE, name)
    made = links.make(work, Purpose.INVITE, name, LIFE, account_id=account_id, role=role)
    work.audit("access.invitation.create", f"invitation {made.id}", login=name, role=role)
    return made


@requires(Permission.ACCOUNTS_MANAGE)
def create_account(
    work: Work, *, name: str, plan: AccountPlan, owner: str | None = None
) -> tuple[Account, NewLink | None]:
    """Create an account, and invite its first owner, if one is named; errors are those of both."""
    account = accounts.create(work, name=name, plan=plan)
    if owner is None:
        return account, None
    inside = replace(work, principal=replace(work.principal, account_id=account.id, is_house=False))
    return account, create(inside, login=owner, role=roles.OWNER)


@requires(Permission.USERS_READ)
def list_(work: Work, page: Page) -> list[Link]:
    """Return a page of the account's invitations that wait to be accepted."""
    return store.open_of_account(work.connection, work.principal.account_id, Purpose.INVITE, work.now, page)


@requires(Permission.USERS_MANAGE)
def withdraw(work: Work, invitation_id: int) -> None:
    """Withdraw an invitation that waits; raise NotFound."""
    account_id = work.principal.account_id
    found = store.one_of_account(work.connection, account_id, Purpose.INVITE, work.now, invitation_id)
    if found is None:
        raise NotFound("invitation", invitation_id)
    store.drop(work.connection, invitation_id)
    work.audit("access.invitation.withdraw", f"invitation {invitation_id}", login=found.login)


@requires(Permission.SIGN_IN)
def accept_own(work: Work, secret: Secret[str]) -> int:
    """Make the caller a member of the account it is invited to; return the account.

    Raises LinkOver, and Forbidden for an invitation of somebody else.
    """
    user_id = sessions.signed_in(work)
    found = users_store.by_id(work.connection, user_id)
    invitation = links.use(work, secret, Purpose.INVITE)
    if found is None or found[0].login != invitation.login:
        raise Forbidden("this invitation is for another login; sign in as that one, or ask for another")
    return join(work, found[0], invitation)


def join(work: Work, user: User, invitation: Link) -> int:
    """Make a user a member by an invitation, for another verb of access; return the account."""
    account_id = invitation.account_id or 0
    if users_store.user(work.connection, account_id, user.id) is None:
        as_system = replace(work, principal=system(account_id))
        reach.check_room(as_system)
        users_store.add_member(work.connection, account_id, user.id, work.now)
        acting = replace(work, principal=replace(system(account_id), actor=f"user:{user.id} {user.login}"))
        acting.audit("access.member.join", f"user {user.id}", login=user.login, role=invitation.role)
        roles.assign(as_system, user_id=user.id, name=invitation.role or "")
    return account_id
