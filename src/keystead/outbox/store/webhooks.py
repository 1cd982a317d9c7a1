"""Queries of webhooks themselves."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, update

from keystead.db.types import AnyRow
from keystead.kit.page import Page
from keystead.outbox.events import Event
from keystead.outbox.models import WEBHOOKS

W = WEBHOOKS.c
_BY_VALUE = {event.value: event for event in Event}


@dataclass(frozen=True)
class Webhook:
    """A URL that is told of events; no event named means all of them."""

    id: int
    account_id: int
    url: str
    description: str
    events: tuple[Event, ...]
    is_enabled: bool
    disabled_reason: str | None
    failures: int
    failing_since: datetime | None
    previous_until: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class SealedSecrets:
    """The sealed secrets of a webhook; the previous one signs until a moment."""

    secret: str
    previous: str | None
    previous_until: datetime | None


_COLUMNS = [column for column in WEBHOOKS.c if column.name not in {"secret", "previous_secret"}]
_OF_ACCOUNT = W.account_id == bindparam("of_account")
_ONE = W.id == bindparam("webhook_id")

_INSERT = insert(WEBHOOKS).returning(W.id)
_FIND = select(*_COLUMNS).where(_ONE, _OF_ACCOUNT)
_PAGE = select(*_COLUMNS).where(_OF_ACCOUNT, W.id > bindparam("after")).order_by(W.id).limit(bindparam("limit"))
_COUNT = select(func.count()).select_from(WEBHOOKS).where(_OF_ACCOUNT)
_SECRETS = select(W.secret, W.previous_secret, W.previous_until).where(_ONE)
_SET_SECRETS = (
    update(WEBHOOKS)
    .where(_ONE)
    .values(
        secret=bindparam("new_secret"),
        previous_secret=bindparam("new_previous"),
        previous_until=bindparam("new_previous_until"),
    )
)
_CHANGE = (
    update(WEBHOOKS)
    .where(_ONE)
    .values(url=bindparam("new_url"), description=bindparam("new_description"), events=bindparam("new_events"))
)
_ENABLE = update(WEBHOOKS).where(_ONE).values(is_enabled=True, disabled_reason=None, failures=0, failing_since=None)
_DISABLE = update(WEBHOOKS).where(_ONE).values(is_enabled=False, disabled_reason=bindparam("reason"))
_DELETE = delete(WEBHOOKS).where(_ONE)
_NOTE_SUCCESS = update(WEBHOOKS).where(_ONE, W.failures > 0).values(failures=0, failing_since=None)
_NOTE_FAILURE = (
    update(WEBHOOKS)
    .where(_ONE)
    .values(
        failures=W.failures + 1,
        failing_since=case(
            (W.failing_since.is_(None), bindparam("failed_at", type_=W.failing_since.type)), else_=W.failing_since
        ),
    )
    .returning(W.account_id, W.is_enabled, W.failing_since)
)


def insert_webhook(connection: Connection, values: dict[str, Any]) -> int:
    """Insert a row and return its id."""
    return int(connection.execute(_INSERT, values).scalar_one())


def find(connection: Connection, account_id: int, webhook_id: int) -> Webhook | None:
    """Return a webhook of an account."""
    row = connection.execute(_FIND, {"webhook_id": webhook_id, "of_account": account_id}).first()
    return None if row is None else _webhook(row)


def page(connection: Connection, account_id: int, wanted: Page) -> list[Webhook]:
    """Return a page of an account's webhooks by id."""
    rows = connection.execute(_PAGE, {"of_account": account_id, "after": wanted.after, "limit": wanted.limit})
    return [_webhook(row) for row in rows]


def count(connection: Connection, account_id: int) -> int:
    """Count an account's webhooks."""
    return int(connection.execute(_COUNT, {"of_account": account_id}).scalar_one())


def secrets(connection: Connection, webhook_id: int) -> SealedSecrets:
    """Return the sealed secrets of a webhook."""
    return SealedSecrets(*connection.execute(_SECRETS, {"webhook_id": webhook_id}).one())


def set_secrets(connection: Connection, webhook_id: int, sealed: SealedSecrets) -> None:
    """Replace the sealed secrets of a webhook."""
    values = {"new_secret": sealed.secret, "new_previous": sealed.previous, "new_previous_until": sealed.previous_until}
    connection.execute(_SET_SECRETS, {"webhook_id": webhook_id, **values})


def change(connection: Connection, webhook_id: int, *, url: str, description: str, events: Collection[Event]) -> None:
    """Replace what a webhook is told, and where."""
    values = {"new_url": url, "new_description": description, "new_events": written_events(events)}
    connection.execute(_CHANGE, {"webhook_id": webhook_id, **values})


def enable(connection: Connection, webhook_id: int) -> None:
    """Let a webhook be sent to, and forget its failures."""
    connection.execute(_ENABLE, {"webhook_id": webhook_id})


def disable(connection: Connection, webhook_id: int, reason: str | None) -> None:
    """Send nothing to a webhook any more; ``reason`` is why, when nobody asked for it."""
    connection.execute(_DISABLE, {"webhook_id": webhook_id, "reason": reason})


def remove(connection: Connection, webhook_id: int) -> None:
    """Delete a webhook with its deliveries."""
    connection.execute(_DELETE, {"webhook_id": webhook_id})


def note_success(connection: Connection, webhook_id: int) -> None:
    """Forget the failures of a webhook."""
    connection.execute(_NOTE_SUCCESS, {"webhook_id": webhook_id})


def note_failure(connection: Connection, webhook_id: int, at: datetime) -> tuple[int, bool, datetime]:
    """Count a failure; return the account, whether the webhook is enabled, and since when it fails."""
    row = connection.execute(_NOTE_FAILURE, {"webhook_id": webhook_id, "failed_at": at}).one()
    return row[0], row[1], row[2]


def written_events(events: Collection[Event]) -> list[str]:
    """Return events as they are stored: sorted texts."""
    return sorted({event.value for event in events})


def _webhook(row: AnyRow) -> Webhook:
    values = dict(row._mapping)
    values["events"] = tuple(_BY_VALUE[name] for name in row.events if name in _BY_VALUE)
    return Webhook(**values)
