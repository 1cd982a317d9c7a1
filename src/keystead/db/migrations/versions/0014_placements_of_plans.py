"""Where the keys of a plan sit."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("vpn_plans", sa.Column("placement", sa.String(16)))
