"""Attempts at zones of rollouts: how many there were, and when there is another one."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("rollout_zones", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("rollout_zones", sa.Column("due_at", sa.BigInteger()))
