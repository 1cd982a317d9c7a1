"""Leases: one process at a time changes what is made anew, at a provider, of what is there before.

A provider's list of redirects is such, and so are the hosts of a domain: each is read, and put as a whole. Processes of
one database agree by a row. ``operations/vault/alone.py`` holds a lease while a change goes on; one whose process was
killed runs out.
"""

from datetime import timedelta

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.vault.store import leases as store
from keystead.vault.store.leases import Lease

LEASE = timedelta(seconds=30)
# As ``models.LEASES`` has it.
PLACE_LENGTH_MAX = 128


@requires(Permission.VAULT_USE)
def take(work: Work, place: str) -> Lease | None:
    """Take a place for ``LEASE``; None while somebody else has it."""
    lease = Lease(place, work.ids.hex(16))
    return lease if store.take(work.connection, lease, now=work.now, until=work.now + LEASE) else None


@requires(Permission.VAULT_USE)
def renew(work: Work, lease: Lease) -> bool:
    """Keep a place for ``LEASE`` from now; tell whether it was still ours."""
    return store.renew(work.connection, lease, work.now + LEASE)


@requires(Permission.VAULT_USE)
def give_back(work: Work, lease: Lease) -> None:
    """Leave a place to whoever waits for it."""
    store.drop(work.connection, lease)
