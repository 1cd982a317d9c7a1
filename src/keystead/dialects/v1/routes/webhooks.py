"""Webhooks: URLs that are told of events, and the log of deliveries to them."""

from typing import Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from keystead.access import webhooks as webhook_verbs
from keystead.access.webhooks import WebhookChanges
from keystead.dialects.v1 import present
from keystead.dialects.v1 import webhook_shapes as shapes
from keystead.dialects.v1.auth import Caller
from keystead.dialects.v1.present import answer
from keystead.dialects.v1.routes.asking import NUMBER_MAX, READ, WRITE, Paged
from keystead.dialects.v1.services import Services
from keystead.http.routing import ValidatedEndpoints
from keystead.outbox.store.deliveries import State

WebhookId = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
Number = Annotated[int, Path(ge=1, le=NUMBER_MAX)]


def router(services: Services) -> ValidatedEndpoints:
    """Return the endpoints of webhooks and deliveries."""
    routes = ValidatedEndpoints(prefix="/v1/webhooks", tags=["Webhooks"])
    _add_webhooks(routes, services)
    _add_secrets(routes, services)
    _add_deliveries(routes, services)
    return routes


def _add_webhooks(routes: ValidatedEndpoints, services: Services) -> None:
    webhooks = services.webhooks

    @routes.get("", response_model=shapes.WebhookList, responses=READ)
    async def list_webhooks(call: Caller, page: Paged) -> Response:
        """List webhooks, disabled ones included."""
        found = await webhooks.list_(call, page)
        return answer(present.numbered([shapes.webhook(value) for value in found], page))

    @routes.post("", response_model=shapes.NewWebhook, status_code=201, responses=WRITE)
    async def create_webhook(request: Request, call: Caller, wanted: shapes.WebhookCreate) -> Response:
        """Create a webhook; its secret is in this answer and nowhere else. Honours Idempotency-Key.

        A repeated request is answered with ``secret: null``, since the secret was not kept: rotate it.
        """

        async def create() -> bytes:
            made = await webhooks.create(call, url=wanted.url, description=wanted.description, events=wanted.events)
            return present.dumped(shapes.new_webhook(made))

        return await services.idempotency.once(
            call,
            request,
            await request.body(),
            create,
            verb=webhook_verbs.create,
            status=201,
            kept=present.without_secret,
        )

    @routes.get("/{webhook_id}", response_model=shapes.Webhook, responses=READ)
    async def get_webhook(call: Caller, webhook_id: WebhookId) -> Response:
        """Show a webhook."""
        return answer(shapes.webhook(await webhooks.find(call, webhook_id)))

    @routes.patch("/{webhook_id}", response_model=shapes.Webhook, responses=WRITE)
    async def change_webhook(call: Caller, webhook_id: WebhookId, changes: shapes.WebhookChange) -> Response:
        """Change a webhook; enabling it forgets its failures and sends what waits."""
        wanted = WebhookChanges(changes.url, changes.description, changes.events, changes.is_enabled)
        return answer(shapes.webhook(await webhooks.change(call, webhook_id, wanted)))

    @routes.delete("/{webhook_id}", status_code=204, responses=WRITE)
    async def delete_webhook(call: Caller, webhook_id: WebhookId) -> Response:
        """Delete a webhook with its log; what waits for it is not sent."""
        await webhooks.remove(call, webhook_id)
        return present.empty()


def _add_secrets(routes: ValidatedEndpoints, services: Services) -> None:
    webhooks = services.webhooks

    @routes.post("/{webhook_id}/secret", response_model=shapes.NewWebhook, responses=WRITE)
    async def rotate_webhook_secret(call: Caller, webhook_id: WebhookId) -> Response:
        """Make a new secret, shown in this answer only; the one before signs beside it for a day."""
        return answer(shapes.new_webhook(await webhooks.rotate_secret(call, webhook_id)))

    @routes.post("/{webhook_id}/test", response_model=shapes.LoggedDelivery, responses=WRITE)
    async def test_webhook(call: Caller, webhook_id: WebhookId) -> Response:
        """Send the event ``webhook.test`` now; the answer tells how the first attempt went."""
        return answer(shapes.logged_delivery(await webhooks.test(call, webhook_id)))


def _add_deliveries(routes: ValidatedEndpoints, services: Services) -> None:
    webhooks = services.webhooks

    @routes.get("/{webhook_id}/deliveries", response_model=shapes.DeliveryList, responses=READ)
    async def list_deliveries(
        call: Caller,
        webhook_id: WebhookId,
        page: Paged,
        state: Annotated[shapes.DeliveryState | None, Query(description="Only those in this state.")] = None,
    ) -> Response:
        """List deliveries, newest first."""
        wanted = None if state is None else State(state)
        found = await webhooks.list_deliveries(call, webhook_id, page, wanted)
        return answer(present.numbered([shapes.delivery(value) for value in found], page, by="number"))

    @routes.get("/{webhook_id}/deliveries/{number}", response_model=shapes.LoggedDelivery, responses=READ)
    async def get_delivery(call: Caller, webhook_id: WebhookId, number: Number) -> Response:
        """Show a delivery and every attempt of it."""
        return answer(shapes.logged_delivery(await webhooks.find_delivery(call, webhook_id, number)))

    @routes.post("/{webhook_id}/deliveries/{number}/redeliver", response_model=shapes.LoggedDelivery, responses=WRITE)
    async def redeliver(call: Caller, webhook_id: WebhookId, number: Number) -> Response:
        """Send a delivery again under the same event id; the answer tells how it went."""
        return answer(shapes.logged_delivery(await webhooks.redeliver(call, webhook_id, number)))
