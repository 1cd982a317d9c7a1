"""Queries of one-time links."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from keystead.access.models import ONE_TIME_LINKS
from keystead.db.types import AnyRow
from keystead.kit.page import Page


class Purpose(StrEnum):
    """What a link is for; it stands in its secret too, as in ``ks_invite_…``."""

    INVITE = "invite"
    REGISTER = "register"
    RESET = "reset"


@dataclass(frozen=True)
class Link:
    """A secret that a person uses once, without the secret."""

    id: int
    purpose: Purpose
    account_id: int | None
    user_id: int | None
    login: str
    role: str | None
    password_hash: str | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


_C = ONE_TIME_LINKS.c
_COLUMNS = [column for column in _C if column.name != "fingerprint"]
_INSERT = insert(ONE_TIME_LINKS).returning(_C.id)
_IS_OPEN = (_C.used_at.is_(None), _C.expires_at > bindparam("now"))
_BY_FINGERPRINT = select(*_COLUMNS).where(
    _C.fingerprint == bindparam("digest"), _C.purpose == bindparam("wanted"), *_IS_OPEN
)
_USE = update(ONE_TIME_LINKS).where(_C.id == bindparam("link_id"), _C.used_at.is_(None)).values(used_at=bindparam("at"))
_OF_ACCOUNT = select(*_COLUMNS).where(
    _C.account_id == bindparam("of_account"), _C.purpose == bindparam("wanted"), *_IS_OPEN
)
_LIST = _OF_ACCOUNT.where(_C.id > bindparam("after")).order_by(_C.id).limit(bindparam("limit"))
_ONE = _OF_ACCOUNT.where(_C.id == bindparam("link_id"))
_DROP_OF_ACCOUNT = delete(ONE_TIME_LINKS).where(
    _C.account_id == bindparam("of_account"),
    _C.purpose == bindparam("wanted"),
    _C.login == bindparam("for_login"),
    _C.used_at.is_(None),
)
_DROP_OF_USER = delete(ONE_TIME_LINKS).where(
    _C.user_id == bindparam("holder"), _C.purpose == bindparam("wanted"), _C.used_at.is_(None)
)
_DROP = delete(ONE_TIME_LINKS).where(_C.id == bindparam("link_id"))
_PURGE = delete(ONE_TIME_LINKS).where(_C.expires_at < bindparam("before"))


def insert_link(connection: Connection, values: dict[str, Any]) -> int:
    """Insert a row and return its id."""
    return int(connection.execute(_INSERT, values).scalar_one())


def open_one(connection: Connection, fingerprint: str, purpose: Purpose, now: datetime) -> Link | None:
    """Return a link of a purpose that can still be used."""
    values = {"digest": fingerprint, "wanted": purpose.value, "now": now}
    row = connection.execute(_BY_FINGERPRINT, values).first()
    return None if row is None else _link(row)


def use(connection: Connection, link_id: int, at: datetime) -> bool:
    """Use a link up; return whether it was unused."""
    return connection.execute(_USE, {"link_id": link_id, "at": at}).rowcount == 1


def open_of_account(
    connection: Connection, account_id: int, purpose: Purpose, now: datetime, wanted: Page
) -> list[Link]:
    """Return a page of an account's links that can still be used."""
    values = {"of_account": account_id, "wanted": purpose.value, "now": now, "after": wanted.after}
    return [_link(row) for row in connection.execute(_LIST, values | {"limit": wanted.limit})]


def one_of_account(
    connection: Connection, account_id: int, purpose: Purpose, now: datetime, link_id: int
) -> Link | None:
    """Return one of them."""
    values = {"of_account": account_id, "wanted": purpose.value, "now": now, "link_id": link_id}
    row = connection.execute(_ONE, values).first()
    return None if row is None else _link(row)


def drop_of_account(connection: Connection, account_id: int, purpose: Purpose, login: str) -> int:
    """Delete an account's unused links for a login; return how many."""
    values = {"of_account": account_id, "wanted": purpose.value, "for_login": login}
    return connection.execute(_DROP_OF_ACCOUNT, values).rowcount


def drop_of_user(connection: Connection, user_id: int, purpose: Purpose) -> int:
    """Delete a user's unused links; return how many."""
    return connection.execute(_DROP_OF_USER, {"holder": user_id, "wanted": purpose.value}).rowcount


def drop(connection: Connection, link_id: int) -> None:
    """Delete a link."""
    connection.execute(_DROP, {"link_id": link_id})


def purge(connection: Connection, before: datetime) -> int:
    """Delete what expired before a moment; return how many."""
    return connection.execute(_PURGE, {"before": before}).rowcount


def _link(row: AnyRow) -> Link:
    values = {column.name: getattr(row, column.name) for column in _COLUMNS}
    return Link(**values | {"purpose": Purpose(row.purpose)})
