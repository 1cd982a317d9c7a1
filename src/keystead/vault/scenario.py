"""What connecting an external account means for what is held already: create, rotate or replace; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keystead.vault.credentialvalue import Credential, Status
from keystead.vault.errors import ConnectingAlready, ReplaceUnconfirmed, TooManyConnected
from keystead.vault.limits import Allowance


class Scenario(StrEnum):
    """What connecting will do."""

    CREATE = "create"
    ROTATE = "rotate"
    REPLACE = "replace"


@dataclass(frozen=True)
class Decision:
    """A scenario, and the credential that it gives a new secret to, or takes the place of."""

    scenario: Scenario
    present: Credential | None = None


def decide(
    held: Sequence[Credential], external_id: str, allowance: Allowance, now: datetime, *, may_replace: bool
) -> Decision:
    """Return what connecting an external account means for an account that holds ``held`` at the provider.

    Raises TooManyConnected, ReplaceUnconfirmed where the plan allows one and another one is there, and
    ConnectingAlready while that other one is only being connected.
    """
    living = [one for one in held if one.status_at(now) in {Status.ACTIVE, Status.PENDING}]
    same = [one for one in living if one.external_id == external_id and one.status is Status.ACTIVE]
    if same:
        return Decision(Scenario.ROTATE, same[0])
    others = [one for one in living if one.external_id != external_id]
    if allowance.limit is None or len(others) < allowance.limit:
        return Decision(Scenario.CREATE)
    if allowance.limit != 1 or len(others) != 1:
        raise TooManyConnected(
            f"the plan {allowance.plan} allows {allowance.limit} accounts, and {len(others)} are connected",
            limit=allowance.limit,
            current=len(others),
            plan=allowance.plan,
        )
    if others[0].status is Status.PENDING:
        raise ConnectingAlready("another account is being connected at this moment; try again shortly")
    if not may_replace:
        raise ReplaceUnconfirmed(
            f"the plan {allowance.plan} allows one account, and {others[0].external_id} is connected; confirm that it "
            "is to be replaced",
            credential_id=others[0].id,
            existing=others[0].external_id,
            wanted=external_id,
        )
    return Decision(Scenario.REPLACE, others[0])
