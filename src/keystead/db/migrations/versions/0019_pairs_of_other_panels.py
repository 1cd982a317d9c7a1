"""A second key pair may come from another panel, with a site of its own to hide behind; ports are found by index."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("vpn_second_pairs", sa.Column("origin", sa.Text()))
    op.add_column("vpn_second_pairs", sa.Column("target", sa.String(300)))
    op.create_index("ix_vpn_inbounds_scope_port", "vpn_inbounds", ["scope", "port"], unique=False)
    op.drop_index(op.f("ix_vpn_inbounds_scope"), table_name="vpn_inbounds")
