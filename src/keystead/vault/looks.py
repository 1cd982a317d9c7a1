"""The verbs of looks: at every credential the provider is looked at now and then, and what was found is kept.

A look is an errand (``operations/domains/watch/looks.py``): it verifies the credential, and takes domains, zones and
balance over.
"""

from collections.abc import Sequence
from datetime import timedelta

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.vault import credentials, errands
from keystead.vault.errands import Kind
from keystead.vault.store import contents as content_store
from keystead.vault.store import delegations as delegation_store
from keystead.vault.store import errands as errand_store
from keystead.vault.store import looks as store
from keystead.vault.store.looks import Look

PROBLEM_LENGTH_MAX = 255


@requires(Permission.VAULT_USE)
def list_due(work: Work, providers: Sequence[str]) -> list[tuple[int, int]]:
    """Return account and id of every credential, of all accounts, that has to be looked at."""
    return store.due(work.connection, providers, work.now)


@requires(Permission.VAULT_READ)
def list_(work: Work) -> dict[int, Look]:
    """Return what was found at the account's credentials, by credential."""
    return store.of_account(work.connection, work.principal.account_id)


@requires(Permission.VAULT_USE)
def begin(work: Work, credential_id: int, *, every: timedelta) -> int | None:
    """Put the errand of a look that is due, and return its id; None when somebody else has."""
    return _begun(work, credential_id, every, is_forced=False)


@requires(Permission.VAULT_USE)
def ask(work: Work, credential_ids: Sequence[int], *, every: timedelta) -> list[int]:
    """Put errands of looks although they are not due, and let DNS be asked about all domains; return the errands' ids.

    One that waits already is not put again.
    """
    for credential_id in credential_ids:
        credentials.find(work, credential_id)
    put = [_begun(work, credential_id, every, is_forced=True) for credential_id in credential_ids]
    content_store.make_all_due(work.connection, credential_ids)
    delegation_store.make_all_due(work.connection, work.principal.account_id)
    work.audit("vault.domains.look", "domains", credentials=list(credential_ids))
    return [errand_id for errand_id in put if errand_id is not None]


@requires(Permission.VAULT_USE)
def follow(work: Work, credential_id: int, kind: Kind) -> int | None:
    """Put an errand that follows a look; None when one of its kind waits already."""
    return _put(work, credential_id, kind)


@requires(Permission.VAULT_USE)
def note(work: Work, credential_id: int, *, problem: str | None, is_refused: bool = False) -> None:
    """Write down how a look went: why the credential could not be used, and whether it is refused for good."""
    credentials.find(work, credential_id)
    told = None if problem is None else problem[:PROBLEM_LENGTH_MAX]
    store.note(work.connection, credential_id, now=work.now, problem=told, is_refused=is_refused)


@requires(Permission.VAULT_USE)
def note_balance(work: Work, credential_id: int, balance: str) -> None:
    """Write down what an account has to spend."""
    credentials.find(work, credential_id)
    store.note_balance(work.connection, credential_id, balance)


@requires(Permission.VAULT_USE)
def note_lacking(work: Work, credential_id: int, lacking: Sequence[str] | None, *, telling: str) -> None:
    """Write down which permissions a credential needs and does not have; None where the provider does not tell it.

    A credential that was told before has lost the permission for that, which is named ``telling``, and what it had lost
    by then is still gone. Of one that never was nothing is known.
    """
    credentials.find(work, credential_id)
    before = store.lacking(work.connection, credential_id)
    if lacking is None and before is None:
        return
    now = [telling, *(name for name in before or () if name != telling)] if lacking is None else list(lacking)
    if now != before:
        store.note_lacking(work.connection, credential_id, now)
        if now or before:
            work.audit("vault.credential.permissions", credentials.subject(credential_id), lacking=now)


def _begun(work: Work, credential_id: int, every: timedelta, *, is_forced: bool) -> int | None:
    now = work.now
    if not store.begin(work.connection, credential_id, now=now, until=now + every, is_forced=is_forced):
        return None
    return _put(work, credential_id, Kind.LOOK)


def _put(work: Work, credential_id: int, kind: Kind) -> int | None:
    if errand_store.is_waiting(work.connection, credential_id, kind.value):
        return None
    return errands.put(work, kind, {}, secret=None, after=timedelta(0), credential_id=credential_id)
