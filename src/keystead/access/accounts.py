"""Accounts: the tenants that own everything.

The first start makes one, the house account: the installation's own, on the largest plan. Others are made by its
people, or by whoever registers where registration is open.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from keystead.access import accountplans, roles
from keystead.access.accountplans import AccountPlan, Limits
from keystead.access.permissions import Permission, requires
from keystead.access.principal import DEFAULT_ACCOUNT
from keystead.access.store import accounts as store
from keystead.access.store.accounts import Account
from keystead.access.work import Work
from keystead.kit.errors import AlreadyExists, Conflict, Invalid, NotFound
from keystead.kit.page import Page

_NAME_LENGTH_MAX = 64


@dataclass(frozen=True)
class AccountChanges:
    """What to change about an account; None leaves a thing as it is."""

    name: str | None = None
    plan: AccountPlan | None = None
    is_active: bool | None = None


def ensure_default(connection: Connection, now: datetime) -> int:
    """Return the id of the house account, making it at the first start."""
    return store.ensure_house(connection, DEFAULT_ACCOUNT, AccountPlan.BUSS.value, now)


def id_of(connection: Connection, named: str) -> int:
    """Return the id of an account by its name or number; raise NotFound."""
    found = store.by_name_or_number(connection, named)
    if found is None:
        raise NotFound("account", named)
    return found


@requires(Permission.ACCOUNTS_MANAGE)
def create(work: Work, *, name: str, plan: AccountPlan = AccountPlan.FREE) -> Account:
    """Create an account without members; raise AlreadyExists when the name is taken."""
    values = {"name": _checked_name(name), "plan": plan.value, "created_at": work.now}
    try:
        account_id = store.insert_account(work.connection, values)
    except IntegrityError as error:
        raise AlreadyExists(f"account {values['name']} exists") from error
    roles.add_built_in(work.connection, account_id)
    work.audit("access.account.create", f"account {account_id}", name=str(values["name"]), plan=plan.value)
    return _found(work, account_id)


@requires(Permission.ACCOUNTS_MANAGE)
def list_(work: Work, page: Page) -> list[Account]:
    """Return a page of all accounts, suspended ones included."""
    return store.page(work.connection, page)


@requires(Permission.USERS_READ)
def find_own(work: Work) -> tuple[Account, Limits]:
    """Return the caller's account and what its plan allows."""
    account = _found(work, work.principal.account_id)
    return account, accountplans.limits(work.connection, AccountPlan(account.plan))


@requires(Permission.ACCOUNTS_MANAGE)
def change(work: Work, account_id: int, changes: AccountChanges) -> Account:
    """Rename an account, give it another plan, suspend it or let it in again.

    Tell the doors after the commit: ``forget_all()``. The house account keeps its name and is never suspended.
    """
    before = _found(work, account_id)
    name = before.name if changes.name is None else _checked_name(changes.name)
    is_active = before.is_active if changes.is_active is None else changes.is_active
    plan = before.plan if changes.plan is None else changes.plan.value
    if before.is_house and (name != before.name or not is_active):
        raise Conflict("the house account is neither renamed nor suspended: the installation runs on it")
    try:
        store.change(work.connection, account_id, name=name, plan=plan, is_active=is_active)
    except IntegrityError as error:
        raise AlreadyExists(f"account {name} exists") from error
    after = _found(work, account_id)
    if after != before:
        work.audit("access.account.change", f"account {account_id}", name=name, plan=plan, is_active=is_active)
    return after


def _checked_name(name: str) -> str:
    bare = name.strip()
    if not 0 < len(bare) <= _NAME_LENGTH_MAX or not bare.isprintable():
        raise Invalid(
            f"an account's name has 1 to {_NAME_LENGTH_MAX} characters", fields={"name": "wrong length or form"}
        )
    return bare


def _found(work: Work, account_id: int) -> Account:
    account = store.account(work.connection, account_id)
    if account is None:
        raise NotFound("account", account_id)
    return account
