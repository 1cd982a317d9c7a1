"""Ports that keys had before and that go on for a while."""

import sqlalchemy as sa
from alembic import op

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "vpn_former_ports",
        sa.Column("inbound_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("key_number", NUMBER, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["inbound_id"], ["vpn_inbounds.id"], name=op.f("fk_vpn_former_ports_inbound_id_vpn_inbounds")
        ),
        sa.ForeignKeyConstraint(
            ["key_number"],
            ["vpn_keys.number"],
            name=op.f("fk_vpn_former_ports_key_number_vpn_keys"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("inbound_id", name=op.f("pk_vpn_former_ports")),
    )
    op.create_index(op.f("ix_vpn_former_ports_key_number"), "vpn_former_ports", ["key_number"], unique=False)
