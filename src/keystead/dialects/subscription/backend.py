"""Where the subscription wire finds what a token opens: the database, without a credential but the token itself."""

from dataclasses import dataclass

from keystead.db.session import Database
from keystead.dialects.subscription.app import SubscriptionView
from keystead.http import subscription_operations
from keystead.vpn import subscriptions
from keystead.vpn.lookup import IsApplied

UPDATE_INTERVAL_H = 12


@dataclass(frozen=True)
class Shown:
    """What customers see around their profiles, from the settings."""

    public_host: str
    base_url: str
    title: str
    support_url: str | None


class Backend:
    """Find views by token (app.SubscriptionBackend)."""

    def __init__(self, database: Database, shown: Shown, *, is_applied: IsApplied) -> None:
        self._database = database
        self._shown = shown
        self._is_applied = is_applied

    async def fetch(self, token: str, address: str) -> SubscriptionView:
        """Return the view of a token; raise NotFound for an unknown or revoked one."""
        found = await self._database.read(
            lambda connection: subscriptions.find_by_token(
                connection, token, public_host=self._shown.public_host, is_applied=self._is_applied
            )
        )
        return SubscriptionView(
            profiles=[found.profile],
            usage=found.usage,
            title=self._shown.title,
            update_interval_h=UPDATE_INTERVAL_H,
            is_active=found.key.is_active,
            subscription_url=subscription_operations.address(self._shown.base_url, token),
            support_url=self._shown.support_url,
        )
