"""What is about to be changed at a provider, and what became of it: both on record, each in a transaction of its own.

The intent is committed before the provider is asked, so that a kill in between leaves a record that says what may have
happened. The outcome follows: by a verb of its own where rows here follow (``zones.record_one``), else ``done``; or
``failed``, which says whether the change may have been made all the same.
"""

from enum import StrEnum

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work


class Change(StrEnum):
    """What is changed at a provider."""

    ZONE_CREATE = "zone.create"
    ZONE_REMOVE = "zone.remove"
    ZONE_CHECK = "zone.check"
    ZONE_SETTINGS = "zone.settings"
    ZONE_PURGE = "zone.purge"
    RECORDS_CHANGE = "records.change"
    RECORDS_IMPORT = "records.import"
    REDIRECT_SET = "redirect.set"
    REDIRECT_REMOVE = "redirect.remove"
    REDIRECTS_CHANGE = "redirects.change"
    BULK_REDIRECTS_PUT = "redirects.put"
    BULK_REDIRECTS_REMOVE = "redirects.remove"
    HOSTS_REPLACE = "hosts.replace"
    NAME_SERVERS = "domain.name_servers"
    MONITOR_CREATE = "monitor.create"
    MONITOR_DELETE = "monitor.delete"


@requires(Permission.VAULT_USE)
def put(work: Work, change: Change, /, subject: str, **facts: object) -> None:
    """Put on record that a change is about to be made."""
    work.audit("vault.intent", subject, change=change.value, **facts)


@requires(Permission.VAULT_USE)
def done(work: Work, change: Change, /, subject: str, **facts: object) -> None:
    """Put on record that a change was made which has no rows here."""
    work.audit(f"vault.{change.value}", subject, **facts)


@requires(Permission.VAULT_USE)
def failed(work: Work, change: Change, /, subject: str, *, reason: str, may_have_landed: bool) -> None:
    """Put on record that a change was refused, or that nobody knows."""
    work.audit("vault.intent.fail", subject, change=change.value, reason=reason, may_have_landed=may_have_landed)
