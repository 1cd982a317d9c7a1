"""The verbs of delegations: who has to be asked about in DNS, of all accounts, and what was answered."""

from collections.abc import Sequence
from datetime import datetime

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.vault.store import delegations as store
from keystead.vault.store.delegations import Answer, Question


@requires(Permission.VAULT_USE)
def claim(work: Work, *, before: datetime, limit: int) -> list[Question]:
    """Take domains of all accounts that nobody has asked about since a moment; whoever takes them asks."""
    return store.claim(work.connection, limit, before=before, at=work.now)


@requires(Permission.VAULT_USE)
def record(work: Work, answers: Sequence[Answer], unheard: Sequence[int], *, asked_at: datetime) -> None:
    """Write down what DNS said; those it said nothing about count as asked at a moment that is past.

    It is a look at the world, as metering is, of which the audit trail keeps nothing.
    """
    store.answer(work.connection, answers, work.now)
    store.note_asked(work.connection, unheard, asked_at)
