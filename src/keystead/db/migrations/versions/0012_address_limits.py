"""From how many addresses at a time a key may be used."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    for table in ("vpn_plans", "vpn_terms"):
        op.add_column(table, sa.Column("address_limit", sa.Integer(), nullable=True))
    op.add_column("vpn_terms", sa.Column("address_refused_at", sa.BigInteger(), nullable=True))
