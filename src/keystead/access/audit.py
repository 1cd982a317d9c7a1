"""The audit trail for its readers, and the record of a denial.

Mutations write their records through ``Work.audit``. A denial has no mutation to stand in, so the edge writes it in a
transaction of its own, and no principal is checked for it: whoever was denied may not switch the record off.
"""

from datetime import datetime

from sqlalchemy import Connection

from keystead.access.permissions import Permission, requires
from keystead.access.seal import Verification, VerifyReport
from keystead.access.store import audit as store
from keystead.access.store.audit import AuditFilter, AuditRecord
from keystead.access.work import Work
from keystead.kit.page import Page

_EVERYTHING = AuditFilter()
_SUBJECT_LENGTH_MAX = 192
_VERB_LENGTH_MAX = 64


@requires(Permission.AUDIT_READ)
def list_(work: Work, page: Page, narrowed: AuditFilter = _EVERYTHING) -> list[AuditRecord]:
    """Return a page of the account's records, oldest first unless asked otherwise."""
    return store.page(work.connection, work.principal.account_id, page, narrowed)


@requires(Permission.AUDIT_READ)
def verify_page(work: Work, verification: Verification) -> VerifyReport | None:
    """Check the next page of the whole chain, changing nothing; return the report after the last."""
    work.principal.check_house("checking the whole audit trail")
    return verification.check_page(work.connection)


@requires(Permission.AUDIT_READ)
def note_verification(work: Work, report: VerifyReport) -> None:
    """Record what a check of the chain found."""
    work.audit("access.audit.verify", "audit trail", is_intact=report.is_intact, discrepancies=report.discrepancy_count)


def record_denial(
    connection: Connection,
    *,
    account_id: int,
    actor: str,
    request_id: str,
    at: datetime,
    verb: str,
    subject: str,
    reason: str,
) -> None:
    """Write that somebody known was denied; ``verb`` and ``subject`` say what was tried, ``reason`` why it was not."""
    store.insert_record(
        connection,
        {
            "at": at,
            "request_id": request_id[:64],
            "account_id": account_id,
            "actor": actor,
            "verb": verb[:_VERB_LENGTH_MAX],
            "subject": subject[:_SUBJECT_LENGTH_MAX],
            "outcome": "denied",
            "facts": {"reason": reason},
        },
    )
