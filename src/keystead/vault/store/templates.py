"""Queries of templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from keystead.vault.models import TEMPLATES

T = TEMPLATES.c
_OF_ACCOUNT = T.account_id == bindparam("account")
_ONE = (_OF_ACCOUNT, T.name == bindparam("template"))
_INSERT = insert(TEMPLATES)
_COLUMNS = (T.name, T.body, T.created_at, T.changed_at)
_FIND = select(*_COLUMNS).where(*_ONE)
_LIST = select(*_COLUMNS).where(_OF_ACCOUNT).order_by(T.name)
_UPDATE = (
    update(TEMPLATES)
    .where(*_ONE)
    .values(
        body=bindparam("new_body", type_=T.body.type),
        changed_at=bindparam("at", type_=T.changed_at.type),
    )
)
_REMOVE = delete(TEMPLATES).where(*_ONE)


@dataclass(frozen=True)
class Kept:
    """A template as it is kept."""

    name: str
    body: Mapping[str, Any]
    created_at: datetime
    changed_at: datetime


def find(connection: Connection, account_id: int, name: str) -> Kept | None:
    """Return an account's template by its name."""
    row = connection.execute(_FIND, {"account": account_id, "template": name}).first()
    return None if row is None else Kept(*row)


def list_(connection: Connection, account_id: int) -> list[Kept]:
    """Return an account's templates by name."""
    return [Kept(*row) for row in connection.execute(_LIST, {"account": account_id})]


def put(connection: Connection, account_id: int, name: str, body: Mapping[str, Any], at: datetime) -> bool:
    """Insert a template or replace what it says; return whether it is new."""
    values = {"account": account_id, "template": name, "new_body": body, "at": at}
    if connection.execute(_UPDATE, values).rowcount:
        return False
    row = {"account_id": account_id, "name": name, "body": body, "created_at": at, "changed_at": at}
    connection.execute(_INSERT, row)
    return True


def remove(connection: Connection, account_id: int, name: str) -> bool:
    """Delete a template; return whether there was one."""
    return connection.execute(_REMOVE, {"account": account_id, "template": name}).rowcount == 1
