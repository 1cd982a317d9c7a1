"""The verbs of webhooks: URLs that are told of events, their secrets, and the log of deliveries to them.

Nothing here sends anything: deliveries are rows, and the courier of the outbox carries them. A secret is in the answer
of its making and nowhere else; of a URL, which may hold a secret of its own, the audit trail gets only the host.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from keystead.access.permissions import Permission, requires
from keystead.access.rotation import SealedColumn
from keystead.access.work import Work
from keystead.kit.errors import Conflict, Invalid, NotFound, QuotaExceeded
from keystead.kit.page import Page
from keystead.kit.reach import Reach
from keystead.kit.secret import Secret
from keystead.outbox import signing
from keystead.outbox.events import Event
from keystead.outbox.models import WEBHOOKS
from keystead.outbox.store import deliveries as delivery_store
from keystead.outbox.store import webhooks as store
from keystead.outbox.store.deliveries import Attempt, Delivery, Notice, State
from keystead.outbox.store.webhooks import SealedSecrets, Webhook

SECRET = SealedColumn(WEBHOOKS, [WEBHOOKS.c.id], WEBHOOKS.c.secret)
PREVIOUS_SECRET = SealedColumn(WEBHOOKS, [WEBHOOKS.c.id], WEBHOOKS.c.previous_secret)
SEALED_COLUMNS = (SECRET, PREVIOUS_SECRET)

WEBHOOKS_MAX = 20
DESCRIPTION_LENGTH_MAX = 255
# How long the secret before goes on signing, for receivers to take up the new one.
PREVIOUS_SIGNS_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class NewSecret:
    """A webhook with a secret that was just made."""

    webhook: Webhook
    secret: Secret[str]


@dataclass(frozen=True)
class DeliveryLog:
    """A delivery, the body that is sent and signed, and its attempts, oldest first."""

    delivery: Delivery
    body: str
    attempts: list[Attempt]


@dataclass(frozen=True)
class WebhookChanges:
    """What to change about a webhook; None stays."""

    url: str | None = None
    description: str | None = None
    events: Collection[Event] | None = None
    is_enabled: bool | None = None


@requires(Permission.WEBHOOKS_MANAGE)
def create(work: Work, *, url: str, description: str, events: Collection[Event], reach: Reach) -> NewSecret:
    """Create a webhook; raise Invalid for a URL that may not be sent to and QuotaExceeded when there are too many."""
    checked = reach.check_url(url)
    if store.count(work.connection, work.principal.account_id) >= WEBHOOKS_MAX:
        raise QuotaExceeded(f"an account has at most {WEBHOOKS_MAX} webhooks; remove one first")
    values = {
        "account_id": work.principal.account_id,
        "url": str(checked),
        "description": _checked_description(description),
        "events": store.written_events(events),
        "secret": "",
        "is_enabled": True,
        "failures": 0,
        "created_at": work.now,
    }
    webhook_id = store.insert_webhook(work.connection, values)
    secret = signing.new_secret(work.ids)
    sealed = work.keys.seal(secret, SECRET.place(webhook_id))
    store.set_secrets(work.connection, webhook_id, SealedSecrets(sealed, None, None))
    work.audit("webhook.create", _subject(webhook_id), **_facts(str(checked), events))
    return NewSecret(_found(work, webhook_id), secret)


@requires(Permission.WEBHOOKS_READ)
def find(work: Work, webhook_id: int) -> Webhook:
    """Return a webhook; raise NotFound."""
    return _found(work, webhook_id)


@requires(Permission.WEBHOOKS_READ)
def list_(work: Work, page: Page) -> list[Webhook]:
    """Return a page of the account's webhooks by id."""
    return store.page(work.connection, work.principal.account_id, page)


@requires(Permission.WEBHOOKS_MANAGE)
def change(work: Work, webhook_id: int, *, changes: WebhookChanges, reach: Reach) -> Webhook:
    """Change a webhook; enabling forgets its failures, and what waits for it is sent."""
    before = _found(work, webhook_id)
    if (changes.url, changes.description, changes.events) != (None, None, None):
        url = before.url if changes.url is None else str(reach.check_url(changes.url))
        events = before.events if changes.events is None else changes.events
        description = before.description if changes.description is None else _checked_description(changes.description)
        store.change(work.connection, webhook_id, url=url, description=description, events=events)
        work.audit("webhook.change", _subject(webhook_id), **_facts(url, events))
    if changes.is_enabled and not before.is_enabled:
        store.enable(work.connection, webhook_id)
        work.emitted += 1
        work.audit("webhook.enable", _subject(webhook_id))
    if changes.is_enabled is False and before.is_enabled:
        store.disable(work.connection, webhook_id, None)
        work.audit("webhook.disable", _subject(webhook_id))
    return _found(work, webhook_id)


@requires(Permission.WEBHOOKS_MANAGE)
def rotate_secret(work: Work, webhook_id: int) -> NewSecret:
    """Give a webhook a new secret; the one before signs beside it for a day."""
    _found(work, webhook_id)
    before = work.keys.open(store.secrets(work.connection, webhook_id).secret, SECRET.place(webhook_id))
    secret = signing.new_secret(work.ids)
    sealed = SealedSecrets(
        work.keys.seal(secret, SECRET.place(webhook_id)),
        work.keys.seal(before, PREVIOUS_SECRET.place(webhook_id)),
        work.now + PREVIOUS_SIGNS_FOR,
    )
    store.set_secrets(work.connection, webhook_id, sealed)
    work.audit("webhook.secret.rotate", _subject(webhook_id))
    return NewSecret(_found(work, webhook_id), secret)


@requires(Permission.WEBHOOKS_MANAGE)
def remove(work: Work, webhook_id: int) -> None:
    """Delete a webhook with everything that waits for it and its log."""
    _found(work, webhook_id)
    store.remove(work.connection, webhook_id)
    work.audit("webhook.remove", _subject(webhook_id))


@requires(Permission.WEBHOOKS_MANAGE)
def test(work: Work, webhook_id: int) -> Delivery:
    """Write a test event for one webhook, whatever it wants to be told; raise Conflict while it is disabled."""
    if not _found(work, webhook_id).is_enabled:
        raise Conflict(f"webhook {webhook_id} is disabled; enable it first")
    notice = Notice(Event.WEBHOOK_TEST, _subject(webhook_id), {"webhook_id": webhook_id, "by": work.principal.actor})
    number = delivery_store.put_one(work.connection, webhook_id, notice, at=work.now, ids=work.ids)
    work.emitted += 1
    work.audit("webhook.test", _subject(webhook_id), delivery=number)
    return _found_delivery(work, webhook_id, number)


@requires(Permission.WEBHOOKS_READ)
def list_deliveries(work: Work, webhook_id: int, page: Page, state: State | None) -> list[Delivery]:
    """Return a page of deliveries to a webhook, newest first."""
    _found(work, webhook_id)
    return delivery_store.page(work.connection, webhook_id, page, state)


@requires(Permission.WEBHOOKS_READ)
def find_delivery(work: Work, webhook_id: int, number: int) -> DeliveryLog:
    """Return a delivery with its attempts; raise NotFound."""
    _found(work, webhook_id)
    delivery = _found_delivery(work, webhook_id, number)
    body = delivery_store.body(work.connection, number)
    return DeliveryLog(delivery, body, delivery_store.attempts(work.connection, number))


@requires(Permission.WEBHOOKS_MANAGE)
def redeliver(work: Work, webhook_id: int, number: int) -> Delivery:
    """Send a delivery again from the start, under the same event id; raise Conflict while its webhook is disabled."""
    if not _found(work, webhook_id).is_enabled:
        raise Conflict(f"webhook {webhook_id} is disabled; enable it first")
    _found_delivery(work, webhook_id, number)
    delivery_store.again(work.connection, number, work.now)
    work.emitted += 1
    work.audit("webhook.redeliver", _subject(webhook_id), delivery=number)
    return _found_delivery(work, webhook_id, number)


@requires(Permission.WEBHOOKS_MANAGE)
def note_disabled(work: Work, webhook_id: int, reason: str) -> None:
    """Record that the courier disabled a webhook; called with the system's principal."""
    work.audit("webhook.disable", _subject(webhook_id), reason=reason)


def _found(work: Work, webhook_id: int) -> Webhook:
    found = store.find(work.connection, work.principal.account_id, webhook_id)
    if found is None:
        raise NotFound("webhook", webhook_id)
    return found


def _found_delivery(work: Work, webhook_id: int, number: int) -> Delivery:
    found = delivery_store.find(work.connection, webhook_id, number)
    if found is None:
        raise NotFound("delivery", number)
    return found


def _checked_description(text: str) -> str:
    bare = text.strip()
    if len(bare) > DESCRIPTION_LENGTH_MAX or (bare and not bare.isprintable()):
        raise Invalid(
            f"a description has at most {DESCRIPTION_LENGTH_MAX} printable characters",
            fields={"description": "too long, or not printable"},
        )
    return bare


def _facts(url: str, events: Collection[Event]) -> dict[str, object]:
    return {"host": urlsplit(url).netloc, "events": store.written_events(events)}


def _subject(webhook_id: int) -> str:
    return f"webhook {webhook_id}"
