"""The native API's shapes of webhooks and deliveries, and how values of the core become them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from keystead.access.webhooks import DESCRIPTION_LENGTH_MAX, DeliveryLog, NewSecret
from keystead.dialects.v1.bases import Answer, Body
from keystead.kit.reach import URL_LENGTH_MAX
from keystead.outbox.events import Event
from keystead.outbox.store.deliveries import Attempt as DeliveryAttempt
from keystead.outbox.store.deliveries import Delivery as CarriedDelivery
from keystead.outbox.store.webhooks import Webhook as StoredWebhook

Url = Annotated[str, Field(max_length=URL_LENGTH_MAX, examples=["https://shop.example.com/hooks/keystead"])]
Description = Annotated[str, Field(max_length=DESCRIPTION_LENGTH_MAX)]
# JSON has no enums: an event is read from its name.
Events = Annotated[list[Annotated[Event, Field(strict=False)]], Field(max_length=len(Event))]
DeliveryState = Literal["waiting", "delivered", "given-up"]


class WebhookCreate(Body):
    """A new webhook; no event named means every event."""

    url: Url
    description: Description = ""
    events: Events = Field(default_factory=list)


class WebhookChange(Body):
    """What to change; fields left out stay."""

    url: Url | None = None
    description: Description | None = None
    events: Events | None = None
    is_enabled: bool | None = None


class Webhook(Answer):
    """A URL that is told of events; ``disabled_reason`` is set when Keystead disabled it by itself."""

    id: int
    url: str
    description: str
    events: list[str]
    is_enabled: bool
    disabled_reason: str | None
    failures: int
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime


class NewWebhook(Webhook):
    """A webhook with a new secret; ``secret`` is shown this once, and null when an answer is repeated."""

    secret: str | None


class WebhookList(Answer):
    """A page of webhooks."""

    items: list[Webhook]
    next: int | None


class Delivery(Answer):
    """One event on its way to one webhook; ``next_attempt_at`` is null once it has ended."""

    number: int
    event_id: str
    event: str
    subject: str
    state: DeliveryState
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    ended_at: datetime | None


class Attempt(Answer):
    """One request: its status, or the problem that kept it from having one."""

    at: datetime
    status: int | None
    problem: str | None
    duration_ms: int


class LoggedDelivery(Delivery):
    """A delivery, its body as it is sent and signed, and its attempts, oldest first."""

    body: str
    log: list[Attempt]


class DeliveryList(Answer):
    """A page of deliveries, newest first."""

    items: list[Delivery]
    next: int | None


def webhook(value: StoredWebhook) -> dict[str, Any]:
    """Present a webhook."""
    return {
        "id": value.id,
        "url": value.url,
        "description": value.description,
        "events": [event.value for event in value.events],
        "is_enabled": value.is_enabled,
        "disabled_reason": value.disabled_reason,
        "failures": value.failures,
        "failing_since": value.failing_since,
        "previous_secret_until": value.previous_until,
        "created_at": value.created_at,
    }


def new_webhook(made: NewSecret) -> dict[str, Any]:
    """Present a webhook with its new secret."""
    return webhook(made.webhook) | {"secret": made.secret.reveal()}


def delivery(value: CarriedDelivery) -> dict[str, Any]:
    """Present a delivery."""
    return {
        "number": value.number,
        "event_id": value.event_id,
        "event": value.event,
        "subject": value.subject,
        "state": value.state.value,
        "attempts": value.attempts,
        "created_at": value.created_at,
        "next_attempt_at": None if value.ended_at is not None else value.due_at,
        "ended_at": value.ended_at,
    }


def logged_delivery(value: DeliveryLog) -> dict[str, Any]:
    """Present a delivery with its attempts."""
    log = [_attempt(entry) for entry in value.attempts]
    return delivery(value.delivery) | {"body": value.body, "log": log}


def _attempt(value: DeliveryAttempt) -> dict[str, Any]:
    return {"at": value.at, "status": value.status, "problem": value.problem, "duration_ms": value.duration_ms}
