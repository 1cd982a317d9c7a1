"""Operations on the ports that keys have for their own: give new ones where needed, and let go of former ones."""

from keystead.access import principal
from keystead.kit.clock import Clock
from keystead.kit.errors import EngineUnavailable
from keystead.kit.loops import repeat
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.reconcile.settle import Outcome
from keystead.vpn import renumbering
from keystead.vpn.ports import PortPool
from keystead.vpn.renumbering import Renumbering

COMPARISON_TIMEOUT_S = 15.0
MOVED_TIMEOUT_S = 15.0
_RETIRE_EVERY_S = 60.0


class PortOperations:
    """The operations on keys' own ports that every dialect offers, and the loop that ends former ones."""

    def __init__(
        self, transactions: Transactions, *, scope: str, pool: PortPool, grace_s: int, account_id: int
    ) -> None:
        self._transactions = transactions
        self._scope = scope
        self._grace_s = grace_s
        self._account_id = account_id
        self.pool = pool

    async def reset(self, call: Call) -> Renumbering:
        """Keep every port that is in the pool and listens, and give the others a new one; they serve when this returns.

        Raises EngineUnavailable when the engine cannot be asked, or does not open the new ports in time; those that
        were given stay, and are opened as soon as possible.
        """
        told = self._transactions
        await told.reconcile(self._scope, COMPARISON_TIMEOUT_S)
        opened = await told.held(self._scope)
        committed = await told.write(call, renumbering.reset, pool=self.pool, opened=set(opened), grace_s=self._grace_s)
        settlement = await told.settle(committed, MOVED_TIMEOUT_S)
        if settlement.outcome is Outcome.FAILED and settlement.error is not None:
            raise settlement.error
        if settlement.outcome is not Outcome.SETTLED:
            raise EngineUnavailable("the VPN engine did not open the new ports in time; they open by themselves")
        return committed.value

    async def run(self, clock: Clock) -> None:
        """End former ports when their time is over, until cancelled."""
        await repeat(self.retire, _RETIRE_EVERY_S, clock, failing="former ports are not ended")

    async def retire(self) -> None:
        """End the former ports whose time is over."""
        call = Call(principal.system(self._account_id), "former ports")
        for scope in (await self._transactions.write(call, renumbering.retire)).value:
            self._transactions.wake_fully(scope)
