"""The table of jobs. It knows of no subject: ``kind`` names who carries a job out, who alone reads ``request``."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text

from keystead.db.base import METADATA
from keystead.db.types import BigNumber, Json, UtcTime

# ``caller`` is who asked, and what they may do. ``done`` of ``total`` parts are done. A job may be claimed from
# ``due_at`` on; claiming moves that to the end of the lease, so that what a killed process had claimed comes due again.
# ``claim`` names who holds it, ``attempts`` counts the claims.
JOBS = Table(
    "jobs",
    METADATA,
    Column("number", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("caller", Json, nullable=False),
    Column("request", Json, nullable=False),
    Column("state", String(16), nullable=False),
    Column("total", BigNumber, nullable=False),
    Column("done", BigNumber, nullable=False),
    Column("message", Text),
    Column("attempts", Integer, nullable=False),
    Column("claim", String(32)),
    Column("due_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Index("ix_jobs_state_due", "state", "due_at"),
    Index("ix_jobs_account_kind_number", "account_id", "kind", "number"),
    CheckConstraint("state IN ('waiting', 'running', 'paused', 'done', 'failed', 'cancelled')", name="state_is_known"),
    sqlite_autoincrement=True,
)
