"""What was done to monitors at a provider, put on record; the monitors are the provider's, and no rows here."""

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.vault import credentials


@requires(Permission.VAULT_USE)
def note_created(work: Work, credential_id: int, monitor_id: str) -> None:
    """Put on record that a monitor was made; its URL is left out, since it may hold a password."""
    work.audit("vault.monitor.create", credentials.subject(credential_id), monitor=monitor_id)


@requires(Permission.VAULT_USE)
def note_deleted(work: Work, credential_id: int, monitor_id: str) -> None:
    """Put on record that a monitor was deleted."""
    work.audit("vault.monitor.delete", credentials.subject(credential_id), monitor=monitor_id)
