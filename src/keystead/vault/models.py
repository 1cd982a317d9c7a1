"""Tables of the vault: credentials, relays, errands, zones, domains and what is found there, templates, moves."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from keystead.db.base import METADATA
from keystead.db.types import BigNumber, Json, UtcTime
from keystead.jobs.models import JOBS

# A secret for an outside provider. ``external_id`` is the account there; it is in ``holds`` too for as long as the
# credential is active or pending: one account there has one such credential, in whatever account of ours. (A partial
# index would say the same, and SQLAlchemy would load the other database's dialect for it.) ``reservation`` names who is
# connecting it at present, until ``reserved_until``. ``scope`` is what the provider calls the secret and the account,
# without secrets, ``profile`` the set of permissions that it was made with. ``problem`` is why the provider refused the
# secret when it was asked last, at ``checked_at``.
CREDENTIALS = Table(
    "credentials",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("provider", String(32), nullable=False),
    Column("alias", String(255), nullable=False),
    Column("external_id", String(255), nullable=False),
    Column("holds", String(255)),
    Column("status", String(16), nullable=False),
    Column("scope", Json, nullable=False),
    Column("secret", Text),
    Column("expires_at", UtcTime),
    Column("last_used_at", UtcTime),
    Column("checked_at", UtcTime),
    Column("problem", String(64)),
    Column("profile", String(32)),
    Column("reservation", String(32)),
    Column("reserved_until", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    CheckConstraint("status IN ('pending', 'active', 'expired', 'revoked')", name="status_is_known"),
    CheckConstraint("status = 'pending' OR secret IS NOT NULL", name="has_its_secret"),
    CheckConstraint("(status IN ('active', 'pending')) = (holds IS NOT NULL)", name="holds_while_it_lives"),
    UniqueConstraint("provider", "holds"),
    sqlite_autoincrement=True,
)

# How requests to a provider leave this machine: the installation's way (target 0), and those of single credentials.
# Direct is a way without URL, host and auth.
RELAYS = Table(
    "provider_relays",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("provider", String(32), nullable=False),
    Column("target", BigNumber, nullable=False),
    Column("credential_id", BigNumber, ForeignKey("credentials.id", ondelete="CASCADE"), index=True),
    Column("url", Text),
    Column("host", String(255)),
    Column("auth", Text),
    Column("ip", String(45), nullable=False),
    UniqueConstraint("provider", "target"),
    sqlite_autoincrement=True,
)

# Something to be done at a provider that outlives the request that wanted it; written before what it may have to undo.
# ``due_at`` is when it may be claimed; claiming moves it to the end of the lease. ``claim`` names who holds it. The
# secret is the one to do it with.
ERRANDS = Table(
    "vault_errands",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False),
    Column("credential_id", BigNumber, index=True),
    Column("kind", String(32), nullable=False),
    Column("details", Json, nullable=False),
    Column("secret", Text),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("claim", String(32)),
    Column("problem", String(255)),
    Column("created_at", UtcTime, nullable=False),
    CheckConstraint("state IN ('waiting', 'given-up')", name="state_is_known"),
    Index("ix_vault_errands_state_due", "state", "due_at"),
    sqlite_autoincrement=True,
)

# A DNS zone at a provider, as it was last seen with a credential. ``missing_since`` is set when it was seen no more;
# ``check_at`` is when a pending one is looked at again, and ``checks`` how often it was.
ZONES = Table(
    "zones",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("credential_id", BigNumber, ForeignKey("credentials.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("remote_id", String(64), nullable=False, unique=True),
    Column("name", String(253), nullable=False),
    Column("status", String(16), nullable=False),
    Column("plan", String(64), nullable=False),
    Column("name_servers", Json, nullable=False),
    Column("missing_since", UtcTime),
    Column("synced_at", UtcTime, nullable=False),
    Column("check_at", UtcTime),
    Column("checks", Integer, nullable=False),
    Index("ix_zones_check_at", "check_at"),
    sqlite_autoincrement=True,
)

# A domain of an account; it outlives its zone and the credential of its zone. ``note`` and ``tags`` are a person's.
# What DNS said last was said at ``dns_at``; ``dns_asked_at`` is when somebody took it upon himself to ask.
DOMAINS = Table(
    "domains",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False),
    Column("zone_id", BigNumber, ForeignKey("zones.id", ondelete="SET NULL"), index=True),
    Column("credential_id", BigNumber, ForeignKey("credentials.id", ondelete="SET NULL"), index=True),
    Column("name", String(253), nullable=False),
    Column("role", String(16), nullable=False),
    Column("is_blocked", Boolean, nullable=False),
    Column("note", String(500)),
    Column("tags", Json),
    Column("dns_name_servers", Json),
    Column("dns_problem", String(64)),
    Column("dns_at", UtcTime),
    Column("dns_asked_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("account_id", "name"),
    sqlite_autoincrement=True,
)

# What is right in a zone, as entries of records and of redirects made here; what was seen there last, at ``seen_at``;
# and how the two differ. ``redirects`` are None where the credential may not read them. ``revision`` grows with every
# change made here. ``asked_at`` is when somebody looked last, or counts as such, ``problem`` why that failed last, and
# ``is_refused`` that the credential may not. ``bulk_redirects`` are those of the account's list about the zone.
ZONE_CONTENTS = Table(
    "zone_contents",
    METADATA,
    Column("zone_id", BigNumber, ForeignKey("zones.id", ondelete="CASCADE"), autoincrement=False),
    Column("records", Json),
    Column("redirects", Json),
    Column("seen_redirects", Json),
    Column("foreign_redirects", Integer),
    Column("record_drift", Json),
    Column("redirect_drift", Json),
    Column("accepted_at", UtcTime),
    Column("seen_at", UtcTime),
    Column("asked_at", UtcTime),
    Column("problem", String(255)),
    Column("is_refused", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("bulk_redirects", Json),
    PrimaryKeyConstraint("zone_id"),
    Index("ix_zone_contents_asked_at", "asked_at"),
)

# The same of the list of bulk redirects that is ours in the account of a credential; ``seen`` is what it held last.
BULK_LISTS = Table(
    "bulk_redirect_lists",
    METADATA,
    Column("credential_id", BigNumber, ForeignKey("credentials.id", ondelete="CASCADE"), autoincrement=False),
    Column("redirects", Json),
    Column("seen", Json),
    Column("drift", Json),
    Column("accepted_at", UtcTime),
    Column("seen_at", UtcTime),
    Column("problem", String(255)),
    Column("is_refused", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    PrimaryKeyConstraint("credential_id"),
)

# Records and redirects by a name, to be applied to many zones.
TEMPLATES = Table(
    "templates",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False),
    Column("name", String(40), nullable=False),
    Column("body", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    UniqueConstraint("account_id", "name"),
    sqlite_autoincrement=True,
)

# A template applied to many zones as one plan, with the template as it was. It is planned by one job and carried out by
# another; it is gone with the job that planned it. ``digest`` is there once all of it is planned.
ROLLOUTS = Table(
    "rollouts",
    METADATA,
    Column("number", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("template", String(40), nullable=False),
    Column("body", Json, nullable=False),
    Column("given", Json, nullable=False),
    Column("plan_job", BigNumber, ForeignKey(JOBS.c.number, ondelete="CASCADE"), nullable=False, unique=True),
    Column("apply_job", BigNumber, ForeignKey(JOBS.c.number, ondelete="SET NULL"), unique=True),
    Column("digest", String(16)),
    Column("created_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

# What a rollout does to one zone, and what became of it. The zone may be gone by now: its name stays.
ROLLOUT_ZONES = Table(
    "rollout_zones",
    METADATA,
    Column("rollout", BigNumber, ForeignKey("rollouts.number", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("zone_id", BigNumber, nullable=False),
    Column("zone", String(253), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("steps", Json, nullable=False),
    Column("creates", Integer, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("deletes", Integer, nullable=False),
    Column("record_deletes", Integer, nullable=False),
    Column("present", Integer, nullable=False),
    Column("left_alone", Integer, nullable=False),
    Column("reason", String(255)),
    # Of what it is at: being planned, or changed. None: it may be tried at once.
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", UtcTime),
    CheckConstraint(
        "outcome IN ('waiting', 'planned', 'same', 'applying', 'done', 'failed', 'refused')", name="outcome_is_known"
    ),
    sqlite_with_rowid=False,
)

# One domain of a domain move, which is a job; ``movevalue.Item`` says what the columns are.
MOVE_ITEMS = Table(
    "domain_move_items",
    METADATA,
    Column("job", BigNumber, ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("domain", String(253), nullable=False),
    Column("state", String(16), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("zone_credential_id", BigNumber),
    Column("registrar_credential_id", BigNumber),
    Column("source", String(253)),
    Column("is_making", Boolean, nullable=False),
    Column("is_made", Boolean, nullable=False),
    Column("zone_id", String(64)),
    Column("name_servers", Json, nullable=False),
    Column("previous", Json),
    Column("removes_zone", Boolean, nullable=False),
    Column("problem", Text),
    CheckConstraint("state IN ('waiting', 'done', 'same', 'refused', 'failed')", name="state_is_known"),
    sqlite_with_rowid=False,
)

# What a registrar says of a domain, as it was last seen with a credential. ``name_servers`` are None until they were
# asked for: most registrars tell them by the domain only. ``missing_since`` is set when it was listed no more.
REGISTRATIONS = Table(
    "domain_registrations",
    METADATA,
    Column("domain_id", BigNumber, ForeignKey("domains.id", ondelete="CASCADE"), autoincrement=False),
    Column("credential_id", BigNumber, ForeignKey("credentials.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_on", Date),
    Column("renews_itself", Boolean),
    Column("is_locked", Boolean),
    Column("has_own_dns", Boolean),
    Column("name_servers", Json),
    Column("name_servers_at", UtcTime),
    Column("missing_since", UtcTime),
    Column("synced_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("domain_id"),
)

# When a credential is looked at next, and what was found last: why it cannot be used, the money in the account, and the
# names of permissions that it needs and has lost; None where the provider does not tell it what it may.
LOOKS = Table(
    "credential_looks",
    METADATA,
    Column("credential_id", BigNumber, ForeignKey("credentials.id", ondelete="CASCADE"), autoincrement=False),
    Column("due_at", UtcTime, nullable=False),
    Column("looked_at", UtcTime),
    Column("problem", String(255)),
    Column("is_refused", Boolean, nullable=False),
    Column("balance", String(32)),
    Column("lacking", Json),
    PrimaryKeyConstraint("credential_id"),
)

# Something that is not as it should be, with a domain or a credential, until it is cured: then the row goes.
FINDINGS = Table(
    "vault_findings",
    METADATA,
    Column("id", BigNumber, primary_key=True, autoincrement=True),
    Column("account_id", BigNumber, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("domain_id", BigNumber, ForeignKey("domains.id", ondelete="CASCADE")),
    Column("credential_id", BigNumber, ForeignKey("credentials.id", ondelete="CASCADE")),
    Column("expected", Json, nullable=False),
    Column("seen", Json, nullable=False),
    Column("since", UtcTime, nullable=False),
    CheckConstraint("(domain_id IS NULL) != (credential_id IS NULL)", name="is_about_one"),
    UniqueConstraint("domain_id", "kind"),
    UniqueConstraint("credential_id", "kind"),
    sqlite_autoincrement=True,
)

# What people were told of, until it is cured. ``level`` is the threshold that was reached, the smaller the more urgent.
ALERTS = Table(
    "vault_alerts",
    METADATA,
    Column("account_id", BigNumber, ForeignKey("accounts.id"), autoincrement=False),
    Column("kind", String(32)),
    Column("subject", String(64)),
    Column("level", Integer, nullable=False),
    Column("told_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("account_id", "kind", "subject"),
)

# Who changes something at a provider that is made anew of what is there (``place``), and until when nobody else may.
LEASES = Table(
    "vault_leases",
    METADATA,
    Column("place", String(128), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("until", UtcTime, nullable=False),
)
