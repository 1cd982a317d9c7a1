"""The verbs of delegations: who has to be asked about in DNS, of all accounts, and what was answered."""

from collections.abc import Sequence
from datetime import datetime

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.vault.store import delegations as store
from keystead.vault.store.delegations import Answer, Question


@requires(Permission.VAULT_USE)
def claim(work: Work, *, before: datetime, again_at: datetime, limit: int) -> list[Question]:
    """Take domains of all accounts that nobody has asked about since a moment; whoever takes them asks.

    Until an answer is written down they count as asked about at ``again_at``, so that a question that came to nothing
    is asked again.
    """
    return store.claim(work.connection, limit, before=before, at=again_at)


@requires(Permission.VAULT_USE)
def record(work: Work, answers: Sequence[Answer]) -> None:
    """Write down what DNS said.

    It is a look at the world, as metering is, of which the audit trail keeps nothing.
    """
    store.answer(work.connection, answers, work.now)
