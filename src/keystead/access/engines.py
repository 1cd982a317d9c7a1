"""Who may look at engines and act on them: the permission and the audit record; the reconciler does the work.

Each verb runs before the work it stands for. What an approved plan changes is in the plan, which its digest names.
"""

from sqlalchemy import Connection

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.errors import NotFound
from keystead.reconcile import store
from keystead.reconcile.store import ScopeStatus


@requires(Permission.ENGINES_READ)
def statuses(work: Work) -> list[ScopeStatus]:
    """Return how every scope stands."""
    return store.all_statuses(work.connection)


@requires(Permission.ENGINES_READ)
def look(work: Work, scope: str) -> None:
    """Let the caller see the plan of a scope; raise NotFound."""
    _check(work.connection, scope)


@requires(Permission.ENGINES_APPLY)
def approve(work: Work, *, scope: str, digest: str) -> None:
    """Record that the caller approves a plan, by its digest; raise NotFound for the scope."""
    _check(work.connection, scope)
    work.audit("engines.plan.approve", f"scope {scope}", digest=digest)


@requires(Permission.ENGINES_APPLY)
def replace(work: Work, *, scope: str, kind: str, digest: str) -> None:
    """Record that the caller approves a replacement, by its digest; raise NotFound for the scope."""
    _check(work.connection, scope)
    work.audit("engines.replacement.approve", f"scope {scope}", kind=kind, digest=digest)


@requires(Permission.ENGINES_APPLY)
def compare(work: Work, scope: str) -> None:
    """Record that the caller has a scope compared and repaired now; raise NotFound for the scope."""
    _check(work.connection, scope)
    work.audit("engines.reconcile", f"scope {scope}")


@requires(Permission.ENGINES_READ)
def diagnose(work: Work) -> None:
    """Let the caller see what the doctor finds; nothing is changed here."""


@requires(Permission.METRICS_READ)
def measure(work: Work) -> None:
    """Let the caller read the metrics; nothing is changed here."""


def _check(connection: Connection, scope: str) -> None:
    if store.status(connection, scope) is None:
        raise NotFound("engine", scope)
