"""A second key pair beside the one that links carry."""

import sqlalchemy as sa
from alembic import op

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SECOND = "fk_vpn_inbounds_second_pair_id_vpn_second_pairs"

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "vpn_second_pairs",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("is_front", sa.Boolean(), nullable=False),
        sa.Column("stage", sa.String(length=8), nullable=False),
        sa.Column("server_names", sa.Text(), nullable=False),
        sa.Column("short_ids", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("turned_at", sa.BigInteger(), nullable=False),
        sa.Column("kept_s", NUMBER, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("stage IN ('coming', 'going')", name=op.f("ck_vpn_second_pairs_stage_is_known")),
        sa.ForeignKeyConstraint(["scope"], ["scopes.name"], name=op.f("fk_vpn_second_pairs_scope_scopes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vpn_second_pairs")),
        sa.UniqueConstraint("scope", name=op.f("uq_vpn_second_pairs_scope")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "vpn_pair_uses",
        sa.Column("pair_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("key_number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pair_id"],
            ["vpn_second_pairs.id"],
            name=op.f("fk_vpn_pair_uses_pair_id_vpn_second_pairs"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["key_number"], ["vpn_keys.number"], name=op.f("fk_vpn_pair_uses_key_number_vpn_keys"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pair_id", "key_number", name=op.f("pk_vpn_pair_uses")),
    )
    op.create_index(op.f("ix_vpn_pair_uses_key_number"), "vpn_pair_uses", ["key_number"], unique=False)
    with op.batch_alter_table("vpn_inbounds") as inbounds:
        inbounds.add_column(sa.Column("pair_made_at", sa.BigInteger(), nullable=True))
        inbounds.add_column(sa.Column("second_pair_id", NUMBER, nullable=True))
        inbounds.create_foreign_key(op.f(_SECOND), "vpn_second_pairs", ["second_pair_id"], ["id"])
        inbounds.create_index(op.f("ix_vpn_inbounds_second_pair_id"), ["second_pair_id"], unique=False)
