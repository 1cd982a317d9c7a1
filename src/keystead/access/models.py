"""Tables of access: accounts, people, roles, tokens, idempotent answers, data keys, fixed facts and the audit trail."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

from keystead.db.base import METADATA
from keystead.db.types import BigNumber, Json, UtcTime

ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("plan", String(16), nullable=False, server_default="free"),
    Column("is_house", Boolean, nullable=False, server_default=false()),
    Column("is_active", Boolean, nullable=False, server_default=true()),
    Column("created_at", UtcTime, nullable=False),
)

# Limits of account plans that somebody has edited; all others are those of the program. NULL: no limit.
ACCOUNT_PLAN_LIMITS = Table(
    "account_plan_limits",
    METADATA,
    Column("plan", String(16), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("value", BigNumber),
)

# ``account_id`` is where a user is at home: who made it, and may set its password or keep it out.
USERS = Table(
    "users",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("login", String(64), nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

# Where a user may work; what it may do there is in its roles of that account.
MEMBERS = Table(
    "members",
    METADATA,
    Column("account_id", BigNumber, ForeignKey("accounts.id"), primary_key=True),
    Column("user_id", BigNumber, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("joined_at", UtcTime, nullable=False),
)

ROLES = Table(
    "roles",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("permissions", Json, nullable=False),
    UniqueConstraint("account_id", "name"),
)

USER_ROLES = Table(
    "user_roles",
    METADATA,
    Column("user_id", BigNumber, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", BigNumber, ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
)

# Only the SHA-256 of a token is kept; ``hint`` is its prefix and first characters, for people to recognise it by.
TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("user_id", BigNumber, ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("name", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("hint", String(32), nullable=False),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("permissions", Json, nullable=False),
    Column("addresses", Json, nullable=False),
    Column("is_confined", Boolean, nullable=False),
    Column("is_rate_limited", Boolean, nullable=False, server_default=true()),
    Column("is_owner", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("revoked_at", UtcTime),
    Column("last_used_at", UtcTime),
    sqlite_autoincrement=True,
)

# ``seal`` is the HMAC over the record and the seal before it; NULL until the sealing worker has passed.
AUDIT_RECORDS = Table(
    "audit_records",
    METADATA,
    Column("number", BigNumber, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("account_id", BigNumber, nullable=False),
    Column("actor", String(192), nullable=False),
    Column("verb", String(64), nullable=False),
    Column("subject", String(192), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("facts", Json, nullable=False),
    Column("position", BigNumber, unique=True),
    Column("seal", String(64)),
    Index("ix_audit_records_account_number", "account_id", "number"),
    Index("ix_audit_records_subject", "subject"),
    sqlite_autoincrement=True,
)

# A data key wrapped by the root key; purpose ``secrets`` seals columns, ``audit`` chains the audit trail.
DATA_KEYS = Table(
    "data_keys",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("wrapped_by", String(32), nullable=False),
    Column("wrapped", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

IDEMPOTENT_ANSWERS = Table(
    "idempotent_answers",
    METADATA,
    Column("token", String(64), primary_key=True),
    Column("route", String(128), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_digest", String(64), nullable=False),
    Column("status", Integer),
    Column("body", LargeBinary),
    Column("created_at", UtcTime, nullable=False, index=True),
    CheckConstraint("status IS NULL OR body IS NOT NULL", name="answer_is_whole"),
)

# What ends up in links is chosen once; a start that cannot honour it fails.
FIXED_FACTS = Table(
    "fixed_facts",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", Json, nullable=False),
    Column("chosen_at", UtcTime, nullable=False),
)

# One sign-in of one person, for as long as it is kept up. A refresh token is a MAC under ``chain_key`` over the session
# and its generation, so no refresh token is kept anywhere; the newest generation is the one to exchange. ``replaced``
# holds when those before it were replaced (microseconds since 1970, the last one first), as far back as that matters.
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("user_id", BigNumber, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False),
    Column("chain_key", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("rotated_at", UtcTime, nullable=False),
    Column("replaced", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("ends_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("ended_because", String(32)),
    Column("address", String(64), nullable=False),
    Column("user_agent", String(255), nullable=False),
)

# Keys that sign access tokens: the one that is not retired signs, all of them verify.
SIGNING_KEYS = Table(
    "signing_keys",
    METADATA,
    Column("kid", String(32), primary_key=True),
    Column("secret", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("retired_at", UtcTime),
)

# Secrets that a person uses once: to join an account, to confirm a registration, to set a new password.
ONE_TIME_LINKS = Table(
    "one_time_links",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("purpose", String(16), nullable=False),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), index=True),
    Column("user_id", BigNumber, ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("login", String(64), nullable=False),
    Column("role", String(64)),
    Column("password_hash", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("used_at", UtcTime),
    sqlite_autoincrement=True,
)

# ``last_step`` is the time step of the last code that was accepted: none is accepted twice.
SECOND_FACTORS = Table(
    "second_factors",
    METADATA,
    Column("user_id", BigNumber, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("secret", Text, nullable=False),
    Column("confirmed_at", UtcTime),
    Column("last_step", BigNumber, nullable=False),
)

RECOVERY_CODES = Table(
    "recovery_codes",
    METADATA,
    Column("user_id", BigNumber, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("used_at", UtcTime),
)

# How often something was tried within a window, by a name that holds no login and no secret.
SIGN_IN_ATTEMPTS = Table(
    "sign_in_attempts",
    METADATA,
    Column("name", String(128), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("ends_at", UtcTime, nullable=False, index=True),
)
