"""The verbs of credentials: secrets for outside providers, shown without the secret, changed, used and revealed.

A secret leaves the vault in two ways. ``use`` opens it for a request that Keystead itself makes at the provider;
``reveal`` gives it to a person, has a permission of its own, and writes its audit record before it opens anything.
How a credential comes into being is ``connecting``.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from keystead.access.permissions import Permission, requires
from keystead.access.work import Work
from keystead.kit.errors import Invalid
from keystead.kit.secret import Secret
from keystead.vault.credentialvalue import Credential, Status, checked_alias
from keystead.vault.errors import ConnectedElsewhere, CredentialExpired, CredentialNotFound, CredentialRevoked
from keystead.vault.sealed import CREDENTIAL_SECRET
from keystead.vault.store import credentials as store

REASON_LENGTH_MAX = 200


@dataclass(frozen=True)
class Opened:
    """A credential with its secret, for a request to its provider."""

    credential: Credential
    secret: Secret[str]


@dataclass(frozen=True)
class Changes:
    """What to change about a credential; None stays. ``is_active`` False revokes."""

    alias: str | None = None
    is_active: bool | None = None


@requires(Permission.VAULT_READ)
def list_(work: Work, provider: str | None = None) -> list[Credential]:
    """Return the account's credentials, newest first; only a provider's, when one is named."""
    return store.list_(work.connection, work.principal.account_id, provider)


@requires(Permission.VAULT_READ)
def note_other_account(work: Work, named: str) -> None:
    """Put on record that a caller named another account than its own; it is shown its own all the same."""
    work.audit("vault.credential.list", f"account {named}"[:64], shown=work.principal.account_id)


@requires(Permission.VAULT_READ)
def find(work: Work, credential_id: int) -> Credential:
    """Return a credential; raise CredentialNotFound."""
    return _found(work, credential_id)


@requires(Permission.VAULT_CHANGE)
def rename(work: Work, credential_id: int, alias: str) -> None:
    """Give a credential another alias."""
    before = _found(work, credential_id)
    wanted = checked_alias(alias)
    if wanted != before.alias:
        store.rename(work.connection, credential_id, wanted)
        work.audit("vault.credential.rename", subject(credential_id), before=before.alias, alias=wanted)


@requires(Permission.VAULT_CHANGE)
def revoke(work: Work, credential_id: int) -> None:
    """Stop using a credential; what the provider knows of it stays as it is."""
    if _found(work, credential_id).status is not Status.REVOKED:
        store.set_status(work.connection, credential_id, Status.REVOKED)
        work.audit("vault.credential.revoke", subject(credential_id))


@requires(Permission.VAULT_CHANGE)
def activate(work: Work, credential_id: int) -> None:
    """Use a revoked credential again.

    Raises CredentialExpired after its end, and ConnectedElsewhere when another row holds the external account now.
    """
    before = _found(work, credential_id)
    has_ended = before.expires_at is not None and before.expires_at <= work.now
    if before.status is Status.EXPIRED or has_ended:
        raise CredentialExpired(f"credential {credential_id} has expired; connect again")
    if before.status is Status.ACTIVE:
        return
    try:
        store.set_status(work.connection, credential_id, Status.ACTIVE)
    except IntegrityError as error:
        raise ConnectedElsewhere(
            f"{before.provider} account {before.external_id} is connected by another credential; remove one of them",
            provider=before.provider,
            external_id=before.external_id,
        ) from error
    work.audit("vault.credential.activate", subject(credential_id))


@requires(Permission.VAULT_CHANGE)
def change(work: Work, credential_id: int, changes: Changes) -> Credential:
    """Rename a credential, revoke it or activate it, all at once or not at all."""
    _found(work, credential_id)
    if changes.is_active is not None:
        (activate if changes.is_active else revoke)(work, credential_id)
    if changes.alias is not None:
        rename(work, credential_id, changes.alias)
    return _found(work, credential_id)


@requires(Permission.VAULT_CHANGE)
def remove(work: Work, credential_id: int) -> None:
    """Delete a credential with its zones; domains stay without it, and the provider's own token is not touched."""
    before = _found(work, credential_id)
    store.remove(work.connection, credential_id)
    work.audit(
        "vault.credential.remove", subject(credential_id), provider=before.provider, external_id=before.external_id
    )


@requires(Permission.VAULT_REVEAL)
def reveal(work: Work, credential_id: int, reason: str | None = None) -> Secret[str]:
    """Return the secret to whoever asked for it; the record of it is written before anything is opened."""
    found = _found(work, credential_id)
    told = checked_reason(reason)
    work.audit("vault.credential.reveal", subject(credential_id), provider=found.provider, reason=told)
    return _opened(work, credential_id)


@requires(Permission.VAULT_USE)
def use(work: Work, credential_id: int, provider: str) -> Opened:
    """Open a credential for a request at its provider, and note that it was used.

    Raises CredentialNotFound, also for another provider's, CredentialRevoked and CredentialExpired.
    """
    found = _in_force(work, credential_id, provider)
    store.touch(work.connection, credential_id, work.now)
    return Opened(found, _opened(work, credential_id))


@requires(Permission.VAULT_CONNECT)
def rotatable(work: Work, credential_id: int, provider: str) -> Credential:
    """Return a credential that may get a new secret; raise as ``use`` does."""
    return _in_force(work, credential_id, provider)


@requires(Permission.VAULT_USE)
def note_check(work: Work, credential_id: int, problem: str | None) -> Credential:
    """Put on record what the provider said of the secret: the code of its refusal, or None when it took it."""
    _found(work, credential_id)
    store.note_check(work.connection, credential_id, problem, work.now)
    work.audit("vault.credential.check", subject(credential_id), problem=problem)
    return _found(work, credential_id)


@requires(Permission.VAULT_USE)
def note_end(work: Work, credential_id: int, expires_at: datetime) -> None:
    """Take over when a credential ends as its provider says, where somebody changed that there."""
    before = _found(work, credential_id).expires_at
    if before != expires_at:
        store.set_end(work.connection, credential_id, expires_at)
        work.audit("vault.credential.end", subject(credential_id), before=before, after=expires_at)


@requires(Permission.VAULT_CHANGE)
def expire(work: Work, credential_id: int) -> bool:
    """Set a credential to expired if its end has passed; tell whether this call did. Called by the system."""
    if not store.expire(work.connection, credential_id, work.now):
        return False
    work.audit("vault.credential.expire", subject(credential_id))
    return True


@requires(Permission.VAULT_USE)
def list_due(work: Work) -> list[tuple[int, int]]:
    """Return account and id of every credential, of all accounts, that has ended and does not say so yet."""
    return store.due(work.connection, work.now)


def checked_reason(reason: str | None) -> str | None:
    """Return a reason without space around it, None for an empty one; raise Invalid where it is not printable."""
    told = (reason or "").strip() or None
    if told is not None and (len(told) > REASON_LENGTH_MAX or not told.isprintable()):
        problem = f"a reason has at most {REASON_LENGTH_MAX} printable characters"
        raise Invalid(problem, fields={"reason": problem})
    return told


def subject(credential_id: int) -> str:
    """Return how audit records name a credential."""
    return f"credential {credential_id}"


def _found(work: Work, credential_id: int) -> Credential:
    found = store.find(work.connection, work.principal.account_id, credential_id)
    if found is None:
        raise CredentialNotFound(credential_id)
    return found


def _in_force(work: Work, credential_id: int, provider: str) -> Credential:
    """Return a credential that may be worked with."""
    found = _found(work, credential_id)
    if found.provider != provider:
        raise CredentialNotFound(credential_id)
    match found.status_at(work.now):
        case Status.REVOKED:
            raise CredentialRevoked(f"credential {credential_id} is revoked; activate it first")
        case Status.EXPIRED:
            raise CredentialExpired(f"credential {credential_id} has expired; connect again")
    return found


def _opened(work: Work, credential_id: int) -> Secret[str]:
    sealed = store.sealed(work.connection, credential_id)
    return work.keys.open(sealed, CREDENTIAL_SECRET.place(credential_id))
