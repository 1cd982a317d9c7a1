"""Operations on webhooks: the verbs, and waiting for the courier when a test shall tell how it went."""

from collections.abc import Collection

from keystead.access import webhooks
from keystead.access.webhooks import DeliveryLog, NewSecret, WebhookChanges
from keystead.kit.page import Page
from keystead.kit.reach import Reach
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.outbox.courier import Courier
from keystead.outbox.events import Event
from keystead.outbox.store.deliveries import Delivery, State
from keystead.outbox.store.webhooks import Webhook

# Together longer than one request of the courier may take. A look between, for another process may have made it.
LOOKS, LOOK_EVERY_S = 10, 2.0


class WebhookOperations:
    """What callers may do with webhooks."""

    def __init__(self, transactions: Transactions, courier: Courier, reach: Reach) -> None:
        self._transactions = transactions
        self._courier = courier
        self._reach = reach

    async def create(self, call: Call, *, url: str, description: str, events: Collection[Event]) -> NewSecret:
        """Create a webhook; its secret is in the answer and nowhere else."""
        committed = await self._transactions.write(
            call, webhooks.create, url=url, description=description, events=events, reach=self._reach
        )
        return committed.value

    async def find(self, call: Call, webhook_id: int) -> Webhook:
        """Return a webhook."""
        return await self._transactions.read(call, webhooks.find, webhook_id)

    async def list_(self, call: Call, page: Page) -> list[Webhook]:
        """Return a page of webhooks."""
        return await self._transactions.read_many(call, webhooks.list_, page)

    async def change(self, call: Call, webhook_id: int, changes: WebhookChanges) -> Webhook:
        """Change a webhook."""
        committed = await self._transactions.write(
            call, webhooks.change, webhook_id, changes=changes, reach=self._reach
        )
        return committed.value

    async def rotate_secret(self, call: Call, webhook_id: int) -> NewSecret:
        """Give a webhook a new secret; the one before signs beside it for a day."""
        return (await self._transactions.write(call, webhooks.rotate_secret, webhook_id)).value

    async def remove(self, call: Call, webhook_id: int) -> None:
        """Delete a webhook with what waits for it."""
        await self._transactions.write(call, webhooks.remove, webhook_id)

    async def test(self, call: Call, webhook_id: int) -> DeliveryLog:
        """Send a test event and return how its first attempt went, or that none was made in time."""
        delivery = (await self._transactions.write(call, webhooks.test, webhook_id)).value
        return await self._attempted(call, delivery, before=0)

    async def redeliver(self, call: Call, webhook_id: int, number: int) -> DeliveryLog:
        """Send a delivery again and return how that went."""
        before = await self.find_delivery(call, webhook_id, number)
        delivery = (await self._transactions.write(call, webhooks.redeliver, webhook_id, number)).value
        return await self._attempted(call, delivery, before=len(before.attempts))

    async def list_deliveries(self, call: Call, webhook_id: int, page: Page, state: State | None) -> list[Delivery]:
        """Return a page of deliveries, newest first."""
        return await self._transactions.read_many(call, webhooks.list_deliveries, webhook_id, page, state)

    async def find_delivery(self, call: Call, webhook_id: int, number: int) -> DeliveryLog:
        """Return a delivery with its attempts."""
        return await self._transactions.read_many(call, webhooks.find_delivery, webhook_id, number)

    async def _attempted(self, call: Call, delivery: Delivery, *, before: int) -> DeliveryLog:
        for _ in range(LOOKS):
            await self._courier.when_attempted(delivery.number, LOOK_EVERY_S)
            found = await self.find_delivery(call, delivery.webhook_id, delivery.number)
            if len(found.attempts) > before:
                break
        return found
