"""Queries of credentials."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from keystead.db.types import AnyRow
from keystead.vault.credentialvalue import Credential, Status
from keystead.vault.models import CREDENTIALS

C = CREDENTIALS.c
_HELD = (Status.ACTIVE.value, Status.PENDING.value)
_SHOWN = [column for column in CREDENTIALS.c if column.name not in {"secret", "holds", "reservation", "reserved_until"}]
_ONE = C.id == bindparam("credential")
_OF_ACCOUNT = C.account_id == bindparam("account")
_IS_OF = (C.provider == bindparam("of_provider"), C.external_id == bindparam("external"))
_IS_HOLDING = (C.provider == bindparam("of_provider"), C.holds == bindparam("external"))
_NOW = bindparam("now", type_=C.expires_at.type)
_IS_DUE = (C.status == Status.ACTIVE.value, C.expires_at <= _NOW)

_INSERT = insert(CREDENTIALS).returning(C.id)
_FIND = select(*_SHOWN).where(_ONE, _OF_ACCOUNT, C.status != Status.PENDING.value)
_SEALED = select(C.secret).where(_ONE)
_LIST = select(*_SHOWN).where(_OF_ACCOUNT, C.status != Status.PENDING.value).order_by(C.created_at.desc(), C.id.desc())
_LIST_OF = _LIST.where(C.provider == bindparam("of_provider"))
_HOLDER = select(*_SHOWN, C.reservation, C.reserved_until).where(*_IS_HOLDING)
_HELD_BY_ACCOUNT = (
    select(*_SHOWN).where(_OF_ACCOUNT, C.provider == bindparam("of_provider"), C.holds.is_not(None)).order_by(C.id)
)
_COUNT_HELD = select(func.count(func.distinct(C.external_id))).where(
    _OF_ACCOUNT, C.provider == bindparam("of_provider"), C.holds.is_not(None)
)
_RESERVE = (
    update(CREDENTIALS)
    .where(_ONE)
    .values(reservation=bindparam("new_reservation"), reserved_until=bindparam("until", type_=C.reserved_until.type))
)
_IS_MINE = C.reservation == bindparam("mine")
_ACTIVATE = (
    update(CREDENTIALS)
    .where(_ONE, _IS_MINE)
    .values(
        status=Status.ACTIVE.value,
        alias=bindparam("new_alias"),
        scope=bindparam("new_scope", type_=C.scope.type),
        secret=bindparam("new_secret"),
        expires_at=bindparam("new_expires_at", type_=C.expires_at.type),
        profile=bindparam("new_profile"),
        reservation=None,
        reserved_until=None,
    )
)
_RELEASE_NEW = delete(CREDENTIALS).where(_ONE, _IS_MINE, C.status == Status.PENDING.value)
_RELEASE_HELD = update(CREDENTIALS).where(_ONE, _IS_MINE).values(reservation=None, reserved_until=None)
_RENAME = update(CREDENTIALS).where(_ONE).values(alias=bindparam("new_alias"))
_LET_GO = update(CREDENTIALS).where(_ONE).values(status=bindparam("new_status"), holds=None)
_HOLD = update(CREDENTIALS).where(_ONE).values(status=bindparam("new_status"), holds=C.external_id)
_TOUCH = update(CREDENTIALS).where(_ONE).values(last_used_at=_NOW)
_SET_END = update(CREDENTIALS).where(_ONE).values(expires_at=bindparam("new_expires_at", type_=C.expires_at.type))
_NOTE_CHECK = update(CREDENTIALS).where(_ONE).values(checked_at=_NOW, problem=bindparam("new_problem"))
_REMOVE = delete(CREDENTIALS).where(_ONE)
_REMOVE_DEAD = delete(CREDENTIALS).where(
    _OF_ACCOUNT, *_IS_OF, C.status.in_((Status.EXPIRED.value, Status.REVOKED.value))
)
_DUE = select(C.account_id, C.id).where(*_IS_DUE).order_by(C.id)
_EXPIRE_ONE = update(CREDENTIALS).where(_ONE, *_IS_DUE).values(status=Status.EXPIRED.value, holds=None)


def insert_pending(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert a row without its secret and return its id; raise IntegrityError when the external account is held."""
    row = {"status": Status.PENDING.value, "scope": {}, "holds": values["external_id"], **values}
    return int(connection.execute(_INSERT, row).scalar_one())


def find(connection: Connection, account_id: int, credential_id: int) -> Credential | None:
    """Return a credential of an account; one that is only being connected is not seen."""
    row = connection.execute(_FIND, {"credential": credential_id, "account": account_id}).first()
    return None if row is None else _credential(row)


def sealed(connection: Connection, credential_id: int) -> str:
    """Return the sealed secret of a credential."""
    return str(connection.execute(_SEALED, {"credential": credential_id}).scalar_one())


def list_(connection: Connection, account_id: int, provider: str | None) -> list[Credential]:
    """Return an account's credentials, newest first; only a provider's, when one is named."""
    if provider is None:
        return [_credential(row) for row in connection.execute(_LIST, {"account": account_id})]
    rows = connection.execute(_LIST_OF, {"account": account_id, "of_provider": provider})
    return [_credential(row) for row in rows]


def holder(connection: Connection, provider: str, external_id: str) -> tuple[Credential, datetime | None] | None:
    """Return who holds an external account, in whatever account of ours, and until when it is being connected."""
    row = connection.execute(_HOLDER, {"of_provider": provider, "external": external_id}).first()
    return None if row is None else (_credential(row), row.reserved_until)


def held(connection: Connection, account_id: int, provider: str) -> list[Credential]:
    """Return what an account holds at a provider, what is being connected included."""
    rows = connection.execute(_HELD_BY_ACCOUNT, {"account": account_id, "of_provider": provider})
    return [_credential(row) for row in rows]


def count_held(connection: Connection, account_id: int, provider: str) -> int:
    """Count the external accounts that an account holds at a provider."""
    return int(connection.execute(_COUNT_HELD, {"account": account_id, "of_provider": provider}).scalar_one())


def reserve(connection: Connection, credential_id: int, reservation: str, until: datetime) -> None:
    """Note who is connecting a credential, and until when nobody else may."""
    connection.execute(_RESERVE, {"credential": credential_id, "new_reservation": reservation, "until": until})


def activate(connection: Connection, credential_id: int, reservation: str, values: Mapping[str, Any]) -> bool:
    """Put a secret into a row that is reserved; return False, with nothing done, when it is somebody else's by now."""
    named = {"credential": credential_id, "mine": reservation, **values}
    return connection.execute(_ACTIVATE, named).rowcount == 1


def release(connection: Connection, credential_id: int, reservation: str) -> None:
    """Give up a reservation: a row that was made for it goes, one that was active before is as it was."""
    mine = {"credential": credential_id, "mine": reservation}
    connection.execute(_RELEASE_NEW, mine)
    connection.execute(_RELEASE_HELD, mine)


def rename(connection: Connection, credential_id: int, alias: str) -> None:
    """Set an alias."""
    connection.execute(_RENAME, {"credential": credential_id, "new_alias": alias})


def set_status(connection: Connection, credential_id: int, status: Status) -> None:
    """Set a status; raise IntegrityError when another row holds the external account."""
    statement = _HOLD if status.value in _HELD else _LET_GO
    connection.execute(statement, {"credential": credential_id, "new_status": status.value})


def touch(connection: Connection, credential_id: int, now: datetime) -> None:
    """Note that a credential was used."""
    connection.execute(_TOUCH, {"credential": credential_id, "now": now})


def note_check(connection: Connection, credential_id: int, problem: str | None, now: datetime) -> None:
    """Note what a provider said of a secret when it was asked."""
    connection.execute(_NOTE_CHECK, {"credential": credential_id, "new_problem": problem, "now": now})


def set_end(connection: Connection, credential_id: int, expires_at: datetime) -> None:
    """Write down when a credential ends."""
    connection.execute(_SET_END, {"credential": credential_id, "new_expires_at": expires_at})


def remove(connection: Connection, credential_id: int) -> None:
    """Delete a credential; its zones go with it, its domains stay."""
    connection.execute(_REMOVE, {"credential": credential_id})


def remove_dead(connection: Connection, account_id: int, provider: str, external_id: str) -> int:
    """Delete an account's expired and revoked rows of an external account; return how many."""
    named = {"account": account_id, "of_provider": provider, "external": external_id}
    return connection.execute(_REMOVE_DEAD, named).rowcount


def due(connection: Connection, now: datetime) -> list[tuple[int, int]]:
    """Return account and id of every active credential whose expiry has passed."""
    return [(row.account_id, row.id) for row in connection.execute(_DUE, {"now": now})]


def expire(connection: Connection, credential_id: int, now: datetime) -> bool:
    """Set a credential's status to expired if its time has passed; tell whether it was set."""
    return connection.execute(_EXPIRE_ONE, {"credential": credential_id, "now": now}).rowcount == 1


def _credential(row: AnyRow) -> Credential:
    return Credential(
        id=row.id,
        account_id=row.account_id,
        provider=row.provider,
        alias=row.alias,
        external_id=row.external_id,
        status=Status(row.status),
        scope=row.scope,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        created_at=row.created_at,
        checked_at=row.checked_at,
        problem=row.problem,
        profile=row.profile,
    )
