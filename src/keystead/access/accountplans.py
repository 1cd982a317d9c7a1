"""Account plans: how much an account may hold. Three are built in; their limits can be edited.

A limit that nobody has edited is the program's. Subjects ask ``limit`` inside the transaction that adds something.
"""

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import Connection

from keystead.access.permissions import Permission, requires
from keystead.access.store import accounts as store
from keystead.access.work import Work
from keystead.kit.errors import Invalid, NotFound, QuotaExceeded

# What fits into a column of any database we use, and into JSON without loss.
_LIMIT_MAX = 2**53 - 1


class AccountPlan(StrEnum):
    """What an account has been sold."""

    FREE = "free"
    PRO = "pro"
    BUSS = "buss"


class Limit(StrEnum):
    """What a plan may limit the number of."""

    CLOUDFLARE_ACCOUNTS = "cloudflare_accounts"
    MEMBERS = "members"


Limits = Mapping[Limit, int | None]

# Those of Cloudflare accounts are the documented ones of the integrations wire; None is no limit.
DEFAULTS: Mapping[AccountPlan, Limits] = {
    AccountPlan.FREE: {Limit.CLOUDFLARE_ACCOUNTS: 1, Limit.MEMBERS: 3},
    AccountPlan.PRO: {Limit.CLOUDFLARE_ACCOUNTS: 10, Limit.MEMBERS: 20},
    AccountPlan.BUSS: {Limit.CLOUDFLARE_ACCOUNTS: 100, Limit.MEMBERS: None},
}


def plan_of(connection: Connection, account_id: int) -> AccountPlan:
    """Return the plan of an account."""
    found = store.account(connection, account_id)
    if found is None:
        raise NotFound("account", account_id)
    return AccountPlan(found.plan)


def limits(connection: Connection, plan: AccountPlan) -> Limits:
    """Return the limits of a plan as they are now."""
    edited = store.edited_limits(connection, plan.value)
    return {name: edited.get(name.value, value) for name, value in DEFAULTS[plan].items()}


def check_room(connection: Connection, account_id: int, limit: Limit, *, present: int) -> None:
    """Raise QuotaExceeded when an account that has so many already may have no more."""
    plan = plan_of(connection, account_id)
    allowed = limits(connection, plan)[limit]
    if allowed is not None and present >= allowed:
        raise QuotaExceeded(
            f"the plan {plan.value} allows {allowed} {limit.value.replace('_', ' ')}, and there are {present}",
            limit=allowed,
            current=present,
            plan=plan.value,
        )


@requires(Permission.USERS_READ)
def list_(work: Work) -> dict[AccountPlan, Limits]:
    """Return every plan with its limits."""
    return {plan: limits(work.connection, plan) for plan in AccountPlan}


@requires(Permission.ACCOUNTS_MANAGE)
def set_limits(work: Work, plan: AccountPlan, wanted: Mapping[Limit, int | None]) -> Limits:
    """Edit limits of a plan for every account that has it; what they hold already stays."""
    for name, value in wanted.items():
        if value is not None and not 0 <= value <= _LIMIT_MAX:
            raise Invalid("a limit is a number from 0 on, or none", fields={name.value: "out of range"})
        store.set_limit(work.connection, plan.value, name.value, value)
    if wanted:
        edited = {name.value: value for name, value in wanted.items()}
        work.audit("access.plan.set_limits", f"account plan {plan.value}", **edited)
    return limits(work.connection, plan)
