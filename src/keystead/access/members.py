"""Members: users who may work in an account, at home there or elsewhere. They come by invitation (``invitations``)."""

from keystead.access import reach, users
from keystead.access.permissions import Permission, requires
from keystead.access.store import tokens as tokens_store
from keystead.access.store import users as store
from keystead.access.work import Work
from keystead.kit.errors import Conflict

# The roles that wires know by name, the strongest first.
RANKED = ("owner", "operator", "editor", "viewer")


@requires(Permission.USERS_MANAGE)
def remove(work: Work, user_id: int) -> None:
    """Take a user out of the caller's account, with its roles and tokens there.

    Raises Forbidden when the user may do more than the caller, and Conflict for the last owner and for a user who is at
    home here: that one is disabled. Tell the doors after the commit: ``forget_all()``.
    """
    user = users.found(work, user_id)
    reach.check(work, user_id)
    reach.check_owner_left(work, user_id)
    account_id = work.principal.account_id
    if user.account_id == account_id:
        raise Conflict(f"user {user_id} is at home in this account; disable it instead")
    revoked = tokens_store.revoke_of_user(work.connection, account_id, user_id, work.now)
    store.remove_member(work.connection, account_id, user_id)
    work.audit("access.member.remove", f"user {user_id}", login=user.login, tokens_revoked=revoked)


def leading_role(names: tuple[str, ...]) -> str:
    """Return the strongest of a member's roles that a wire with one role for each member can name."""
    for name in RANKED:
        if name in names:
            return name
    return names[0] if names else "none"
