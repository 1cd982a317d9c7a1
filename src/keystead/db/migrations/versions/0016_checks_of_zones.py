"""When a pending zone is looked at again, and how often it was."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; zones that are pending already are looked at at once."""
    op.add_column("zones", sa.Column("check_at", sa.BigInteger()))
    op.add_column("zones", sa.Column("checks", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_zones_check_at", "zones", ["check_at"], unique=False)
    op.execute("UPDATE zones SET check_at = synced_at WHERE status = 'pending'")
