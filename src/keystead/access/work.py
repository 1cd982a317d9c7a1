"""One unit of work: what a verb is given, and the only way it audits, marks and emits.

``Work`` carries the connection, the principal, the clock and the random source of one transaction. Verbs load, check,
change, audit, mark and emit, in that order; they never commit. What they leave in ``marks`` and ``emitted`` wakes the
reconciler and the courier after the commit (operations/transaction.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, insert

from keystead.access.models import AUDIT_RECORDS
from keystead.access.principal import Principal
from keystead.db.prepared import Prepared
from keystead.kit.clock import Clock
from keystead.kit.crypto import KeyRing
from keystead.kit.ids import Ids
from keystead.outbox.events import Event
from keystead.outbox.store import deliveries
from keystead.outbox.store.deliveries import Notice
from keystead.reconcile.marks import Mark, bump

_INSERT_AUDIT_RECORD = Prepared(insert(AUDIT_RECORDS).inline())


@dataclass
class Work:
    """Session, principal, clock, ``audit()``, ``mark()`` and ``emit()`` of one transaction."""

    connection: Connection
    principal: Principal
    clock: Clock
    ids: Ids
    keys: KeyRing
    request_id: str
    marks: list[Mark] = field(default_factory=list)
    emitted: int = 0

    @property
    def now(self) -> datetime:
        """Return the aware UTC time of this work's clock."""
        return self.clock.now()

    def audit(self, verb: str, subject: str, **facts: object) -> None:
        """Write the audit record of a mutation in its own transaction.

        ``verb`` is ``vpn.key.issue`` style, ``subject`` names the object (``vpn key 12``), ``facts`` are JSON values
        without secrets.
        """
        _INSERT_AUDIT_RECORD.run(self.connection, audit_row(self, verb, subject, "done", facts))

    def audit_many(self, verb: str, records: Iterable[tuple[str, Mapping[str, object]]]) -> None:
        """Write the records of one verb about many subjects with their facts, in one go."""
        rows = [audit_row(self, verb, subject, "done", dict(facts)) for subject, facts in records]
        if rows:
            _INSERT_AUDIT_RECORD.run_many(self.connection, list(rows[0]), [tuple(row.values()) for row in rows])

    def mark(self, scope: str, subject: str) -> None:
        """Say that the desired state of a scope changed at a subject; the reconciler is woken after the commit."""
        self.marks.append(Mark(scope=scope, subject=subject, generation=bump(self.connection, scope)))

    def mark_all(self, scope: str, subjects: Iterable[str]) -> int:
        """Say that it changed at many subjects at once, and return the one generation they all have."""
        generation = bump(self.connection, scope)
        self.marks.extend(Mark(scope, subject, generation) for subject in subjects)
        return generation

    def emit(self, event: Event, subject: str, data: Mapping[str, object]) -> None:
        """Write an event for the account's webhooks that want it; the courier is woken after the commit.

        ``subject`` names the object as in ``audit()``; ``data`` are JSON values without secrets (``vpn/notices.py``).
        """
        notice = Notice(event, subject, data)
        self.emitted += deliveries.put(self.connection, self.principal.account_id, notice, at=self.now, ids=self.ids)


def audit_row(work: Work, verb: str, subject: str, outcome: str, facts: dict[str, object]) -> dict[str, object]:
    """Return the values of one audit record, unsealed."""
    return {
        "at": work.now,
        "request_id": work.request_id,
        "account_id": work.principal.account_id,
        "actor": work.principal.actor,
        "verb": verb,
        "subject": subject,
        "outcome": outcome,
        "facts": facts,
    }
