"""Who may decide about whom, and what an account may not be left without. Asked by the verbs about people."""

from keystead.access import accountplans
from keystead.access.accountplans import Limit
from keystead.access.store import roles as roles_store
from keystead.access.store import users as store
from keystead.access.store.users import User
from keystead.access.work import Work
from keystead.kit.errors import Conflict, Forbidden

OWNER = "owner"


def check(work: Work, user_id: int) -> None:
    """Raise Forbidden when a user may do in the caller's account what the caller may not."""
    held = roles_store.permissions_of(work.connection, work.principal.account_id, user_id)
    work.principal.check_reach(held, whose=f"user {user_id}")


def check_whole(work: Work, user: User) -> None:
    """Raise Forbidden unless the caller may decide about a user as a whole, in whatever account it works."""
    if not work.principal.is_operator:
        elsewhere = [one for one in store.memberships(work.connection, user.id) if one.account_id != user.account_id]
        if user.account_id != work.principal.account_id or elsewhere:
            raise Forbidden(
                f"user {user.id} works in other accounts too; take its membership here, or ask the operator"
            )
    check(work, user.id)


def check_owner_left(work: Work, user_id: int) -> None:
    """Raise Conflict when an account would be without its last active owner; the operator may leave it so."""
    account_id = work.principal.account_id
    names = {role.name for role in roles_store.roles_of(work.connection, account_id, user_id)}
    if OWNER not in names or work.principal.is_operator:
        return
    if not store.count_other_holders(work.connection, account_id, OWNER, user_id):
        raise Conflict(f"user {user_id} is the account's last owner; make somebody else an owner first")


def check_room(work: Work) -> None:
    """Raise QuotaExceeded when the account's plan allows no further member."""
    account_id = work.principal.account_id
    present = store.count_members(work.connection, account_id)
    accountplans.check_room(work.connection, account_id, Limit.MEMBERS, present=present)
