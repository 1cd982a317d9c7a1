"""Accounts with plans, members in several of them, and tokens that may do what an owner may."""

import sqlalchemy as sa
from alembic import op

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("accounts", sa.Column("plan", sa.String(length=16), nullable=False, server_default="free"))
    op.add_column("accounts", sa.Column("is_house", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("accounts", sa.Column("is_active", sa.Boolean(), nullable=False, server_default=sa.true()))
    # Until now there was one account, made at the first start.
    op.execute(sa.text("UPDATE accounts SET plan = 'buss', is_house = true"))
    op.create_table(
        "account_plan_limits",
        sa.Column("plan", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("plan", "name", name=op.f("pk_account_plan_limits")),
    )
    op.create_table(
        "members",
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_members_account_id_accounts")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_members_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "user_id", name=op.f("pk_members")),
    )
    op.create_index(op.f("ix_members_user_id"), "members", ["user_id"], unique=False)
    op.execute(
        sa.text("INSERT INTO members (account_id, user_id, joined_at) SELECT account_id, id, created_at FROM users")
    )
    op.add_column("tokens", sa.Column("is_owner", sa.Boolean(), nullable=False, server_default=sa.false()))
    # The name is a built-in role's from now on; what people called so keeps its permissions under another.
    op.execute(sa.text("UPDATE roles SET name = 'editor (own)' WHERE name = 'editor'"))
