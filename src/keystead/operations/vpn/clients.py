"""Operations on customers' programs and devices: who can connect now, which devices count, and forgetting them."""

from collections.abc import Callable
from datetime import timedelta

from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.operations.vpn.polling import Serving
from keystead.vpn import clients, devices
from keystead.vpn.clients import AccountClients, KeyClients
from keystead.vpn.devices import KeyDevices
from keystead.vpn.keyvalue import KeyIdent


class ClientOperations:
    """What callers may ask about the programs and devices of customers."""

    def __init__(self, transactions: Transactions, serving: Serving, core_version: Callable[[], str]) -> None:
        self._transactions = transactions
        self._serving = serving
        self._core_version = core_version
        self._kept = timedelta(days=serving.device_days)

    async def of_key(self, call: Call, ident: KeyIdent) -> KeyClients:
        """Return which families can connect with a key now."""
        return await self._transactions.read(
            call,
            clients.of_key,
            ident=ident,
            is_applied=self._transactions.is_applied,
            core=self._core_version(),
            wanted=self._serving.wanted,
        )

    async def of_account(self, call: Call) -> AccountClients:
        """Return which families can connect now, and how many customers used each lately."""
        serving = self._serving
        return await self._transactions.read_many(
            call, clients.of_account, scope=serving.scope, core=self._core_version(), wanted=serving.wanted
        )

    async def devices(self, call: Call, ident: KeyIdent) -> KeyDevices:
        """Return the devices that count towards a key's limit."""
        return await self._transactions.read(
            call, devices.list_, ident=ident, is_applied=self._transactions.is_applied, kept=self._kept
        )

    async def forget(self, call: Call, ident: KeyIdent, device_id: int | None = None) -> int:
        """Forget one device of a key, or all; return how many."""
        committed = await self._transactions.write(
            call, devices.forget, ident=ident, is_applied=self._transactions.is_applied, device_id=device_id
        )
        return committed.value
