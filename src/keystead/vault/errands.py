"""Errands: things to be done at a provider that outlive the request that wanted them, each with the secret to do it.

An errand is written in the transaction of what it belongs to: before a remote object is made, so that a kill leaves
nobody without knowing; and with the activation of what makes something else superfluous. They are carried out by
``operations/vault/errands.py``. ``details`` says about what.

An errand is no job: it has a secret that goes with it, belongs to a credential and goes with that, may be carried out
at once by who wrote it, changes what it says as it comes along, stays to be seen when it was given up, and must not
wait behind jobs of hours.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.secret import Secret
from keystead.vault.sealed import ERRAND_SECRET
from keystead.vault.store import errands as store
from keystead.vault.store.errands import Errand, Shown

PROBLEM_LENGTH_MAX = 255
# Longer than an errand may take; what a killed process had taken comes due again after it.
LEASE = timedelta(minutes=3)


class Kind(StrEnum):
    """What an errand is about."""

    # Find the token that a cut or failed connection may have left at the provider, and delete it.
    SWEEP = "sweep"
    # Delete tokens that a finished connection has made superfluous, the bootstrap token last.
    RETIRE = "retire"
    # Read the zones of a new credential.
    SYNC = "sync"
    # Verify a credential, and take over what its provider shows with it.
    LOOK = "look"
    # Ask a registrar for the name servers of its domains, some at a time.
    NAME_SERVERS = "name-servers"


def put(
    work: Work,
    kind: Kind,
    details: Mapping[str, Any],
    *,
    secret: Secret[str] | None,
    after: timedelta,
    credential_id: int | None = None,
) -> int:
    """Write an errand into the caller's transaction and return its id; it comes due after a time."""
    values = {
        "account_id": work.principal.account_id,
        "credential_id": credential_id,
        "kind": kind.value,
        "details": details,
        "due_at": work.now + after,
        "created_at": work.now,
    }
    errand_id = store.insert_errand(work.connection, values)
    if secret is not None:
        store.set_secret(work.connection, errand_id, work.keys.seal(secret, ERRAND_SECRET.place(errand_id)))
    return errand_id


@requires(Permission.VAULT_READ)
def list_(work: Work) -> list[Shown]:
    """Return the account's errands, oldest first: what waits, and what was given up."""
    return store.of_account(work.connection, work.principal.account_id)


@requires(Permission.VAULT_USE)
def claim_due(work: Work, limit: int) -> list[Errand]:
    """Take errands of all accounts that are due; whoever takes them has ``LEASE`` to carry them out."""
    until = work.now + LEASE
    return store.claim_due(work.connection, limit, at=work.now, until=until, claim=work.ids.hex(16))


@requires(Permission.VAULT_USE)
def claim(work: Work, errand_id: int) -> Errand | None:
    """Take one errand before it is due; None when it is done or somebody else's."""
    return store.claim_one(work.connection, errand_id, until=work.now + LEASE, claim=work.ids.hex(16))


@requires(Permission.VAULT_USE)
def open_secret(work: Work, errand: Errand) -> Secret[str] | None:
    """Open the secret of an errand for whoever carries it out; None for a kind that has none."""
    return None if errand.secret is None else work.keys.open(errand.secret, ERRAND_SECRET.place(errand.id))


@requires(Permission.VAULT_USE)
def put_off(
    work: Work, errand: Errand, *, after: timedelta, problem: str | None, details: Mapping[str, Any] | None = None
) -> None:
    """Give an errand back, to be taken again after a time; ``details`` says how far it has come."""
    if details is not None:
        store.change_details(work.connection, errand, details)
    store.put_off(work.connection, errand, work.now + after, None if problem is None else problem[:PROBLEM_LENGTH_MAX])


@requires(Permission.VAULT_USE)
def make_all_due(work: Work) -> int:
    """Let everything that waits come due: called at the start of the only process there is. Return how many."""
    return store.make_all_due(work.connection, work.now)


@requires(Permission.VAULT_USE)
def finish(work: Work, /, errand: Errand, **facts: object) -> bool:
    """Put an errand on record as done; return False when somebody else has it by now."""
    if not store.finish(work.connection, errand):
        return False
    work.audit(f"vault.errand.{errand.kind}", _subject(errand), **facts)
    return True


@requires(Permission.VAULT_USE)
def give_up(work: Work, errand: Errand, problem: str) -> None:
    """Put on record that an errand cannot be done; it stays to be seen, without its secret."""
    if store.give_up(work.connection, errand, problem[:PROBLEM_LENGTH_MAX]):
        work.audit("vault.errand.give_up", _subject(errand), kind=errand.kind, problem=problem)


def _subject(errand: Errand) -> str:
    return f"credential {errand.credential_id}" if errand.credential_id else f"errand {errand.id}"
