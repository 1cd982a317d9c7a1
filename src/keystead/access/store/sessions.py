"""Queries of sessions and of the keys that sign access tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from keystead.access.models import SESSIONS, SIGNING_KEYS, USERS
from keystead.access.store.users import User
from keystead.db.types import AnyRow


@dataclass(frozen=True)
class Session:
    """One sign-in of one person; ``generation`` is that of the refresh token that opens it now."""

    id: str
    user_id: int
    account_id: int
    chain_key: str
    generation: int
    rotated_at: datetime
    replaced: list[int]
    created_at: datetime
    expires_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    ended_because: str | None
    address: str
    user_agent: str

    def is_live(self, now: datetime) -> bool:
        """Tell whether somebody is signed in by it."""
        return self.ended_at is None and now < self.expires_at


@dataclass(frozen=True)
class StoredSigningKey:
    """A key that signs access tokens, sealed."""

    kid: str
    secret: str
    created_at: datetime
    retired_at: datetime | None


_C = SESSIONS.c
_INSERT = insert(SESSIONS)
_SESSION = select(SESSIONS).where(_C.id == bindparam("session_id"))
_WITH_USER = (
    select(
        SESSIONS,
        USERS.c.account_id.label("home"),
        USERS.c.login,
        USERS.c.is_active,
        USERS.c.created_at.label("user_created_at"),
    )
    .join(USERS, USERS.c.id == _C.user_id)
    .where(_C.id == bindparam("session_id"))
)
_FOR_REFRESH = _WITH_USER.with_for_update(of=SESSIONS)
_LIVE_OF_USER = (
    select(SESSIONS)
    .where(_C.user_id == bindparam("user_id"), _C.ended_at.is_(None), _C.expires_at > bindparam("now"))
    .order_by(_C.created_at.desc(), _C.id)
)
_FROM_PLACE = (
    select(_C.id)
    .join(USERS, USERS.c.id == _C.user_id)
    .where(USERS.c.login == bindparam("login"), _C.address == bindparam("address"), _C.created_at > bindparam("since"))
    .limit(1)
)
_ROTATE = (
    update(SESSIONS)
    .where(_C.id == bindparam("session_id"), _C.generation == bindparam("before"), _C.ended_at.is_(None))
    .values(
        generation=bindparam("after"),
        rotated_at=bindparam("at"),
        replaced=bindparam("moments", type_=_C.replaced.type),
        expires_at=bindparam("until"),
        account_id=bindparam("new_account_id"),
        address=bindparam("new_address"),
        user_agent=bindparam("new_user_agent"),
    )
)
_SWITCH = update(SESSIONS).where(_C.id == bindparam("session_id")).values(account_id=bindparam("new_account_id"))
_ENDING = (
    update(SESSIONS).where(_C.ended_at.is_(None)).values(ended_at=bindparam("at"), ended_because=bindparam("reason"))
)
_END = _ENDING.where(_C.id == bindparam("session_id"))
_END_OF_USER = _ENDING.where(
    _C.user_id == bindparam("holder"),
    or_(bindparam("kept", type_=_C.id.type).is_(None), _C.id != bindparam("kept", type_=_C.id.type)),
)
_PURGE = delete(SESSIONS).where(_C.expires_at < bindparam("before"))

_K = SIGNING_KEYS.c
_ADD_KEY = insert(SIGNING_KEYS)
_KEYS = select(SIGNING_KEYS).order_by(_K.created_at.desc(), _K.kid)
_RETIRE_KEYS = update(SIGNING_KEYS).where(_K.retired_at.is_(None)).values(retired_at=bindparam("at"))
_PURGE_KEYS = delete(SIGNING_KEYS).where(_K.retired_at.is_not(None), _K.retired_at <= bindparam("before"))


def insert_session(connection: Connection, values: dict[str, Any]) -> None:
    """Insert a row."""
    connection.execute(_INSERT, values)


def session(connection: Connection, session_id: str) -> Session | None:
    """Return a session, ended or not."""
    row = connection.execute(_SESSION, {"session_id": session_id}).first()
    return None if row is None else _session(row)


def with_user(connection: Connection, session_id: str) -> tuple[Session, User] | None:
    """Return a session and whose it is."""
    return _session_and_user(connection.execute(_WITH_USER, {"session_id": session_id}).first())


def for_refresh(connection: Connection, session_id: str) -> tuple[Session, User] | None:
    """Return the same for a change: whoever refreshes at the same moment waits and then sees what was changed."""
    return _session_and_user(connection.execute(_FOR_REFRESH, {"session_id": session_id}).first())


def live_of_user(connection: Connection, user_id: int, now: datetime) -> list[Session]:
    """Return a user's sessions that somebody is signed in by, newest first."""
    return [_session(row) for row in connection.execute(_LIVE_OF_USER, {"user_id": user_id, "now": now})]


def has_from_place(connection: Connection, login: str, address: str, since: datetime) -> bool:
    """Tell whether a login has signed in from an address since then."""
    return connection.execute(_FROM_PLACE, {"login": login, "address": address, "since": since}).first() is not None


def rotate(connection: Connection, session_id: str, before: int, values: dict[str, Any]) -> bool:
    """Move a session one generation on; return whether it was still at the one before."""
    wanted = {"session_id": session_id, "before": before, "after": before + 1, **values}
    return connection.execute(_ROTATE, wanted).rowcount == 1


def switch(connection: Connection, session_id: str, account_id: int) -> None:
    """Let a session work in another account."""
    connection.execute(_SWITCH, {"session_id": session_id, "new_account_id": account_id})


def end(connection: Connection, session_id: str, at: datetime, reason: str) -> bool:
    """End a session; return whether it had not ended."""
    return connection.execute(_END, {"session_id": session_id, "at": at, "reason": reason}).rowcount == 1


def end_of_user(connection: Connection, user_id: int, at: datetime, reason: str, *, kept: str | None = None) -> int:
    """End a user's sessions but one; return how many had not ended."""
    values = {"holder": user_id, "at": at, "reason": reason, "kept": kept}
    return connection.execute(_END_OF_USER, values).rowcount


def purge(connection: Connection, before: datetime) -> int:
    """Delete what expired before a moment; return how many."""
    return connection.execute(_PURGE, {"before": before}).rowcount


def add_signing_key(connection: Connection, kid: str, secret: str, now: datetime) -> None:
    """Insert a key, which signs from now on."""
    connection.execute(_ADD_KEY, {"kid": kid, "secret": secret, "created_at": now})


def signing_keys(connection: Connection) -> list[StoredSigningKey]:
    """Return all keys, newest first."""
    return [StoredSigningKey(row.kid, row.secret, row.created_at, row.retired_at) for row in connection.execute(_KEYS)]


def retire_signing_keys(connection: Connection, at: datetime) -> int:
    """Let no present key sign any more; return how many did."""
    return connection.execute(_RETIRE_KEYS, {"at": at}).rowcount


def purge_signing_keys(connection: Connection, before: datetime) -> int:
    """Delete the keys that were retired up to a moment; return how many."""
    return connection.execute(_PURGE_KEYS, {"before": before}).rowcount


def _session(row: AnyRow) -> Session:
    return Session(**{column.name: getattr(row, column.name) for column in SESSIONS.c})


def _session_and_user(row: AnyRow | None) -> tuple[Session, User] | None:
    if row is None:
        return None
    return _session(row), User(row.user_id, row.home, row.login, row.is_active, row.user_created_at)
