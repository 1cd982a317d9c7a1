"""Who may rotate the keys that seal secrets, and the records of it; ``rotation`` does the work."""

from keystead.access.permissions import Permission, requires
from keystead.access.rotation import Rotated
from keystead.access.work import Work

_SUBJECT = "keys of secrets"


@requires(Permission.SECRETS_ROTATE)
def begin_rotation(work: Work) -> None:
    """Record that a rotation begins; a cut one is finished by the next."""
    work.audit("access.secrets.rotate.begin", _SUBJECT)


@requires(Permission.SECRETS_ROTATE)
def end_rotation(work: Work, done: Rotated) -> None:
    """Record that a rotation is complete, and the public name of the root key that holds from now on."""
    work.audit(
        "access.secrets.rotate",
        _SUBJECT,
        root_key=done.root.name,
        resealed=done.resealed,
        keys_deleted=done.keys_deleted,
    )
