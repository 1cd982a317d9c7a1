"""The programs and devices that poll subscriptions, a limit of devices, and how old clients may be."""

import sqlalchemy as sa
from alembic import op

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "vpn_clients",
        sa.Column("key_number", NUMBER, nullable=False),
        sa.Column("family", sa.String(length=16), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_number"], ["vpn_keys.number"], name=op.f("fk_vpn_clients_key_number_vpn_keys"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key_number", "family", name=op.f("pk_vpn_clients")),
    )
    op.create_table(
        "vpn_devices",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("key_number", NUMBER, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("system", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_number"], ["vpn_keys.number"], name=op.f("fk_vpn_devices_key_number_vpn_keys"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vpn_devices")),
        sa.UniqueConstraint("key_number", "fingerprint", name=op.f("uq_vpn_devices_key_number_fingerprint")),
    )
    op.create_table(
        "vpn_client_rules",
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("versions", sa.String(length=16), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["scope"], ["scopes.name"], name=op.f("fk_vpn_client_rules_scope_scopes")),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_vpn_client_rules")),
    )
    op.add_column("vpn_subscriptions", sa.Column("refused_at", sa.BigInteger(), nullable=True))
    op.add_column("vpn_terms", sa.Column("device_limit", sa.Integer(), nullable=True))
    op.add_column("vpn_plans", sa.Column("device_limit", sa.Integer(), nullable=True))
