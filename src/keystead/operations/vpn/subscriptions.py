"""Operations on subscriptions: the address that a customer's app polls, shown, replaced and closed."""

from keystead.kit.secret import Secret
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.vpn import subscriptions
from keystead.vpn.keyvalue import KeyIdent

PREFIX = "/sub"


def address(base_url: str, token: str) -> str:
    """Return the absolute address of a subscription."""
    return f"{base_url}{PREFIX}/{token}"


class SubscriptionOperations:
    """What callers may do with a key's subscription; ``base_url`` is where customers reach us."""

    def __init__(self, transactions: Transactions, *, base_url: str) -> None:
        self._transactions = transactions
        self._base_url = base_url

    async def url(self, call: Call, ident: KeyIdent) -> str:
        """Return the address; the first call opens the subscription."""
        committed = await self._transactions.write(
            call, subscriptions.token, ident=ident, is_applied=self._transactions.is_applied
        )
        return self.address_of(committed.value)

    async def replace(self, call: Call, ident: KeyIdent) -> str:
        """Return a new address; the old one leads nowhere when this returns."""
        committed = await self._transactions.write(
            call, subscriptions.replace, ident=ident, is_applied=self._transactions.is_applied
        )
        return self.address_of(committed.value)

    async def revoke(self, call: Call, ident: KeyIdent) -> None:
        """Close the subscription."""
        await self._transactions.write(
            call, subscriptions.revoke, ident=ident, is_applied=self._transactions.is_applied
        )

    def address_of(self, token: Secret[str]) -> str:
        """Return the address of a subscription whose token is known."""
        return address(self._base_url, token.reveal())
