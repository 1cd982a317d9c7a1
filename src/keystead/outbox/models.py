"""Tables of the outbox: webhooks, deliveries to them, the log of attempts, and what was last said of engines."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text

from keystead.db.base import METADATA
from keystead.db.types import BigNumber, Json, UtcTime

# ``events`` empty means every event. The previous secret signs too until ``previous_until``. ``failures`` counts
# attempts in a row that failed, ``failing_since`` is the first of them.
WEBHOOKS = Table(
    "webhooks",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("description", String(255), nullable=False),
    Column("events", Json, nullable=False),
    Column("secret", Text, nullable=False),
    Column("previous_secret", Text),
    Column("previous_until", UtcTime),
    Column("is_enabled", Boolean, nullable=False),
    Column("disabled_reason", String(255)),
    Column("failures", Integer, nullable=False),
    Column("failing_since", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

# One event on its way to one webhook. While it waits, ``due_at`` is when it may be claimed; claiming moves it to the
# end of the lease, so that what a killed process had claimed comes due again. ``claim`` names who holds it.
DELIVERIES = Table(
    "webhook_deliveries",
    METADATA,
    Column("number", BigNumber, primary_key=True, autoincrement=True),
    Column("webhook_id", BigNumber, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event_id", String(64), nullable=False),
    Column("event", String(64), nullable=False),
    Column("subject", String(192), nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("claim", String(32)),
    Column("ended_at", UtcTime),
    Index("ix_webhook_deliveries_webhook_state_due", "webhook_id", "state", "due_at"),
    CheckConstraint("state IN ('waiting', 'delivered', 'given-up')", name="state_is_known"),
    sqlite_autoincrement=True,
)

ATTEMPTS = Table(
    "webhook_attempts",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column(
        "delivery", BigNumber, ForeignKey("webhook_deliveries.number", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("at", UtcTime, nullable=False),
    Column("status", Integer),
    Column("problem", String(255)),
    Column("duration_ms", Integer, nullable=False),
)

# What webhooks were last told of the engine of a scope; no row means nothing yet.
ANNOUNCED = Table(
    "announced_engines",
    METADATA,
    Column("scope", String(64), primary_key=True),
    Column("is_up", Boolean, nullable=False),
    Column("at", UtcTime, nullable=False),
)
