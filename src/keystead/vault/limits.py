"""How many external accounts an account's plan lets it connect. The one place where the vault asks about plans."""

from dataclasses import dataclass

from sqlalchemy import Connection

from keystead.access import accountplans
from keystead.access.accountplans import Limit


@dataclass(frozen=True)
class Allowance:
    """A plan's name, and how many external accounts it allows; None is no limit."""

    plan: str
    limit: int | None


def cloudflare_accounts(connection: Connection, account_id: int) -> Allowance:
    """Return how many Cloudflare accounts an account may connect."""
    plan = accountplans.plan_of(connection, account_id)
    return Allowance(plan.value, accountplans.limits(connection, plan)[Limit.CLOUDFLARE_ACCOUNTS])
