"""Domain moves, and jobs that are paused."""

import sqlalchemy as sa
from alembic import op

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # A reflected table has lost its AUTOINCREMENT, which keeps the number of a job that is forgotten from being reused.
    with op.batch_alter_table("jobs", table_kwargs={"sqlite_autoincrement": True}) as jobs:
        jobs.drop_constraint(op.f("ck_jobs_state_is_known"), type_="check")
        jobs.create_check_constraint(
            op.f("ck_jobs_state_is_known"),
            "state IN ('waiting', 'running', 'paused', 'done', 'failed', 'cancelled')",
        )
    op.create_table(
        "domain_move_items",
        sa.Column("job", NUMBER, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("domain", sa.String(253), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("zone_credential_id", NUMBER),
        sa.Column("registrar_credential_id", NUMBER),
        sa.Column("source", sa.String(253)),
        sa.Column("is_making", sa.Boolean(), nullable=False),
        sa.Column("is_made", sa.Boolean(), nullable=False),
        sa.Column("zone_id", sa.String(64)),
        sa.Column("name_servers", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text()),
        sa.Column("removes_zone", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text()),
        sa.CheckConstraint(
            "state IN ('waiting', 'done', 'same', 'refused', 'failed')",
            name=op.f("ck_domain_move_items_state_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["job"], ["jobs.number"], name=op.f("fk_domain_move_items_job_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job", "position", name=op.f("pk_domain_move_items")),
        sqlite_with_rowid=False,
    )
