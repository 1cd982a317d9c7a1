"""When a key was last seen."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("vpn_keys", sa.Column("last_seen_at", sa.BigInteger(), nullable=True))
