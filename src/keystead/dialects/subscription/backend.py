"""Where the subscription wire finds what a token opens: the database, without a credential but the token itself."""

from dataclasses import dataclass

from keystead.dialects.subscription.app import DeviceRefused, SubscriptionView
from keystead.operations.vpn import subscriptions
from keystead.operations.vpn.polling import Poll, Polling

UPDATE_INTERVAL_H = 12


@dataclass(frozen=True)
class Shown:
    """What customers see around their profiles, from the settings."""

    base_url: str
    title: str
    support_url: str | None


class Backend:
    """Find views by token (app.SubscriptionBackend)."""

    def __init__(self, polling: Polling, shown: Shown) -> None:
        self._polling = polling
        self._shown = shown

    async def fetch(self, poll: Poll) -> SubscriptionView | DeviceRefused:
        """Return the view of a token, or why this device gets none; raise NotFound for an unknown or revoked one."""
        polled = await self._polling.poll(poll)
        found, check = polled.found, polled.check
        if poll.family is not None and check is not None and check.refusal is not None:
            return DeviceRefused(check.refusal, self._shown.title, self._shown.support_url)
        return SubscriptionView(
            profiles=[found.profile],
            usage=found.usage,
            title=self._shown.title,
            update_interval_h=UPDATE_INTERVAL_H,
            is_active=found.key.is_active,
            subscription_url=subscriptions.address(self._shown.base_url, poll.token),
            support_url=self._shown.support_url,
            devices=None if check is None else (check.used, check.limit),
            refused=polled.refused,
        )
