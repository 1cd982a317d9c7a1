"""What is right in zones, what was seen there last, and how the two differ."""

import sqlalchemy as sa
from alembic import op

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "zone_contents",
        sa.Column("zone_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("records", sa.Text()),
        sa.Column("redirects", sa.Text()),
        sa.Column("seen_redirects", sa.Text()),
        sa.Column("foreign_redirects", sa.Integer()),
        sa.Column("record_drift", sa.Text()),
        sa.Column("redirect_drift", sa.Text()),
        sa.Column("accepted_at", sa.BigInteger()),
        sa.Column("seen_at", sa.BigInteger()),
        sa.Column("asked_at", sa.BigInteger()),
        sa.Column("problem", sa.String(255)),
        sa.Column("is_refused", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["zone_id"], ["zones.id"], name=op.f("fk_zone_contents_zone_id_zones"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("zone_id", name=op.f("pk_zone_contents")),
    )
    op.create_index("ix_zone_contents_asked_at", "zone_contents", ["asked_at"], unique=False)
