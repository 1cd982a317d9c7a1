"""Queries of second factors and recovery codes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from keystead.access.models import RECOVERY_CODES, SECOND_FACTORS


@dataclass(frozen=True)
class SecondFactor:
    """A user's second factor; one that is not confirmed is asked of nobody."""

    user_id: int
    secret: str
    confirmed_at: datetime | None
    last_step: int


_F, _R = SECOND_FACTORS.c, RECOVERY_CODES.c
_FIND = select(SECOND_FACTORS).where(_F.user_id == bindparam("holder"))
_INSERT = insert(SECOND_FACTORS)
_DELETE = delete(SECOND_FACTORS).where(_F.user_id == bindparam("holder"))
_CONFIRM = update(SECOND_FACTORS).where(_F.user_id == bindparam("holder")).values(confirmed_at=bindparam("at"))
_USE_STEP = (
    update(SECOND_FACTORS)
    .where(_F.user_id == bindparam("holder"), _F.last_step < bindparam("step"))
    .values(last_step=bindparam("step"))
)
_ADD_CODE = insert(RECOVERY_CODES)
_DROP_CODES = delete(RECOVERY_CODES).where(_R.user_id == bindparam("holder"))
_USE_CODE = (
    update(RECOVERY_CODES)
    .where(_R.user_id == bindparam("holder"), _R.fingerprint == bindparam("digest"), _R.used_at.is_(None))
    .values(used_at=bindparam("at"))
)
_COUNT_CODES = (
    select(func.count()).select_from(RECOVERY_CODES).where(_R.user_id == bindparam("holder"), _R.used_at.is_(None))
)


def find(connection: Connection, user_id: int) -> SecondFactor | None:
    """Return a user's second factor."""
    row = connection.execute(_FIND, {"holder": user_id}).first()
    return None if row is None else SecondFactor(row.user_id, row.secret, row.confirmed_at, row.last_step)


def replace(connection: Connection, user_id: int, secret: str) -> None:
    """Put an unconfirmed second factor in the place of whatever there was."""
    remove(connection, user_id)
    values = {"user_id": user_id, "secret": secret, "confirmed_at": None, "last_step": 0}
    connection.execute(_INSERT, values)


def remove(connection: Connection, user_id: int) -> bool:
    """Delete a user's second factor and its recovery codes; return whether there was one."""
    connection.execute(_DROP_CODES, {"holder": user_id})
    return connection.execute(_DELETE, {"holder": user_id}).rowcount == 1


def confirm(connection: Connection, user_id: int, at: datetime) -> None:
    """Ask a second factor of a user from now on."""
    connection.execute(_CONFIRM, {"holder": user_id, "at": at})


def use_step(connection: Connection, user_id: int, step: int) -> bool:
    """Use up a time step and all before it; return whether it was not used yet."""
    return connection.execute(_USE_STEP, {"holder": user_id, "step": step}).rowcount == 1


def replace_codes(connection: Connection, user_id: int, fingerprints: Iterable[str]) -> None:
    """Put recovery codes in the place of those a user had."""
    connection.execute(_DROP_CODES, {"holder": user_id})
    rows = [{"user_id": user_id, "fingerprint": digest, "used_at": None} for digest in fingerprints]
    connection.execute(_ADD_CODE, rows)


def use_code(connection: Connection, user_id: int, digest: str, at: datetime) -> bool:
    """Use up a recovery code; return whether it was one that had not been used."""
    return connection.execute(_USE_CODE, {"holder": user_id, "digest": digest, "at": at}).rowcount == 1


def count_codes(connection: Connection, user_id: int) -> int:
    """Return how many recovery codes are left."""
    return int(connection.execute(_COUNT_CODES, {"holder": user_id}).scalar_one())
