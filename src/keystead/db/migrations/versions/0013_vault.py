"""The vault: credentials, relays, errands at providers, zones and domains."""

import sqlalchemy as sa
from alembic import op

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "credentials",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("alias", sa.String(length=255), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("holds", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("reservation", sa.String(length=32), nullable=True),
        sa.Column("reserved_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(status IN ('active', 'pending')) = (holds IS NOT NULL)", name=op.f("ck_credentials_holds_while_it_lives")
        ),
        sa.CheckConstraint("status = 'pending' OR secret IS NOT NULL", name=op.f("ck_credentials_has_its_secret")),
        sa.CheckConstraint(
            "status IN ('pending', 'active', 'expired', 'revoked')", name=op.f("ck_credentials_status_is_known")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_credentials_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("provider", "holds", name=op.f("uq_credentials_provider_holds")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_credentials_account_id"), "credentials", ["account_id"], unique=False)
    op.create_table(
        "vault_errands",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("credential_id", NUMBER, nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("claim", sa.String(length=32), nullable=True),
        sa.Column("problem", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'given-up')", name=op.f("ck_vault_errands_state_is_known")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_vault_errands_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vault_errands")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_vault_errands_credential_id"), "vault_errands", ["credential_id"], unique=False)
    op.create_index("ix_vault_errands_state_due", "vault_errands", ["state", "due_at"], unique=False)
    op.create_table(
        "provider_relays",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("target", NUMBER, nullable=False),
        sa.Column("credential_id", NUMBER, nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("auth", sa.Text(), nullable=True),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name=op.f("fk_provider_relays_credential_id_credentials"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_relays")),
        sa.UniqueConstraint("provider", "target", name=op.f("uq_provider_relays_provider_target")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_provider_relays_credential_id"), "provider_relays", ["credential_id"], unique=False)
    op.create_table(
        "zones",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("credential_id", NUMBER, nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("name_servers", sa.Text(), nullable=False),
        sa.Column("missing_since", sa.BigInteger(), nullable=True),
        sa.Column("synced_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_zones_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["credential_id"], ["credentials.id"], name=op.f("fk_zones_credential_id_credentials"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zones")),
        sa.UniqueConstraint("remote_id", name=op.f("uq_zones_remote_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_zones_account_id"), "zones", ["account_id"], unique=False)
    op.create_index(op.f("ix_zones_credential_id"), "zones", ["credential_id"], unique=False)
    op.create_table(
        "domains",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("zone_id", NUMBER, nullable=True),
        sa.Column("credential_id", NUMBER, nullable=True),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("is_blocked", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_domains_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name=op.f("fk_domains_credential_id_credentials"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(["zone_id"], ["zones.id"], name=op.f("fk_domains_zone_id_zones"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domains")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_domains_account_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_domains_credential_id"), "domains", ["credential_id"], unique=False)
    op.create_index(op.f("ix_domains_zone_id"), "domains", ["zone_id"], unique=False)
