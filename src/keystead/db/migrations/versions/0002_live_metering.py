"""Live metering: what is pending and estimated, processes side by side, what deleted keys carried, and history."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# SQLite gives a rowid to INTEGER primary keys only.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ADDED = (
    "estimated_uplink",
    "estimated_downlink",
    "shown_uplink",
    "shown_downlink",
    "carried_uplink",
    "carried_downlink",
    "offset_uplink",
    "offset_downlink",
    "hour",
    "before_uplink",
    "before_downlink",
)
HOUR_US = 3_600_000_000
WAYS = ("uplink", "downlink")


def upgrade() -> None:
    """Apply."""
    for name in ADDED:
        op.add_column("vpn_traffic", sa.Column(name, NUMBER, server_default="0", nullable=False))
    # What was carried before there was a history stands in the hour it was last counted in.
    op.execute(f"UPDATE vpn_traffic SET hour = changed_at / {HOUR_US}")  # noqa: S608 - a constant
    op.create_table(
        "vpn_processes",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.CheckConstraint("stage IN ('live', 'ended', 'forgotten')", name=op.f("ck_vpn_processes_stage_is_known")),
        sa.ForeignKeyConstraint(["scope"], ["scopes.name"], name=op.f("fk_vpn_processes_scope_scopes")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_vpn_processes")),
        sa.UniqueConstraint("name", name=op.f("uq_vpn_processes_name")),
    )
    op.create_table(
        "vpn_traffic_others",
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("process", sa.String(length=64), nullable=False),
        *(sa.Column(f"{what}_{way}", NUMBER, nullable=False) for what in ("read", "carried", "offset") for way in WAYS),
        sa.ForeignKeyConstraint(
            ["label"],
            ["vpn_traffic.label"],
            name=op.f("fk_vpn_traffic_others_label_vpn_traffic"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("label", "process", name=op.f("pk_vpn_traffic_others")),
    )
    op.create_table(
        "vpn_departed",
        sa.Column("account_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("keys", NUMBER, nullable=False),
        *(sa.Column(name, NUMBER, nullable=False) for name in ("uplink", "downlink")),
        *(sa.Column(name, NUMBER, nullable=False) for name in ("estimated_uplink", "estimated_downlink")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_vpn_departed_account_id_accounts")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_vpn_departed")),
    )
    op.create_table(
        "vpn_departed_labels",
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("process", sa.String(length=64), nullable=False),
        sa.Column("account_id", NUMBER, nullable=False),
        sa.Column("read_uplink", NUMBER, nullable=False),
        sa.Column("read_downlink", NUMBER, nullable=False),
        sa.Column("left_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_vpn_departed_labels_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("label", "process", name=op.f("pk_vpn_departed_labels")),
    )
    for table, unit in (("vpn_hours", "hour"), ("vpn_days", "day")):
        op.create_table(
            table,
            sa.Column("key_number", NUMBER, nullable=False),
            sa.Column(unit, sa.Integer(), nullable=False),
            sa.Column("uplink", NUMBER, nullable=False),
            sa.Column("downlink", NUMBER, nullable=False),
            sa.ForeignKeyConstraint(
                ["key_number"],
                ["vpn_keys.number"],
                name=op.f(f"fk_{table}_key_number_vpn_keys"),
                ondelete="CASCADE",
            ),
            sa.PrimaryKeyConstraint("key_number", unit, name=op.f(f"pk_{table}")),
            sqlite_with_rowid=False,
        )


def downgrade() -> None:
    """Undo."""
    for table in ("vpn_days", "vpn_hours", "vpn_departed_labels", "vpn_departed", "vpn_traffic_others"):
        op.drop_table(table)
    op.drop_table("vpn_processes")
    with op.batch_alter_table("vpn_traffic", schema=None) as batch_op:
        for name in ADDED:
            batch_op.drop_column(name)
