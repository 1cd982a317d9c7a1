"""How old clients may be in a scope: what is in force, which a setting may be ahead of until somebody approves it.

Read before the core starts, so it knows nothing of client families; whom a rule locks out is said by ``lockouts``.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.vpn.store import clientrules as store


class ClientVersions(StrEnum):
    """How old a client may be, as the settings say it."""

    COMPATIBLE = "compatible"
    STRICT = "strict"

    @property
    def least(self) -> str:
        """Return the least client version that an inbound is given; it is never left to the core."""
        return "26.3.27" if self is ClientVersions.STRICT else "1.0.0"


@requires(Permission.ENGINES_APPLY)
def allow(work: Work, *, scope: str, versions: ClientVersions) -> None:
    """Put in force how old clients may be in a scope."""
    store.put(work.connection, scope, versions.value, work.now)
    work.audit("vpn.clients.allow", f"scope {scope}", versions=versions.value)


def settle(connection: Connection, scope: str, wanted: ClientVersions, now: datetime) -> ClientVersions:
    """Return what is in force in a scope after a start with these settings, and store what takes effect by itself.

    That is everything but a stricter rule where keys are: it locks customers out, and so waits for an approval.
    """
    before = in_force(connection, scope)
    is_stricter = before is ClientVersions.COMPATIBLE and wanted is ClientVersions.STRICT
    if before is not None and (before is wanted or (is_stricter and store.has_keys(connection, scope))):
        return before
    store.put(connection, scope, wanted.value, now)
    return wanted


def adopt(connection: Connection, scope: str, wanted: ClientVersions, now: datetime) -> None:
    """Put in force what the settings say: for a core that somebody else restarts, and so approves."""
    if in_force(connection, scope) is not wanted:
        store.put(connection, scope, wanted.value, now)


def in_force(connection: Connection, scope: str) -> ClientVersions | None:
    """Return how old clients may be in a scope; None for one that no start has settled."""
    stored = store.find(connection, scope)
    return None if stored is None else ClientVersions(stored)
