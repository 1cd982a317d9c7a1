"""Answers that a repeated request gets again, per token and route, for a day. The data only; http decides when.

``begin`` belongs into the transaction of the create, or into one before it when the answer is known only after an
engine has worked. What a crash leaves in progress is abandoned at the next start.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import Connection

from keystead.access.store import answers as store
from keystead.access.store.answers import AnswerKey
from keystead.kit.errors import Conflict, Invalid

KEPT = timedelta(hours=24)
_KEY_LENGTH_MAX = 255


class Progress(Enum):
    """There is no answer: the request is the first of its kind, or the first one is still being answered."""

    FRESH = "fresh"
    RUNNING = "running"


@dataclass(frozen=True)
class Answer:
    """What the first request was answered."""

    status: int
    body: bytes


def begin(connection: Connection, answer_key: AnswerKey, body: bytes, now: datetime) -> Answer | Progress:
    """Claim a key for a request, or return what is known of it.

    Raises Conflict when the key was used with another body, and Invalid for a key of the wrong form.
    """
    if not 0 < len(answer_key.key) <= _KEY_LENGTH_MAX or not answer_key.key.isprintable():
        raise Invalid(f"Idempotency-Key must be 1 to {_KEY_LENGTH_MAX} printable characters")
    digest = hashlib.sha256(body).hexdigest()
    store.forget_expired(connection, answer_key, now - KEPT)
    if store.add(connection, answer_key, digest, now):
        return Progress.FRESH
    first_digest, status, answer_body = store.find(connection, answer_key)
    if first_digest != digest:
        raise Conflict("this Idempotency-Key was used with another body; use a new key for a new request")
    return Progress.RUNNING if status is None or answer_body is None else Answer(status, answer_body)


def finish(connection: Connection, answer_key: AnswerKey, answer: Answer) -> None:
    """Store what the request was answered."""
    store.finish(connection, answer_key, answer.status, answer.body)


def forget(connection: Connection, answer_key: AnswerKey) -> None:
    """Release a key whose request failed, so that the client may try again with it."""
    store.forget(connection, answer_key)


def purge(connection: Connection, now: datetime) -> int:
    """Delete what is older than a day; return how many."""
    return store.purge(connection, now - KEPT)


def abandon_running(connection: Connection) -> int:
    """Release, at start, what a process that is gone left in progress; return how many."""
    return store.abandon(connection)
