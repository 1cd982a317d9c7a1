"""Terms of keys, plans, and what was granted."""

from typing import Any

import sqlalchemy as sa
from alembic import op

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _term_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("quota_bytes", NUMBER, nullable=True),
        sa.Column("at_limit", sa.String(length=8), nullable=False),
        sa.Column("slow_to_bytes_s", NUMBER, nullable=True),
        sa.Column("warn_at", sa.Text(), nullable=False),
        sa.Column("speed_bytes_s", NUMBER, nullable=True),
        sa.Column("reset", sa.String(length=8), nullable=False),
        sa.Column("reset_days", sa.Integer(), nullable=True),
        sa.Column("reset_day", sa.Integer(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("duration_s", NUMBER, nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
    ]


def upgrade() -> None:
    """Apply."""
    op.add_column("vpn_keys", sa.Column("is_enabled", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.execute("UPDATE vpn_keys SET is_enabled = is_active")
    op.create_table(
        "vpn_plans",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        *_term_columns(),
        sa.Column("starts", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_vpn_plans_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vpn_plans")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_vpn_plans_account_id_name")),
    )
    _create_terms()
    op.create_table(
        "vpn_grants",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("key_number", NUMBER, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("request", sa.String(length=255), nullable=False),
        sa.Column("amount", NUMBER, nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_number"], ["vpn_keys.number"], name=op.f("fk_vpn_grants_key_number_vpn_keys"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vpn_grants")),
        sa.UniqueConstraint("key_number", "kind", "request", name=op.f("uq_vpn_grants_key_number_kind_request")),
    )


def _create_terms() -> None:
    op.create_table(
        "vpn_terms",
        sa.Column("key_number", NUMBER, nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=True),
        *_term_columns(),
        sa.Column("period_began_at", sa.BigInteger(), nullable=False),
        sa.Column("baseline_uplink", NUMBER, nullable=False),
        sa.Column("baseline_downlink", NUMBER, nullable=False),
        sa.Column("topped_up_bytes", NUMBER, nullable=False),
        sa.Column("warned", sa.Integer(), nullable=False),
        sa.Column("limit_reached_at", sa.BigInteger(), nullable=True),
        sa.Column("unused_at", NUMBER, nullable=False),
        sa.Column("expired_at", sa.BigInteger(), nullable=True),
        sa.Column("pace", NUMBER, nullable=True),
        sa.Column("notice_at", NUMBER, nullable=True),
        sa.Column("revision", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["key_number"], ["vpn_keys.number"], name=op.f("fk_vpn_terms_key_number_vpn_keys"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key_number", name=op.f("pk_vpn_terms")),
    )
    op.create_index(op.f("ix_vpn_terms_revision"), "vpn_terms", ["revision"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f("ix_vpn_terms_revision"), table_name="vpn_terms")
    op.drop_table("vpn_grants")
    op.drop_table("vpn_terms")
    op.drop_table("vpn_plans")
    op.drop_column("vpn_keys", "is_enabled")
