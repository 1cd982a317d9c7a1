"""The first schema."""

import sqlalchemy as sa
from alembic import op

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "accounts",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.create_table(
        "audit_records",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("actor", sa.String(length=192), nullable=False),
        sa.Column("verb", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=192), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("position", NUMBER, nullable=True),
        sa.Column("seal", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_records")),
        sa.UniqueConstraint("position", name=op.f("uq_audit_records_position")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("audit_records", schema=None) as batch_op:
        batch_op.create_index("ix_audit_records_account_number", ["account_id", "number"], unique=False)
        batch_op.create_index("ix_audit_records_subject", ["subject"], unique=False)

    op.create_table(
        "data_keys",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("wrapped_by", sa.String(length=32), nullable=False),
        sa.Column("wrapped", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_data_keys")),
    )
    op.create_table(
        "fixed_facts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("chosen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_fixed_facts")),
    )
    op.create_table(
        "idempotent_answers",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("route", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IS NULL OR body IS NOT NULL", name=op.f("ck_idempotent_answers_answer_is_whole")),
        sa.PrimaryKeyConstraint("token", "route", "key", name=op.f("pk_idempotent_answers")),
    )
    with op.batch_alter_table("idempotent_answers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotent_answers_created_at"), ["created_at"], unique=False)

    op.create_table(
        "scopes",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("generation", NUMBER, nullable=False),
        sa.Column("applied_generation", NUMBER, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("plan_text", sa.Text(), nullable=True),
        sa.Column("plan_digest", sa.String(length=64), nullable=True),
        sa.Column("applied_at", sa.BigInteger(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_scopes")),
    )
    op.create_table(
        "roles",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_roles_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_roles_account_id_name")),
    )
    with op.batch_alter_table("roles", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_roles_account_id"), ["account_id"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_users_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("login", name=op.f("uq_users_login")),
    )
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_users_account_id"), ["account_id"], unique=False)

    op.create_table(
        "vpn_inbounds",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("placement", sa.String(length=16), nullable=False),
        sa.Column("listen", sa.String(length=64), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=300), nullable=False),
        sa.Column("server_names", sa.Text(), nullable=False),
        sa.Column("short_ids", sa.Text(), nullable=False),
        sa.Column("flow", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("port BETWEEN 1 AND 65535", name=op.f("ck_vpn_inbounds_port_is_a_port")),
        sa.ForeignKeyConstraint(["scope"], ["scopes.name"], name=op.f("fk_vpn_inbounds_scope_scopes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vpn_inbounds")),
        sa.UniqueConstraint("scope", "listen", "port", name=op.f("uq_vpn_inbounds_scope_listen_port")),
        sa.UniqueConstraint("scope", "tag", name=op.f("uq_vpn_inbounds_scope_tag")),
    )
    with op.batch_alter_table("vpn_inbounds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vpn_inbounds_scope"), ["scope"], unique=False)

    op.create_table(
        "vpn_meters",
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("process", sa.String(length=64), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["scope"], ["scopes.name"], name=op.f("fk_vpn_meters_scope_scopes")),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_vpn_meters")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("user_id", NUMBER, nullable=True),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("hint", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.Column("is_confined", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_tokens_account_id_accounts")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_tokens_fingerprint")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tokens_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_tokens_user_id"), ["user_id"], unique=False)

    op.create_table(
        "user_roles",
        sa.Column("user_id", NUMBER, nullable=False),
        sa.Column("role_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["role_id"], ["roles.id"], name=op.f("fk_user_roles_role_id_roles"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_user_roles_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "role_id", name=op.f("pk_user_roles")),
    )
    op.create_table(
        "vpn_keys",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=36), nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("inbound_id", NUMBER, nullable=False),
        sa.Column("issued_by", NUMBER, nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("masked_uuid", sa.String(length=36), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("flow", sa.String(length=32), nullable=False),
        sa.Column("short_id", sa.String(length=16), nullable=False),
        sa.Column("server_name", sa.String(length=253), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('issuing', 'live', 'removing')", name=op.f("ck_vpn_keys_state_is_known")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_vpn_keys_account_id_accounts")),
        sa.ForeignKeyConstraint(["inbound_id"], ["vpn_inbounds.id"], name=op.f("fk_vpn_keys_inbound_id_vpn_inbounds")),
        sa.ForeignKeyConstraint(["issued_by"], ["tokens.id"], name=op.f("fk_vpn_keys_issued_by_tokens")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_vpn_keys")),
        sa.UniqueConstraint("label", name=op.f("uq_vpn_keys_label")),
        sa.UniqueConstraint("masked_uuid", name=op.f("uq_vpn_keys_masked_uuid")),
        sa.UniqueConstraint("public_id", name=op.f("uq_vpn_keys_public_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vpn_keys_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vpn_keys", schema=None) as batch_op:
        batch_op.create_index("ix_vpn_keys_account_state_number", ["account_id", "state", "number"], unique=False)
        batch_op.create_index(batch_op.f("ix_vpn_keys_inbound_id"), ["inbound_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_vpn_keys_issued_by"), ["issued_by"], unique=False)

    op.create_table(
        "vpn_subscriptions",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("key_number", NUMBER, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("sealed_token", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_number"],
            ["vpn_keys.number"],
            name=op.f("fk_vpn_subscriptions_key_number_vpn_keys"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vpn_subscriptions")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_vpn_subscriptions_fingerprint")),
        sa.UniqueConstraint("key_number", name=op.f("uq_vpn_subscriptions_key_number")),
    )
    op.create_table(
        "vpn_traffic",
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("key_number", NUMBER, nullable=False),
        sa.Column("uplink", NUMBER, nullable=False),
        sa.Column("downlink", NUMBER, nullable=False),
        sa.Column("forgiven_uplink", NUMBER, nullable=False),
        sa.Column("forgiven_downlink", NUMBER, nullable=False),
        sa.Column("process", sa.String(length=64), nullable=False),
        sa.Column("read_uplink", NUMBER, nullable=False),
        sa.Column("read_downlink", NUMBER, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_number"], ["vpn_keys.number"], name=op.f("fk_vpn_traffic_key_number_vpn_keys"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("label", name=op.f("pk_vpn_traffic")),
    )
    with op.batch_alter_table("vpn_traffic", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vpn_traffic_key_number"), ["key_number"], unique=False)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("vpn_traffic", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vpn_traffic_key_number"))

    op.drop_table("vpn_traffic")
    op.drop_table("vpn_subscriptions")
    with op.batch_alter_table("vpn_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vpn_keys_issued_by"))
        batch_op.drop_index(batch_op.f("ix_vpn_keys_inbound_id"))
        batch_op.drop_index("ix_vpn_keys_account_state_number")

    op.drop_table("vpn_keys")
    op.drop_table("user_roles")
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tokens_user_id"))
        batch_op.drop_index(batch_op.f("ix_tokens_account_id"))

    op.drop_table("tokens")
    op.drop_table("vpn_meters")
    with op.batch_alter_table("vpn_inbounds", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vpn_inbounds_scope"))

    op.drop_table("vpn_inbounds")
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_users_account_id"))

    op.drop_table("users")
    with op.batch_alter_table("roles", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_roles_account_id"))

    op.drop_table("roles")
    op.drop_table("scopes")
    with op.batch_alter_table("idempotent_answers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotent_answers_created_at"))

    op.drop_table("idempotent_answers")
    op.drop_table("fixed_facts")
    op.drop_table("data_keys")
    with op.batch_alter_table("audit_records", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_records_subject")
        batch_op.drop_index("ix_audit_records_account_number")

    op.drop_table("audit_records")
    op.drop_table("accounts")
