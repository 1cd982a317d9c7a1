"""Tables of the vpn subject: inbounds, pairs, keys, what they carried, terms, plans, subscriptions and who polls them.

A key's ``label`` is its name in Xray and carries a revision (``k12-1``): a label is never used for another UUID, so
that counters never mix and an existing label always means the right account.
"""

from typing import Any

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
    true,
)

from keystead.db.base import METADATA
from keystead.db.types import BigNumber, Json, UtcTime
from keystead.jobs.models import JOBS

# A key pair that a scope serves beside the one links carry. ``stage``: coming (links follow when it is known to be
# served), going (served until then). ``is_front`` says whether it is the one in front. The names and short ids are
# those that links with the pair behind may carry.
SECOND_PAIRS = Table(
    "vpn_second_pairs",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("scope", String(64), ForeignKey("scopes.name"), nullable=False, unique=True),
    Column("private_key", Text, nullable=False),
    Column("public_key", String(64), nullable=False),
    Column("is_front", Boolean, nullable=False),
    Column("stage", String(8), nullable=False),
    Column("server_names", Json, nullable=False),
    Column("short_ids", Json, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("turned_at", UtcTime, nullable=False),
    Column("kept_s", BigNumber, nullable=False),
    Column("until", UtcTime),
    Column("origin", Text),
    Column("target", String(300)),
    CheckConstraint("stage IN ('coming', 'going')", name="stage_is_known"),
    sqlite_autoincrement=True,
)

INBOUNDS = Table(
    "vpn_inbounds",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("scope", String(64), ForeignKey("scopes.name"), nullable=False),
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
    Column("pair_made_at", UtcTime),
    Column("second_pair_id", BigNumber, ForeignKey("vpn_second_pairs.id"), index=True),
    UniqueConstraint("scope", "tag"),
    UniqueConstraint("scope", "listen", "port"),
    Index("ix_vpn_inbounds_scope_port", "scope", "port"),
    CheckConstraint("port BETWEEN 1 AND 65535", name="port_is_a_port"),
)

# ``state``: issuing (committed, not yet known to be in the engine), live, removing (revoked; a tombstone until the
# engine is known to be without it). ``masked_uuid`` is the UUID as Xray compares it: bytes 6 and 7 zeroed.
# ``is_active`` says whether the key connects; ``is_enabled`` whether nobody disabled it by hand (``holding``).
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
    Column("is_enabled", Boolean, nullable=False, server_default=true()),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("last_seen_at", UtcTime),
    Index("ix_vpn_keys_account_state_number", "account_id", "state", "number"),
    CheckConstraint("state IN ('issuing', 'live', 'removing')", name="state_is_known"),
    sqlite_autoincrement=True,
)

# An inbound that a key was served at before, and that goes on for it beside its present one until then.
FORMER_PORTS = Table(
    "vpn_former_ports",
    METADATA,
    Column("inbound_id", BigNumber, ForeignKey("vpn_inbounds.id"), primary_key=True, autoincrement=False),
    Column(
        "key_number",
        BigNumber,
        ForeignKey("vpn_keys.number", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        index=True,
    ),
    Column("until", UtcTime, nullable=False),
)

# When a key was last seen at a second pair.
PAIR_USES = Table(
    "vpn_pair_uses",
    METADATA,
    Column(
        "pair_id",
        BigNumber,
        ForeignKey("vpn_second_pairs.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column(
        "key_number",
        BigNumber,
        ForeignKey("vpn_keys.number", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        index=True,
    ),
    Column("used_at", UtcTime, nullable=False),
)

WAYS = ("uplink", "downlink")


def _ways(*names: str, **more: Any) -> list[Column[Any]]:
    """Return two columns of bytes for each name: client to server, and back."""
    return [Column(f"{name}_{way}", BigNumber, nullable=False, **more) for name in names for way in WAYS]


# What a label has carried over its life, as Xray counted it (``uplink``, ``downlink``); what was estimated besides; the
# highest figure that was shown, and the part of it that resets took out of sight. Then the label in one core process
# ("" before the first): Xray's count as last read, the kernel's as last paired with it, and the offset between them.
# ``hour`` is the hour, counted from 1970, whose bytes are not in the history yet, ``before`` the total when it began.
# A reissued key has a row for each of its labels, for good.
TRAFFIC = Table(
    "vpn_traffic",
    METADATA,
    Column("label", String(64), primary_key=True),
    Column("key_number", BigNumber, ForeignKey("vpn_keys.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("uplink", BigNumber, nullable=False),
    Column("downlink", BigNumber, nullable=False),
    *_ways("forgiven"),
    Column("process", String(64), nullable=False),
    *_ways("read"),
    Column("changed_at", UtcTime, nullable=False),
    *_ways("estimated", "shown", "carried", "offset", server_default="0"),
    Column("hour", BigNumber, nullable=False, server_default="0"),
    *_ways("before", server_default="0"),
)

# The same of a label in other processes than that of its row: while one hands over to the next, and shortly after.
TRAFFIC_OTHERS = Table(
    "vpn_traffic_others",
    METADATA,
    Column("label", String(64), ForeignKey("vpn_traffic.label", ondelete="CASCADE"), primary_key=True),
    Column("process", String(64), primary_key=True),
    *_ways("read", "carried", "offset"),
)

# The core processes that were read. What an ``ended`` one never reported is estimated; of a ``forgotten`` one no
# reading is on its way any more.
PROCESSES = Table(
    "vpn_processes",
    METADATA,
    Column("number", BigNumber, primary_key=True, autoincrement=True),
    Column("scope", String(64), ForeignKey("scopes.name"), nullable=False),
    Column("name", String(64), nullable=False, unique=True),
    Column("stage", String(16), nullable=False),
    CheckConstraint("stage IN ('live', 'ended', 'forgotten')", name="stage_is_known"),
)

# What the deleted keys of an account have carried, how many they were; and the last readings of their labels, whose
# last bytes may still come.
DEPARTED = Table(
    "vpn_departed",
    METADATA,
    Column("account_id", BigNumber, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("keys", BigNumber, nullable=False),
    Column("uplink", BigNumber, nullable=False),
    Column("downlink", BigNumber, nullable=False),
    *_ways("estimated"),
)
DEPARTED_LABELS = Table(
    "vpn_departed_labels",
    METADATA,
    Column("label", String(64), primary_key=True),
    Column("process", String(64), primary_key=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False),
    *_ways("read"),
    Column("left_at", UtcTime, nullable=False),
)


def _history(name: str, unit: str) -> Table:
    return Table(
        name,
        METADATA,
        Column("key_number", BigNumber, ForeignKey("vpn_keys.number", ondelete="CASCADE"), primary_key=True),
        Column(unit, Integer, primary_key=True),
        Column("uplink", BigNumber, nullable=False),
        Column("downlink", BigNumber, nullable=False),
        sqlite_with_rowid=False,
    )


# What a key carried in an hour or a day of UTC, counted from 1970, once that is over.
HOURS, DAYS = _history("vpn_hours", "hour"), _history("vpn_days", "day")

# When a scope's counters were last read, and from which process.
METERS = Table(
    "vpn_meters",
    METADATA,
    Column("scope", String(64), ForeignKey("scopes.name"), primary_key=True),
    Column("process", String(64), nullable=False),
    Column("read_at", UtcTime, nullable=False),
)

# The address a customer's app polls. The token is sealed so that it can be shown again, and hashed to be found.
# ``refused_at`` is when a device was last refused and that was told.
SUBSCRIPTIONS = Table(
    "vpn_subscriptions",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("key_number", BigNumber, ForeignKey("vpn_keys.number", ondelete="CASCADE"), nullable=False, unique=True),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("sealed_token", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("refused_at", UtcTime),
)

# Which families of programs polled a key's subscription, and when last; noted once a day.
CLIENTS = Table(
    "vpn_clients",
    METADATA,
    Column("key_number", BigNumber, ForeignKey("vpn_keys.number", ondelete="CASCADE"), primary_key=True),
    Column("family", String(16), primary_key=True),
    Column("last_at", UtcTime, nullable=False),
)

# The devices that polled a subscription whose key has a limit of them. ``fingerprint`` is a hash of the device's id
# under the subscription's token, so that neither says anything without the other; the other texts are the device's own.
DEVICES = Table(
    "vpn_devices",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("key_number", BigNumber, ForeignKey("vpn_keys.number", ondelete="CASCADE"), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("model", String(64), nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    UniqueConstraint("key_number", "fingerprint"),
)

# How old clients may be in a scope: what is in force, which a setting may be ahead of until somebody approves it.
CLIENT_RULES = Table(
    "vpn_client_rules",
    METADATA,
    Column("scope", String(64), ForeignKey("scopes.name"), primary_key=True),
    Column("versions", String(16), nullable=False),
    Column("since", UtcTime, nullable=False),
)


# What a bulk does to which key, and how it went: those to be changed first, at positions from 0 on. ``named`` is what
# the caller called a key that is none of ours.
BULK_ITEMS = Table(
    "vpn_bulk_items",
    METADATA,
    Column("job", BigNumber, ForeignKey(JOBS.c.number, ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("key_number", BigNumber),
    Column("named", String(64)),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(255)),
    CheckConstraint("outcome IN ('planned', 'done', 'same', 'refused')", name="outcome_is_known"),
    sqlite_with_rowid=False,
)


def _term_columns() -> list[Column[Any]]:
    """Return the columns of what a plan or a key's terms say."""
    return [
        Column("quota_bytes", BigNumber),
        Column("at_limit", String(8), nullable=False),
        Column("slow_to_bytes_s", BigNumber),
        Column("warn_at", Json, nullable=False),
        Column("speed_bytes_s", BigNumber),
        Column("address_limit", Integer),
        Column("reset", String(8), nullable=False),
        Column("reset_days", Integer),
        Column("reset_day", Integer, nullable=False),
        Column("time_zone", String(64), nullable=False),
        Column("duration_s", BigNumber),
        Column("expires_at", UtcTime),
        Column("device_limit", Integer),
    ]


# Named terms that keys are issued with, and where such keys sit unless that is left open; a key keeps its copy
# whatever becomes of the plan.
PLANS = Table(
    "vpn_plans",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False),
    Column("name", String(64), nullable=False),
    *_term_columns(),
    Column("starts", String(16), nullable=False),
    Column("placement", String(16)),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("account_id", "name"),
)

# What was sold with a key, and how far it got; a key without terms has no row. ``pace`` is the speed limit in force,
# ``notice_at`` the lifetime total from which something is due, ``revision`` the generation of the scope at the last
# change, by which the enforcing loop learns of it.
TERMS = Table(
    "vpn_terms",
    METADATA,
    Column("key_number", BigNumber, ForeignKey("vpn_keys.number", ondelete="CASCADE"), primary_key=True),
    Column("plan", String(64)),
    *_term_columns(),
    Column("period_began_at", UtcTime, nullable=False),
    Column("baseline_uplink", BigNumber, nullable=False),
    Column("baseline_downlink", BigNumber, nullable=False),
    Column("topped_up_bytes", BigNumber, nullable=False),
    Column("warned", Integer, nullable=False),
    Column("limit_reached_at", UtcTime),
    Column("unused_at", BigNumber, nullable=False),
    Column("expired_at", UtcTime),
    Column("address_refused_at", UtcTime),
    Column("pace", BigNumber),
    Column("notice_at", BigNumber),
    Column("revision", BigNumber, nullable=False, index=True),
)

# Extensions and top-ups whose caller chose an id, so that a repeated one is done once.
GRANTS = Table(
    "vpn_grants",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("key_number", BigNumber, ForeignKey("vpn_keys.number", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("request", String(255), nullable=False),
    Column("amount", BigNumber, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    UniqueConstraint("key_number", "kind", "request"),
)
