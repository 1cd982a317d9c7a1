"""Registration: how a login comes to be without a manager's hand, where the installation lets it.

In two steps. The first keeps the hash of the password beside a one-time link; the second, which comes with the link's
secret, makes the user. Where mail is sent, the secret goes by mail, and an address is one that somebody reads; where
it is not, whoever registers gets it at once. Whoever was invited has had a secret by mail, or by hand, already.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from keystead.access import accounts, roles, users
from keystead.access.passwords import PasswordHash
from keystead.access.permissions import Permission, requires
from keystead.access.principal import system
from keystead.access.signin import links, sessions
from keystead.access.signin.errors import LinkOver, RegistrationClosed
from keystead.access.signin.links import NewLink
from keystead.access.signin.rules import Binding, Registration, Visit
from keystead.access.signin.sessions import SignedIn
from keystead.access.store import accounts as accounts_store
from keystead.access.store import links as store
from keystead.access.store.links import Link, Purpose
from keystead.access.store.users import User
from keystead.access.work import Work
from keystead.kit.errors import AlreadyExists, Invalid
from keystead.kit.secret import Secret

_LIFE = timedelta(hours=24)
_ACCOUNT_NAME_LENGTH_MAX = 64


@dataclass(frozen=True)
class Registrant:
    """Who wants to register, with the secret of an invitation, if there is one."""

    login: str
    password_hash: PasswordHash
    invitation: Secret[str] | None = None


@requires(Permission.SIGN_IN)
def ask(work: Work, rule: Registration, invitation: Secret[str] | None) -> None:
    """Let a stranger begin what costs time before its transaction; raise RegistrationClosed or LinkOver."""
    _admitted(work, rule, invitation)


@requires(Permission.SIGN_IN)
def begin(work: Work, rule: Registration, registrant: Registrant) -> NewLink:
    """Keep a registration until its link is used; raise AlreadyExists for a login that is taken."""
    login = users.checked_login(registrant.login)
    invitation = _admitted(work, rule, registrant.invitation)
    if invitation is not None and invitation.login != login:
        raise Invalid("this invitation is for another address", fields={"email": "not the one that was invited"})
    if "@" not in login[1:-1]:
        raise Invalid("register with an e-mail address", fields={"email": "no e-mail address"})
    if users.by_login(work.connection, login) is not None:
        raise AlreadyExists(f"login {login} is taken; sign in, or reset the password")
    return links.make(
        work,
        Purpose.REGISTER,
        login,
        _LIFE,
        password_hash=registrant.password_hash,
        account_id=None if invitation is None else invitation.account_id,
        role=None if invitation is None else invitation.role,
    )


@requires(Permission.SIGN_IN)
def complete(work: Work, secret: Secret[str], visit: Visit, binding: Binding) -> SignedIn:
    """Make the user whose registration a link keeps, and open a session for it.

    A user who was invited is at home in that account; anybody else is the owner of a new one. Raises LinkOver, and
    AlreadyExists when somebody else has taken the login meanwhile.
    """
    kept = links.use(work, secret, Purpose.REGISTER)
    user = _invited(work, kept) if kept.account_id is not None else _own_account(work, kept)
    return sessions.begin(work, user, visit, binding)


def _admitted(work: Work, rule: Registration, invitation: Secret[str] | None) -> Link | None:
    """Return the invitation of somebody who may register."""
    if rule is Registration.CLOSED:
        raise RegistrationClosed("nobody can register here; ask the operator for a user")
    if invitation is not None:
        return links.look_at(work, invitation, Purpose.INVITE)
    if rule is Registration.INVITATION:
        raise RegistrationClosed("registering takes an invitation here; ask an account's owner for one")
    return None


def _invited(work: Work, kept: Link) -> User:
    """Make the user of an invitation, which is used up by it; raise LinkOver when it was withdrawn meanwhile."""
    account_id = kept.account_id or 0
    if not store.drop_of_account(work.connection, account_id, Purpose.INVITE, kept.login):
        raise LinkOver("the invitation was withdrawn; ask for another")
    as_system = replace(work, principal=system(account_id))
    user = users.create(as_system, login=kept.login, password_hash=PasswordHash(kept.password_hash or ""))
    roles.assign(as_system, user_id=user.id, name=kept.role or "")
    return user


def _own_account(work: Work, kept: Link) -> User:
    as_system = replace(work, principal=system(work.principal.account_id))
    account = accounts.create(as_system, name=_free_name(work, kept.login))
    as_system = replace(work, principal=system(account.id))
    user = users.create(as_system, login=kept.login, password_hash=PasswordHash(kept.password_hash or ""))
    roles.assign(as_system, user_id=user.id, name=roles.OWNER)
    return user


def _free_name(work: Work, login: str) -> str:
    """Return a name for an account: the login, unless somebody called an account so."""
    name = login[:_ACCOUNT_NAME_LENGTH_MAX]
    return f"{login[:48]} {work.ids.hex(4)}" if accounts_store.is_taken(work.connection, name) else name
