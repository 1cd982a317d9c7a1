"""A second key pair may come from another panel, with a site of its own to hide behind."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("vpn_second_pairs", sa.Column("origin", sa.Text()))
    op.add_column("vpn_second_pairs", sa.Column("target", sa.String(300)))
