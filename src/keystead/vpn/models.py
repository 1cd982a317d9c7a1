"""Tables of the vpn subject: inbounds, keys, what they carried, and subscriptions.

A key's ``label`` is its name in Xray and carries a revision (``k12-1``): a label is never used for another UUID, so
that counters never mix and an existing label always means the right account.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from keystead.db.base import METADATA
from keystead.db.types import BigNumber, Json, UtcTime

INBOUNDS = Table(
    "vpn_inbounds",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("scope", String(64), ForeignKey("scopes.name"), nullable=False, index=True),
    Column("tag", String(64), nullable=False),
    Column("placement", String(16), nullable=False),
    Column("listen", String(64), nullable=False),
    Column("port", Integer, nullable=False),
    Column("private_key", Text, nullable=False),
    Column("public_key", String(64), nullable=False),
    Column("target", String(300), nullable=False),
    Column("server_names", Json, nullable=False),
    Column("short_ids", Json, nullable=False),
    Column("flow", String(32), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("scope", "tag"),
    UniqueConstraint("scope", "listen", "port"),
    CheckConstraint("port BETWEEN 1 AND 65535", name="port_is_a_port"),
)

# ``state``: issuing (committed, not yet known to be in the engine), live, removing (revoked; a tombstone until the
# engine is known to be without it). ``masked_uuid`` is the UUID as Xray compares it: bytes 6 and 7 zeroed.
KEYS = Table(
    "vpn_keys",
    METADATA,
    Column("number", BigNumber, primary_key=True, autoincrement=True),
    Column("public_id", String(36), nullable=False, unique=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False),
    Column("inbound_id", BigNumber, ForeignKey("vpn_inbounds.id"), nullable=False, index=True),
    Column("issued_by", BigNumber, ForeignKey("tokens.id"), index=True),
    Column("name", String(255)),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("masked_uuid", String(36), nullable=False, unique=True),
    Column("label", String(64), nullable=False, unique=True),
    Column("flow", String(32), nullable=False),
    Column("short_id", String(16), nullable=False),
    Column("server_name", String(253), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("last_seen_at", UtcTime),
    Index("ix_vpn_keys_account_state_number", "account_id", "state", "number"),
    CheckConstraint("state IN ('issuing', 'live', 'removing')", name="state_is_known"),
    sqlite_autoincrement=True,
)

# What a label has carried over its life, the part of it that resets took out of sight, and the engine's last reading of
# it with the process it came from ("" before the first). A reissued key has a row for each of its labels, for good.
TRAFFIC = Table(
    "vpn_traffic",
    METADATA,
    Column("label", String(64), primary_key=True),
    Column("key_number", BigNumber, ForeignKey("vpn_keys.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("uplink", BigNumber, nullable=False),
    Column("downlink", BigNumber, nullable=False),
    Column("forgiven_uplink", BigNumber, nullable=False),
    Column("forgiven_downlink", BigNumber, nullable=False),
    Column("process", String(64), nullable=False),
    Column("read_uplink", BigNumber, nullable=False),
    Column("read_downlink", BigNumber, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
)

# When a scope's counters were last read, and from which process.
METERS = Table(
    "vpn_meters",
    METADATA,
    Column("scope", String(64), ForeignKey("scopes.name"), primary_key=True),
    Column("process", String(64), nullable=False),
    Column("read_at", UtcTime, nullable=False),
)

# The address a customer's app polls. The token is sealed so that it can be shown again, and hashed to be found.
SUBSCRIPTIONS = Table(
    "vpn_subscriptions",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("key_number", BigNumber, ForeignKey("vpn_keys.number", ondelete="CASCADE"), nullable=False, unique=True),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("sealed_token", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
