"""Who is calling: the account, what it may do, and how it proved itself."""

from dataclasses import dataclass

from keystead.access.permissions import ALL_PERMISSIONS, Permission, written_permissions
from keystead.kit.errors import Forbidden

DEFAULT_ACCOUNT = "default"


@dataclass(frozen=True)
class Principal:
    """The authenticated caller of one request.

    ``actor`` names it in the audit trail (``token:3 bot``, ``user:1 anna``, ``operator``, ``system``);
    ``confined_to_token`` limits it to the keys that this token issued; ``is_rate_limited`` says that the limits a
    minute of a wire hold it.
    """

    account_id: int
    actor: str
    permissions: frozenset[Permission]
    token_id: int | None = None
    user_id: int | None = None
    confined_to_token: int | None = None
    is_rate_limited: bool = True

    def check_grant(self, granted: frozenset[Permission]) -> None:
        """Raise Forbidden unless the principal itself holds everything that it is about to give."""
        lacking = written_permissions(granted - self.permissions)
        if lacking:
            raise Forbidden(f"this credential lacks what it would grant: {', '.join(lacking)}", permission=lacking[0])


def operator(account_id: int) -> Principal:
    """Return the principal of the local socket: the machine's operator, who may do everything."""
    return Principal(account_id=account_id, actor="operator", permissions=ALL_PERMISSIONS, is_rate_limited=False)


def system(account_id: int) -> Principal:
    """Return the principal of Keystead's own undoing and upkeep."""
    return Principal(account_id=account_id, actor="system", permissions=ALL_PERMISSIONS, is_rate_limited=False)
