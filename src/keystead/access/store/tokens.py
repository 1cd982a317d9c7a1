"""Queries of tokens."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, insert, null, or_, select, update

from keystead.access.models import ACCOUNTS, TOKENS, USERS
from keystead.access.permissions import Permission, known_permissions
from keystead.db.types import AnyRow
from keystead.kit.page import Page


class TokenKind(StrEnum):
    """What a token is for; it stands in the token itself, as in ``ks_api_…``."""

    API = "api"
    VEIL = "veil"
    SUB = "sub"
    ENV = "env"


@dataclass(frozen=True)
class Token:
    """A credential for Keystead, without its secret."""

    id: int
    account_id: int
    user_id: int | None
    name: str
    kind: TokenKind
    hint: str
    permissions: frozenset[Permission]
    addresses: tuple[str, ...]
    is_confined: bool
    is_rate_limited: bool
    is_owner: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


_COLUMNS = [column for column in TOKENS.c if column.name != "fingerprint"]

_INSERT = insert(TOKENS).returning(TOKENS.c.id)
_FIND = select(*_COLUMNS).where(TOKENS.c.id == bindparam("token_id"), TOKENS.c.account_id == bindparam("account_id"))
_LIST = (
    select(*_COLUMNS)
    .where(TOKENS.c.account_id == bindparam("account_id"), TOKENS.c.id > bindparam("after"))
    .order_by(TOKENS.c.id)
    .limit(bindparam("limit"))
)
_BY_FINGERPRINT = (
    select(
        *_COLUMNS,
        USERS.c.is_active.label("user_is_active"),
        ACCOUNTS.c.is_active.label("account_is_active"),
        ACCOUNTS.c.is_house,
    )
    .join(ACCOUNTS, ACCOUNTS.c.id == TOKENS.c.account_id)
    .outerjoin(USERS, USERS.c.id == TOKENS.c.user_id)
    .where(TOKENS.c.fingerprint == bindparam("fingerprint"))
)
_REVOKE = (
    update(TOKENS)
    .where(TOKENS.c.id == bindparam("token_id"), TOKENS.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"))
)
_REVOKE_OF_USER = (
    update(TOKENS)
    .where(
        TOKENS.c.user_id == bindparam("holder"),
        TOKENS.c.account_id == bindparam("of_account"),
        TOKENS.c.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("at"))
)
_MAKE_OWNER = update(TOKENS).where(TOKENS.c.id == bindparam("token_id")).values(is_owner=True)
_LIFT_LIMITS = update(TOKENS).where(TOKENS.c.id == bindparam("token_id")).values(is_rate_limited=False)
_REINSTATE = update(TOKENS).where(TOKENS.c.id == bindparam("token_id")).values(revoked_at=null())
_LIVE_OF_KIND = (
    select(*_COLUMNS)
    .where(
        TOKENS.c.account_id == bindparam("account_id"),
        TOKENS.c.kind == bindparam("kind"),
        TOKENS.c.revoked_at.is_(None),
    )
    .order_by(TOKENS.c.id)
)
_TOUCH = (
    update(TOKENS)
    .where(
        TOKENS.c.id == bindparam("token_id"),
        or_(TOKENS.c.last_used_at.is_(None), TOKENS.c.last_used_at < bindparam("at")),
    )
    .values(last_used_at=bindparam("at"))
)


def insert_token(connection: Connection, values: dict[str, Any]) -> int:
    """Insert a row and return its id."""
    return int(connection.execute(_INSERT, values).scalar_one())


def find(connection: Connection, account_id: int, token_id: int) -> Token | None:
    """Return a token of an account."""
    row = connection.execute(_FIND, {"account_id": account_id, "token_id": token_id}).first()
    return None if row is None else _token(row)


def page(connection: Connection, account_id: int, wanted: Page) -> list[Token]:
    """Return a page of the account's tokens in order of their ids."""
    rows = connection.execute(_LIST, {"account_id": account_id, "after": wanted.after, "limit": wanted.limit})
    return [_token(row) for row in rows]


@dataclass(frozen=True)
class Presented:
    """A token with what decides whether it opens anything: its user, if it has one, and its account."""

    token: Token
    is_admitted: bool
    is_house: bool


def by_fingerprint(connection: Connection, fingerprint: str) -> Presented | None:
    """Return the token with a fingerprint, revoked or not."""
    row = connection.execute(_BY_FINGERPRINT, {"fingerprint": fingerprint}).first()
    if row is None:
        return None
    is_user_active = row.user_id is None or bool(row.user_is_active)
    return Presented(_token(row), bool(is_user_active and row.account_is_active), bool(row.is_house))


def live_of_kind(connection: Connection, account_id: int, kind: TokenKind) -> list[Token]:
    """Return the account's tokens of a kind that are not revoked."""
    rows = connection.execute(_LIVE_OF_KIND, {"account_id": account_id, "kind": kind.value})
    return [_token(row) for row in rows]


def revoke(connection: Connection, token_id: int, at: datetime) -> bool:
    """Revoke a token; return whether it was live."""
    return connection.execute(_REVOKE, {"token_id": token_id, "at": at}).rowcount == 1


def revoke_of_user(connection: Connection, account_id: int, user_id: int, at: datetime) -> int:
    """Revoke a user's tokens in an account; return how many were live."""
    values = {"holder": user_id, "of_account": account_id, "at": at}
    return connection.execute(_REVOKE_OF_USER, values).rowcount


def make_owner(connection: Connection, token_id: int) -> None:
    """Let a token do whatever an owner of its account may."""
    connection.execute(_MAKE_OWNER, {"token_id": token_id})


def lift_limits(connection: Connection, token_id: int) -> None:
    """Hold a token to no limits a minute."""
    connection.execute(_LIFT_LIMITS, {"token_id": token_id})


def reinstate(connection: Connection, token_id: int) -> None:
    """Take a revocation back."""
    connection.execute(_REINSTATE, {"token_id": token_id})


def touch(connection: Connection, used: Iterable[tuple[int, datetime]]) -> None:
    """Note when tokens were last used; an older moment never replaces a newer one."""
    rows = [{"token_id": token_id, "at": at} for token_id, at in used]
    if rows:
        connection.execute(_TOUCH, rows)


def _token(row: AnyRow) -> Token:
    return Token(
        id=row.id,
        account_id=row.account_id,
        user_id=row.user_id,
        name=row.name,
        kind=TokenKind(row.kind),
        hint=row.hint,
        permissions=known_permissions(row.permissions),
        addresses=tuple(row.addresses),
        is_confined=row.is_confined,
        is_rate_limited=row.is_rate_limited,
        is_owner=row.is_owner,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
