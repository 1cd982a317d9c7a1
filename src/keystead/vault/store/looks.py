"""Queries of looks: which credentials are looked at when, and what was found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, or_, select, update

from keystead.db.absent import InsertIfAbsent
from keystead.vault.credentialvalue import Status
from keystead.vault.models import CREDENTIALS, LOOKS

C, L = CREDENTIALS.c, LOOKS.c
_ONE = L.credential_id == bindparam("credential")
_NOW = bindparam("now", type_=L.due_at.type)
_UNTIL = bindparam("until", type_=L.due_at.type)
_IS_ACTIVE = C.status == Status.ACTIVE.value

_DUE = (
    select(C.account_id, C.id)
    .outerjoin(LOOKS, L.credential_id == C.id)
    .where(
        _IS_ACTIVE,
        C.provider.in_(bindparam("providers", expanding=True)),
        or_(L.due_at.is_(None), L.due_at <= _NOW),
    )
    .order_by(C.id)
)
_ADD = InsertIfAbsent(LOOKS)
_BEGIN_DUE = update(LOOKS).where(_ONE, L.due_at <= _NOW).values(due_at=_UNTIL)
_BEGIN = update(LOOKS).where(_ONE).values(due_at=_UNTIL)
_NOTE = (
    update(LOOKS)
    .where(_ONE)
    .values(looked_at=_NOW, problem=bindparam("new_problem"), is_refused=bindparam("new_is_refused"))
)
_NOTE_BALANCE = update(LOOKS).where(_ONE).values(balance=bindparam("new_balance"))
_NOTE_LACKING = update(LOOKS).where(_ONE).values(lacking=bindparam("new_lacking", type_=L.lacking.type))
_FORGET_LACKING = update(LOOKS).where(_ONE).values(lacking=None, due_at=_NOW)
_LACKING = select(L.lacking).where(_ONE)
_OF_ACCOUNT = (
    select(L.credential_id, L.due_at, L.looked_at, L.problem, L.is_refused, L.balance, L.lacking)
    .join(CREDENTIALS, C.id == L.credential_id)
    .where(C.account_id == bindparam("account"))
)

_TROUBLED = (
    select(C.id, C.alias, C.provider, L.is_refused, L.problem, L.lacking)
    .join(LOOKS, L.credential_id == C.id)
    .where(_IS_ACTIVE, or_(L.is_refused.is_(True), L.lacking.is_not(None)))
    .order_by(C.id)
)


@dataclass(frozen=True)
class Look:
    """What the last look at a credential found; ``problem`` is why the credential could not be used.

    ``lacking`` are the permissions that it needs and has lost; None where nobody can tell.
    """

    credential_id: int
    due_at: datetime
    looked_at: datetime | None
    problem: str | None
    is_refused: bool
    balance: str | None
    lacking: list[str] | None


@dataclass(frozen=True)
class Trouble:
    """A credential that is refused, or lacks what it needs; ``told`` says which in a few words."""

    id: int
    alias: str
    provider: str
    told: str


def due(connection: Connection, providers: Sequence[str], now: datetime) -> list[tuple[int, int]]:
    """Return account and id of every active credential of these providers that has to be looked at."""
    values = {"providers": list(providers), "now": now}
    return [(row.account_id, row.id) for row in connection.execute(_DUE, values)]


def begin(connection: Connection, credential_id: int, *, now: datetime, until: datetime, is_forced: bool) -> bool:
    """Take the next look at a credential; return False when it is not due, or somebody else has taken it."""
    _ADD.run(connection, {"credential_id": credential_id, "due_at": now, "is_refused": False})
    values = {"credential": credential_id, "until": until}
    statement, more = (_BEGIN, {}) if is_forced else (_BEGIN_DUE, {"now": now})
    return connection.execute(statement, {**values, **more}).rowcount == 1


def note(connection: Connection, credential_id: int, *, now: datetime, problem: str | None, is_refused: bool) -> None:
    """Write down how a look went."""
    values = {"credential": credential_id, "now": now, "new_problem": problem, "new_is_refused": is_refused}
    connection.execute(_NOTE, values)


def note_balance(connection: Connection, credential_id: int, balance: str) -> None:
    """Write down what an account has to spend."""
    connection.execute(_NOTE_BALANCE, {"credential": credential_id, "new_balance": balance})


def lacking(connection: Connection, credential_id: int) -> list[str] | None:
    """Return which permissions a credential has lost, as it was found last."""
    found: list[str] | None = connection.execute(_LACKING, {"credential": credential_id}).scalar()
    return found


def note_lacking(connection: Connection, credential_id: int, names: Sequence[str]) -> None:
    """Write down which permissions a credential has lost."""
    connection.execute(_NOTE_LACKING, {"credential": credential_id, "new_lacking": list(names)})


def forget_lacking(connection: Connection, credential_id: int, now: datetime) -> None:
    """Let nothing be known of a credential's permissions, and let it be looked at: it has another secret."""
    connection.execute(_FORGET_LACKING, {"credential": credential_id, "now": now})


def of_account(connection: Connection, account_id: int) -> dict[int, Look]:
    """Return the looks at an account's credentials, by credential."""
    return {row.credential_id: Look(*row) for row in connection.execute(_OF_ACCOUNT, {"account": account_id})}


def troubles(connection: Connection) -> list[Trouble]:
    """Return the active credentials, of all accounts, that are refused or have lost a permission."""
    found = []
    for row in connection.execute(_TROUBLED):
        if row.is_refused:
            found.append(Trouble(row.id, row.alias, row.provider, f"is refused: {row.problem}"))
        elif row.lacking:
            found.append(Trouble(row.id, row.alias, row.provider, f"lacks {', '.join(row.lacking)}"))
    return found
