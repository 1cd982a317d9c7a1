"""Queries of deliveries: put events in, claim what is due, note how attempts went, drop old ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, update

from keystead.db.prepared import Prepared
from keystead.kit.ids import Ids
from keystead.kit.page import Page
from keystead.outbox.events import Event, body_of
from keystead.outbox.models import ATTEMPTS, DELIVERIES, WEBHOOKS
from keystead.outbox.store.webhooks import SealedSecrets

W, D, A = WEBHOOKS.c, DELIVERIES.c, ATTEMPTS.c


class State(StrEnum):
    """Where a delivery is on its way."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one webhook; ``due_at`` is the next attempt's time while it waits."""

    number: int
    webhook_id: int
    event_id: str
    event: str
    subject: str
    created_at: datetime
    state: State
    attempts: int
    due_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Attempt:
    """One request, and its status or what kept it from having one."""

    at: datetime
    status: int | None
    problem: str | None
    duration_ms: int


@dataclass(frozen=True)
class Parcel:
    """A delivery that somebody has claimed, with everything needed to send it; ``attempts`` counts this one."""

    number: int
    claim: str
    webhook_id: int
    url: str
    sealed: SealedSecrets
    event_id: str
    body: str
    attempts: int


@dataclass(frozen=True)
class Outcome:
    """What an attempt makes of a delivery."""

    attempt: Attempt
    state: State
    due_at: datetime


_WANTING = Prepared(select(W.id, W.events).where(W.account_id == bindparam("account_id"), W.is_enabled.is_(True)))
_ANY = Prepared(select(W.id).where(W.is_enabled.is_(True)).limit(1))
_INSERT = Prepared(insert(DELIVERIES).inline())
_INSERT_ONE = insert(DELIVERIES).returning(D.number)
_WANTING_ACCOUNTS = select(W.account_id).where(W.is_enabled.is_(True)).distinct().order_by(W.account_id)

_IS_DUE = (D.state == State.WAITING.value, D.due_at <= bindparam("at", type_=D.due_at.type))
_DUE_WEBHOOKS = (
    select(W.id)
    .where(W.is_enabled.is_(True), exists().where(D.webhook_id == W.id, *_IS_DUE).correlate(WEBHOOKS))
    .order_by(W.id)
)
_DUE = (
    select(D.number, W.url, W.secret, W.previous_secret, W.previous_until, D.event_id, D.body, D.attempts)
    .join_from(DELIVERIES, WEBHOOKS, D.webhook_id == W.id)
    .where(D.webhook_id == bindparam("webhook_id"), W.is_enabled.is_(True), *_IS_DUE)
    .order_by(D.due_at, D.number)
    .limit(bindparam("limit"))
    .with_for_update(of=DELIVERIES, skip_locked=True)
)
_CLAIM = (
    update(DELIVERIES)
    .where(D.number == bindparam("delivery"))
    .values(claim=bindparam("new_claim"), due_at=bindparam("until"), attempts=D.attempts + 1)
)
_FINISH = (
    update(DELIVERIES)
    .where(D.number == bindparam("delivery"), D.claim == bindparam("held_claim"))
    .values(
        claim=None, state=bindparam("new_state"), due_at=bindparam("new_due_at"), ended_at=bindparam("new_ended_at")
    )
)
_LOG = insert(ATTEMPTS)

_COLUMNS = [column for column in DELIVERIES.c if column.name not in {"body", "claim"}]
_FIND = select(*_COLUMNS).where(D.number == bindparam("delivery"), D.webhook_id == bindparam("webhook_id"))
_PAGE = (
    select(*_COLUMNS)
    .where(D.webhook_id == bindparam("webhook_id"), D.number < bindparam("before"))
    .order_by(D.number.desc())
    .limit(bindparam("limit"))
)
_PAGE_IN_STATE = _PAGE.where(D.state == bindparam("state"))
_BODY = select(D.body).where(D.number == bindparam("delivery"))
_ATTEMPTS = select(A.at, A.status, A.problem, A.duration_ms).where(A.delivery == bindparam("delivery")).order_by(A.id)
_AGAIN = (
    update(DELIVERIES)
    .where(D.number == bindparam("delivery"))
    .values(state=State.WAITING.value, attempts=0, due_at=bindparam("now"), claim=None, ended_at=None)
)
_PURGE_OLD = delete(DELIVERIES).where(D.created_at < bindparam("before"))
_WEBHOOK_IDS = select(W.id)
_NTH = (
    select(D.number)
    .where(D.webhook_id == bindparam("webhook_id"), D.state != State.WAITING.value)
    .order_by(D.number.desc())
    .offset(bindparam("kept"))
    .limit(1)
)
_PURGE_BEYOND = delete(DELIVERIES).where(
    D.webhook_id == bindparam("of_webhook"), D.state != State.WAITING.value, D.number <= bindparam("last")
)
_NEWEST = 2**63 - 1


@dataclass(frozen=True)
class Notice:
    """An event about an object (``vpn key 12``), and its data as JSON values without secrets."""

    event: Event
    subject: str
    data: Mapping[str, object]


def put(connection: Connection, account_id: int, notice: Notice, *, at: datetime, ids: Ids) -> int:
    """Write an event for every webhook of an account that wants it; return how many do.

    Costs one look into an index while there are none.
    """
    rows = _WANTING.rows(connection, {"account_id": account_id})
    wanting = [webhook_id for webhook_id, events in rows if not events or notice.event.value in events]
    if wanting:
        values = _values(notice, at, ids)
        for webhook_id in wanting:
            _INSERT.run(connection, {**values, "webhook_id": webhook_id})
    return len(wanting)


def put_for_all(connection: Connection, notice: Notice, *, at: datetime, ids: Ids) -> int:
    """Write an event that concerns every account; return for how many webhooks."""
    accounts = connection.execute(_WANTING_ACCOUNTS).scalars().all()
    return sum(put(connection, account_id, notice, at=at, ids=ids) for account_id in accounts)


def put_one(connection: Connection, webhook_id: int, notice: Notice, *, at: datetime, ids: Ids) -> int:
    """Write an event for one webhook whatever it wants; return the delivery's number."""
    return int(connection.execute(_INSERT_ONE, {**_values(notice, at, ids), "webhook_id": webhook_id}).scalar_one())


def has_wanting(connection: Connection) -> bool:
    """Tell whether any webhook is enabled: a cheap look for those who would have to read more to say something."""
    return _ANY.first(connection, {}) is not None


def due_webhooks(connection: Connection, at: datetime) -> list[int]:
    """Return the enabled webhooks for which something is due."""
    return list(connection.execute(_DUE_WEBHOOKS, {"at": at}).scalars())


def claim(
    connection: Connection, webhook_id: int, limit: int, *, at: datetime, until: datetime, claim: str
) -> list[Parcel]:
    """Take deliveries that are due, the longest waiting first; nobody else gets them before ``until``."""
    rows = connection.execute(_DUE, {"webhook_id": webhook_id, "limit": limit, "at": at}).all()
    if rows:
        connection.execute(_CLAIM, [{"delivery": row.number, "new_claim": claim, "until": until} for row in rows])
    return [
        Parcel(
            row.number,
            claim,
            webhook_id,
            row.url,
            SealedSecrets(row.secret, row.previous_secret, row.previous_until),
            row.event_id,
            row.body,
            row.attempts + 1,
        )
        for row in rows
    ]


def finish(connection: Connection, parcel: Parcel, outcome: Outcome) -> bool:
    """Write down how an attempt went; return False, with nothing done, when the delivery is no longer ours."""
    attempt = outcome.attempt
    values = {
        "delivery": parcel.number,
        "held_claim": parcel.claim,
        "new_state": outcome.state.value,
        "new_due_at": outcome.due_at,
        "new_ended_at": None if outcome.state is State.WAITING else attempt.at,
    }
    if connection.execute(_FINISH, values).rowcount != 1:
        return False
    logged = {"at": attempt.at, "status": attempt.status, "problem": attempt.problem}
    connection.execute(_LOG, {"delivery": parcel.number, "duration_ms": attempt.duration_ms, **logged})
    return True


def find(connection: Connection, webhook_id: int, number: int) -> Delivery | None:
    """Return a delivery to a webhook."""
    row = connection.execute(_FIND, {"delivery": number, "webhook_id": webhook_id}).mappings().first()
    return None if row is None else _delivery(row)


def page(connection: Connection, webhook_id: int, wanted: Page, state: State | None) -> list[Delivery]:
    """Return a page of deliveries, newest first; ``after`` is the last number of the page before."""
    values: dict[str, Any] = {"webhook_id": webhook_id, "before": wanted.after or _NEWEST, "limit": wanted.limit}
    if state is None:
        rows = connection.execute(_PAGE, values).mappings()
    else:
        rows = connection.execute(_PAGE_IN_STATE, {**values, "state": state.value}).mappings()
    return [_delivery(row) for row in rows]


def body(connection: Connection, number: int) -> str:
    """Return the body of a delivery."""
    return str(connection.execute(_BODY, {"delivery": number}).scalar_one())


def attempts(connection: Connection, number: int) -> list[Attempt]:
    """Return the attempts of a delivery in their order."""
    return [Attempt(*row) for row in connection.execute(_ATTEMPTS, {"delivery": number})]


def again(connection: Connection, number: int, now: datetime) -> None:
    """Let a delivery begin anew, with the same event id."""
    connection.execute(_AGAIN, {"delivery": number, "now": now})


def purge(connection: Connection, *, before: datetime, kept: int) -> int:
    """Drop deliveries from before a moment, and all but the newest ended ones of each webhook; return how many."""
    dropped = connection.execute(_PURGE_OLD, {"before": before}).rowcount
    for webhook_id in connection.execute(_WEBHOOK_IDS).scalars().all():
        last = connection.execute(_NTH, {"webhook_id": webhook_id, "kept": kept}).scalar()
        if last is not None:
            dropped += connection.execute(_PURGE_BEYOND, {"of_webhook": webhook_id, "last": last}).rowcount
    return dropped


def _values(notice: Notice, at: datetime, ids: Ids) -> dict[str, Any]:
    return {
        "event_id": f"evt_{ids.uuid().hex}",
        "event": notice.event.value,
        "subject": notice.subject,
        "body": body_of(notice.event, at, notice.data),
        "created_at": at,
        "state": State.WAITING.value,
        "attempts": 0,
        "due_at": at,
    }


def _delivery(row: Mapping[Any, Any]) -> Delivery:
    return Delivery(**{**row, "state": State(row["state"])})
