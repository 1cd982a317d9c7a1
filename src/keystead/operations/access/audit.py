"""Operations on the audit trail: read it, and check its chain against the head that is kept outside the database."""

import asyncio
from pathlib import Path

from keystead.access import audit, seal
from keystead.access.seal import Verification, VerifyReport
from keystead.access.store.audit import AuditFilter, AuditRecord
from keystead.kit.page import Page
from keystead.kit.secret import Secret
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions


class AuditOperations:
    """What callers may do with the audit trail."""

    def __init__(self, transactions: Transactions, *, audit_key: Secret[bytes], data_dir: Path) -> None:
        self._transactions = transactions
        self._audit_key = audit_key
        self._data_dir = data_dir

    async def list_(self, call: Call, page: Page, narrowed: AuditFilter) -> list[AuditRecord]:
        """Return a page of records."""
        return await self._transactions.read_many(call, audit.list_, page, narrowed)

    async def verify(self, call: Call) -> VerifyReport:
        """Check the whole chain, and leave a record of what was found; others read between its pages."""
        verification = Verification(self._audit_key, await asyncio.to_thread(seal.read_head, self._data_dir))
        report = None
        while report is None:
            report = await self._transactions.read_many(call, audit.verify_page, verification)
        await self._transactions.write(call, audit.note_verification, report)
        return report
