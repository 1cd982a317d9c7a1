"""What a provider said of a credential when it was asked last."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("credentials", sa.Column("checked_at", sa.BigInteger()))
    op.add_column("credentials", sa.Column("problem", sa.String(64)))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("credentials") as credentials:
        credentials.drop_column("problem")
        credentials.drop_column("checked_at")
