"""Operations on the terms of keys and on plans: changes with their wait, for every dialect; and the loop's own.

What was sold is not undone when an engine is away: it is stored, answered as not in force yet, and carried through.
"""

from collections.abc import Callable
from typing import TypeVar

from keystead.access import principal
from keystead.kit.errors import EngineUnavailable
from keystead.kit.page import Page
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.reconcile.settle import Outcome
from keystead.vpn import enforcement, plans, terms
from keystead.vpn.accounting import Bytes
from keystead.vpn.enforcing import Figures
from keystead.vpn.keyvalue import KeyIdent, KeyStatus, VpnKey
from keystead.vpn.placement import Placement
from keystead.vpn.plans import UNSET, TermChanges, Unset, Wish
from keystead.vpn.store.plans import Plan
from keystead.vpn.terms import Granted, KeyTerms, KeyTermsPage

R = TypeVar("R")

SETTLE_TIMEOUT_S = 5.0
_RETRY_AFTER_S = 5
_SHORT = 200


class TermsPending(EngineUnavailable):
    """Terms are stored and the engine has not confirmed them yet; Keystead goes on by itself."""

    code = "terms_pending"


class TermsOperations:
    """What callers may do with terms and plans."""

    def __init__(self, transactions: Transactions, figures: Figures) -> None:
        self._transactions = transactions
        self._figures = figures

    async def show(self, call: Call, ident: KeyIdent) -> KeyTerms:
        """Return a key with its terms."""
        return await self._transactions.read(
            call, terms.show, ident=ident, is_applied=self._transactions.is_applied, live=self._figures.live
        )

    async def shown(self, call: Call, key: VpnKey, *, has_terms: bool = True) -> KeyTerms:
        """Return a key that was just issued or changed, with its terms; nothing is read for one without."""
        if not has_terms:
            return KeyTerms(key, None, None)
        return await self._transactions.read(call, terms.of_key, key=key, live=self._figures.live)

    async def list_(
        self, call: Call, *, placement: Placement | None, page: Page, status: KeyStatus | None = None
    ) -> KeyTermsPage:
        """Return a page of keys with their terms, all or those of a status."""
        read = self._transactions.read if page.limit <= _SHORT else self._transactions.read_many
        return await read(
            call,
            terms.list_,
            placement=placement,
            page=page,
            is_applied=self._transactions.is_applied,
            live=self._figures.live,
            status=status,
        )

    async def change(self, call: Call, ident: KeyIdent, wish: Wish) -> KeyTerms:
        """Change a key's terms and wait until they are in force."""
        return await self._put_in_force(call, terms.change, ident=ident, wish=wish)

    async def extend(self, call: Call, ident: KeyIdent, *, days: int, request: str | None) -> Granted:
        """Move a key's end and wait until it connects, if nothing else stops it."""
        return await self._put_in_force(call, terms.extend, ident=ident, days=days, request=request)

    async def top_up(self, call: Call, ident: KeyIdent, *, more: int, request: str | None) -> Granted:
        """Give a key more bytes and wait until it connects, if nothing else stops it."""
        return await self._put_in_force(call, terms.top_up, ident=ident, more=more, request=request)

    async def enforce(self, account_id: int, number: int, live: Bytes | None) -> None:
        """Do what is due for a key, as the system; the engine is told by the reconciler."""
        call = Call(principal.system(account_id), "enforcing")
        await self._transactions.write(call, enforcement.enforce, number=number, live=live)

    async def note_refusal(self, account_id: int, number: int, active: int) -> None:
        """Put on record, as the system, that an address of a key is refused."""
        call = Call(principal.system(account_id), "refusals")
        await self._transactions.write(call, enforcement.note_refusal, number=number, active=active)

    async def plans(self, call: Call) -> list[Plan]:
        """Return all plans."""
        return await self._transactions.read(call, plans.list_)

    async def plan(self, call: Call, name: str) -> Plan:
        """Return a plan."""
        return await self._transactions.read(call, plans.find, name=name)

    async def create_plan(
        self, call: Call, *, name: str, changes: TermChanges, placement: Placement | None = None
    ) -> Plan:
        """Create a plan."""
        done = await self._transactions.write(call, plans.create, name=name, changes=changes, placement=placement)
        return done.value

    async def change_plan(
        self, call: Call, *, name: str, changes: TermChanges, placement: Placement | Unset | None = UNSET
    ) -> Plan:
        """Change a plan; keys there are keep their terms."""
        done = await self._transactions.write(call, plans.change, name=name, changes=changes, placement=placement)
        return done.value

    async def remove_plan(self, call: Call, name: str) -> None:
        """Delete a plan; keys keep their terms."""
        await self._transactions.write(call, plans.remove, name=name)

    async def _put_in_force(self, call: Call, verb: Callable[..., R], **what: object) -> R:
        """Run a verb on the terms of a key and wait until the engine holds what came of it."""
        committed = await self._transactions.write(
            call, verb, **what, is_applied=self._transactions.is_applied, live=self._figures.live
        )
        settlement = await self._transactions.settle(committed, SETTLE_TIMEOUT_S)
        if settlement.outcome is not Outcome.SETTLED:
            raise TermsPending(
                "the terms are stored, and the VPN engine has not confirmed them yet; they are carried through",
                retry_after_s=_RETRY_AFTER_S,
            )
        return committed.value
