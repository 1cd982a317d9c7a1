"""Who is calling: the account, what it may do, and how it proved itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keystead.access.permissions import (
    ALL_PERMISSIONS,
    Permission,
    ceiling,
    known_permissions,
    written_permissions,
)
from keystead.kit.errors import Forbidden

DEFAULT_ACCOUNT = "default"


@dataclass(frozen=True)
class Principal:
    """The authenticated caller of one request.

    ``actor`` names it in the audit trail (``token:3 bot``, ``user:1 anna``, ``operator``, ``system``);
    ``confined_to_token`` limits it to the keys that this token issued; ``is_rate_limited`` says that the limits a
    minute of a wire hold it. ``is_house`` says that its account is the installation's own, whose principals alone may
    hold permissions about the installation; ``is_operator`` that it speaks for the machine, which no account's people
    are protected from. ``session_id`` is there when a person signed in.
    """

    account_id: int
    actor: str
    permissions: frozenset[Permission]
    token_id: int | None = None
    user_id: int | None = None
    confined_to_token: int | None = None
    is_rate_limited: bool = True
    is_house: bool = True
    is_operator: bool = False
    session_id: str | None = None

    def check_grant(self, granted: frozenset[Permission]) -> None:
        """Raise Forbidden unless the principal itself holds everything that it is about to give."""
        lacking = written_permissions(granted - self.permissions - {Permission.SIGN_IN})
        if lacking:
            raise Forbidden(f"this credential lacks what it would grant: {', '.join(lacking)}", permission=lacking[0])

    def check_reach(self, held: frozenset[Permission], *, whose: str) -> None:
        """Raise Forbidden when somebody who is about to be changed or kept out may do what the principal may not."""
        within = held & ceiling(is_house=self.is_house) - {Permission.SIGN_IN}
        beyond = written_permissions(within - self.permissions)
        if beyond:
            raise Forbidden(f"{whose} may do what this credential may not: {', '.join(beyond)}", permission=beyond[0])

    def check_house(self, what: str) -> None:
        """Raise Forbidden unless the principal is of the house account."""
        if not self.is_house:
            raise Forbidden(f"{what} concerns the whole installation; only its house account may do that")

    def as_data(self) -> dict[str, Any]:
        """Return the principal as JSON values, for work that goes on when the request is over."""
        names = ("actor", "token_id", "user_id", "confined_to_token", "is_house", "is_operator")
        return {name: getattr(self, name) for name in names} | {"permissions": written_permissions(self.permissions)}


def from_data(account_id: int, data: Mapping[str, Any]) -> Principal:
    """Return the principal that ``as_data`` wrote: it may do what it was allowed to when it asked."""
    permissions = known_permissions(data["permissions"])
    return Principal(account_id, **{**data, "permissions": permissions})


def visitor(account_id: int) -> Principal:
    """Return the principal of whoever has not said yet who it is: it may sign in, and nothing else."""
    return Principal(account_id, "visitor", frozenset({Permission.SIGN_IN}), is_house=False)


def operator(account_id: int) -> Principal:
    """Return the principal of the local socket: the machine's operator, who may do everything."""
    return _of_the_machine(account_id, "operator")


def system(account_id: int) -> Principal:
    """Return the principal of Keystead's own undoing and upkeep."""
    return _of_the_machine(account_id, "system")


def _of_the_machine(account_id: int, actor: str) -> Principal:
    return Principal(
        account_id=account_id, actor=actor, permissions=ALL_PERMISSIONS, is_rate_limited=False, is_operator=True
    )
