"""Queries of idempotent answers."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from keystead.access.models import IDEMPOTENT_ANSWERS
from keystead.db.absent import InsertIfAbsent


@dataclass(frozen=True)
class AnswerKey:
    """What makes a repetition: the token, the route and the client's ``Idempotency-Key``."""

    token: str
    route: str
    key: str


_C = IDEMPOTENT_ANSWERS.c
_IS_SAME = and_(_C.token == bindparam("of_token"), _C.route == bindparam("of_route"), _C.key == bindparam("of_key"))
_ADD = InsertIfAbsent(IDEMPOTENT_ANSWERS)
_FIND = select(_C.body_digest, _C.status, _C.body).where(_IS_SAME)
_FINISH = update(IDEMPOTENT_ANSWERS).where(_IS_SAME).values(status=bindparam("new_status"), body=bindparam("new_body"))
_FORGET = delete(IDEMPOTENT_ANSWERS).where(_IS_SAME)
_FORGET_EXPIRED = delete(IDEMPOTENT_ANSWERS).where(_IS_SAME, _C.created_at <= bindparam("until"))
_PURGE = delete(IDEMPOTENT_ANSWERS).where(_C.created_at <= bindparam("until"))
_ABANDON = delete(IDEMPOTENT_ANSWERS).where(_C.status.is_(None))


def add(connection: Connection, answer_key: AnswerKey, body_digest: str, now: datetime) -> bool:
    """Insert a row without an answer unless there is one; return whether it is new."""
    return _ADD.run(
        connection,
        {**asdict(answer_key), "body_digest": body_digest, "created_at": now, "status": None, "body": None},
    )


def find(connection: Connection, answer_key: AnswerKey) -> tuple[str, int | None, bytes | None]:
    """Return body digest, status and body of a row that exists."""
    row = connection.execute(_FIND, _bound(answer_key)).one()
    return row.body_digest, row.status, row.body


def finish(connection: Connection, answer_key: AnswerKey, status: int, body: bytes) -> None:
    """Store the answer of a row."""
    connection.execute(_FINISH, {**_bound(answer_key), "new_status": status, "new_body": body})


def forget(connection: Connection, answer_key: AnswerKey) -> None:
    """Delete a row."""
    connection.execute(_FORGET, _bound(answer_key))


def forget_expired(connection: Connection, answer_key: AnswerKey, until: datetime) -> None:
    """Delete a row made at or before a moment."""
    connection.execute(_FORGET_EXPIRED, {**_bound(answer_key), "until": until})


def purge(connection: Connection, until: datetime) -> int:
    """Delete all rows made at or before a moment; return how many."""
    return connection.execute(_PURGE, {"until": until}).rowcount


def abandon(connection: Connection) -> int:
    """Delete all rows without an answer; return how many."""
    return connection.execute(_ABANDON).rowcount


def _bound(answer_key: AnswerKey) -> dict[str, str]:
    return {"of_token": answer_key.token, "of_route": answer_key.route, "of_key": answer_key.key}
