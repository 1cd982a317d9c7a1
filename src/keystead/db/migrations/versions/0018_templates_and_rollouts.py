"""Templates of records and redirects, and what applying one does to which zone."""

import sqlalchemy as sa
from alembic import op

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OUTCOMES = "'waiting', 'planned', 'same', 'applying', 'done', 'failed', 'refused'"

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "templates",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_templates_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_templates_account_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "rollouts",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("template", sa.String(40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("given", sa.Text(), nullable=False),
        sa.Column("plan_job", NUMBER, nullable=False),
        sa.Column("apply_job", NUMBER),
        sa.Column("digest", sa.String(16)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_rollouts_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["plan_job"], ["jobs.number"], name=op.f("fk_rollouts_plan_job_jobs"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["apply_job"], ["jobs.number"], name=op.f("fk_rollouts_apply_job_jobs"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rollouts")),
        sa.UniqueConstraint("plan_job", name=op.f("uq_rollouts_plan_job")),
        sa.UniqueConstraint("apply_job", name=op.f("uq_rollouts_apply_job")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rollouts_account_id", "rollouts", ["account_id"], unique=False)
    op.create_table(
        "rollout_zones",
        sa.Column("rollout", NUMBER, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("zone_id", NUMBER, nullable=False),
        sa.Column("zone", sa.String(253), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.Column("creates", sa.Integer(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("deletes", sa.Integer(), nullable=False),
        sa.Column("record_deletes", sa.Integer(), nullable=False),
        sa.Column("present", sa.Integer(), nullable=False),
        sa.Column("left_alone", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(255)),
        sa.CheckConstraint(f"outcome IN ({_OUTCOMES})", name=op.f("ck_rollout_zones_outcome_is_known")),
        sa.ForeignKeyConstraint(
            ["rollout"], ["rollouts.number"], name=op.f("fk_rollout_zones_rollout_rollouts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rollout", "position", name=op.f("pk_rollout_zones")),
        sqlite_with_rowid=False,
    )
