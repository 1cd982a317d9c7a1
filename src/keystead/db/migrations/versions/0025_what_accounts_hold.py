"""Bulk redirects of accounts at their provider, right and seen; which permissions credentials need, and have lost."""

import sqlalchemy as sa
from alembic import op

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "bulk_redirect_lists",
        sa.Column("credential_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("redirects", sa.Text()),
        sa.Column("seen", sa.Text()),
        sa.Column("drift", sa.Text()),
        sa.Column("accepted_at", sa.BigInteger()),
        sa.Column("seen_at", sa.BigInteger()),
        sa.Column("problem", sa.String(255)),
        sa.Column("is_refused", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name=op.f("fk_bulk_redirect_lists_credential_id_credentials"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_bulk_redirect_lists")),
    )
    op.add_column("zone_contents", sa.Column("bulk_redirects", sa.Text()))
    op.add_column("credentials", sa.Column("profile", sa.String(32)))
    op.add_column("credential_looks", sa.Column("lacking", sa.Text()))
