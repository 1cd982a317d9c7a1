"""Tokens that no limits a minute hold."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("tokens", sa.Column("is_rate_limited", sa.Boolean(), nullable=False, server_default=sa.true()))
