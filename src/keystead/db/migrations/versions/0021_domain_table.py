"""Registrations and notes of domains, what DNS says of them, looks at credentials, findings, and what was told."""

import sqlalchemy as sa
from alembic import op

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    for column in (
        sa.Column("note", sa.String(500)),
        sa.Column("tags", sa.Text()),
        sa.Column("dns_name_servers", sa.Text()),
        sa.Column("dns_problem", sa.String(64)),
        sa.Column("dns_at", sa.BigInteger()),
        sa.Column("dns_asked_at", sa.BigInteger()),
    ):
        op.add_column("domains", column)
    _create_registrations()
    _create_looks()
    _create_findings()
    op.create_table(
        "vault_alerts",
        sa.Column("account_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_vault_alerts_account_id_accounts")),
        sa.PrimaryKeyConstraint("account_id", "kind", "subject", name=op.f("pk_vault_alerts")),
    )


def _create_registrations() -> None:
    op.create_table(
        "domain_registrations",
        sa.Column("domain_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("credential_id", NUMBER, nullable=False),
        sa.Column("expires_on", sa.Date()),
        sa.Column("renews_itself", sa.Boolean()),
        sa.Column("is_locked", sa.Boolean()),
        sa.Column("has_own_dns", sa.Boolean()),
        sa.Column("name_servers", sa.Text()),
        sa.Column("name_servers_at", sa.BigInteger()),
        sa.Column("missing_since", sa.BigInteger()),
        sa.Column("synced_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_domain_registrations_domain_id_domains"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name=op.f("fk_domain_registrations_credential_id_credentials"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("domain_id", name=op.f("pk_domain_registrations")),
    )
    op.create_index(
        op.f("ix_domain_registrations_credential_id"), "domain_registrations", ["credential_id"], unique=False
    )


def _create_looks() -> None:
    op.create_table(
        "credential_looks",
        sa.Column("credential_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", sa.BigInteger()),
        sa.Column("problem", sa.String(255)),
        sa.Column("is_refused", sa.Boolean(), nullable=False),
        sa.Column("balance", sa.String(32)),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name=op.f("fk_credential_looks_credential_id_credentials"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_credential_looks")),
    )


def _create_findings() -> None:
    op.create_table(
        "vault_findings",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("domain_id", NUMBER),
        sa.Column("credential_id", NUMBER),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(domain_id IS NULL) != (credential_id IS NULL)", name=op.f("ck_vault_findings_is_about_one")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_vault_findings_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_vault_findings_domain_id_domains"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["credential_id"],
            ["credentials.id"],
            name=op.f("fk_vault_findings_credential_id_credentials"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vault_findings")),
        sa.UniqueConstraint("credential_id", "kind", name=op.f("uq_vault_findings_credential_id_kind")),
        sa.UniqueConstraint("domain_id", "kind", name=op.f("uq_vault_findings_domain_id_kind")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_vault_findings_account_id"), "vault_findings", ["account_id"], unique=False)
