"""The table of scopes: what is desired, what is known to be applied, and how the last pass went."""

from sqlalchemy import Column, Integer, String, Table, Text

from keystead.db.base import METADATA
from keystead.db.types import BigNumber, UtcTime

SCOPES = Table(
    "scopes",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("generation", BigNumber, nullable=False, default=0),
    Column("applied_generation", BigNumber, nullable=False, default=0),
    Column("state", String(16), nullable=False, default="new"),
    Column("message", Text),
    Column("plan_text", Text),
    Column("plan_digest", String(64)),
    Column("applied_at", UtcTime),
    Column("duration_ms", Integer),
)
