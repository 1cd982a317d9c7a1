"""What takes longer than a transaction, once for all wires: a change and its wait, and the undoing when it fails.

An issued key is answered when a client can connect; one the engine does not confirm in time is taken back. A
revocation is answered when no new connection can be made; one that is not certain yet is carried through by the loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from keystead.access import principal
from keystead.kit.errors import EngineUnavailable, KeysteadError
from keystead.kit.page import Page
from keystead.operations.calls import Call
from keystead.operations.transaction import Committed, Transactions
from keystead.operations.undoing import Undoing
from keystead.reconcile.settle import Outcome, Settlement
from keystead.vpn import history, keys, traffic
from keystead.vpn.errors import PortsExhausted
from keystead.vpn.history import History, Step
from keystead.vpn.keys import KeyPage
from keystead.vpn.keyvalue import KeyIdent, VpnKey
from keystead.vpn.meter import Meter
from keystead.vpn.placement import Firmness, Placement
from keystead.vpn.plans import Wish
from keystead.vpn.ports import PortPool
from keystead.vpn.targets import TargetWatch
from keystead.vpn.traffic import AccountUsage, SyncReport, Usage
from keystead.vpn.values import ClientProfile

T = TypeVar("T")

ISSUE_TIMEOUT_S = 15.0
REVOKE_TIMEOUT_S = 5.0
# Bots call this after every create and wait three seconds for an answer.
COMPARISON_TIMEOUT_S = 2.0
# What an answer said of a key is written down within milliseconds of it, unless the database is busy.
_WRITTEN_TIMEOUT_S = 1.0
_RETRY_AFTER_S = 5
# Keys that are read on the event loop without others noticing: about a millisecond's worth.
_SHORT = 200


class RevocationPending(EngineUnavailable):
    """A revoked key may still connect; Keystead goes on removing it by itself."""

    code = "revocation_pending"


@dataclass(frozen=True)
class KeyChanges:
    """What to change about a key: ``name`` counts when ``is_renamed``; an ``is_active`` of None stays."""

    is_renamed: bool = False
    name: str | None = None
    is_active: bool | None = None


class VpnOperations:
    """The operations on VPN keys that every dialect offers."""

    def __init__(
        self, transactions: Transactions, meter: Meter, targets: TargetWatch, *, pool: PortPool, public_host: str
    ) -> None:
        self._transactions = transactions
        self._pool = pool
        self._meter = meter
        self._targets = targets
        self._public_host = public_host
        self.undoing = Undoing(transactions.clock)

    async def issue(
        self,
        call: Call,
        *,
        name: str | None,
        placement: Placement,
        firmness: Firmness = Firmness.FIXED,
        wish: Wish | None = None,
    ) -> VpnKey:
        """Issue a key and wait until a client can connect with it; raise EngineUnavailable with nothing left behind.

        ``firmness`` says what ``placement`` is worth beside that of a plan; with a wire that has one only it is fixed.

        A caller who is gone before the answer (the server is stopping) leaves nothing behind either.
        """
        clock = self._transactions.clock
        until_s = clock.monotonic_s() + ISSUE_TIMEOUT_S
        target_problem = await self._targets.when_examined(ISSUE_TIMEOUT_S)
        wanted = {"name": name, "placement": placement, "firmness": firmness, "wish": wish}
        wanted["target_problem"] = target_problem
        committed: Committed[VpnKey] | None = None
        try:
            committed = await self._commit_issue(call, **wanted)
            settlement = await self._transactions.settle(committed, until_s - clock.monotonic_s())
        except asyncio.CancelledError:
            if committed is not None:
                reason = "the caller was gone before the answer"
                self.undoing.later(partial(self._undo_issue, call, committed.value, reason))
            raise
        if settlement.outcome is not Outcome.SETTLED:
            error = _engine_error(settlement, "the VPN engine did not confirm the key in time; nothing was created")
            await self.undoing.carry_out(partial(self._undo_issue, call, committed.value, error.message))
            raise error
        return committed.value

    async def _commit_issue(self, call: Call, **wanted: Any) -> Committed[VpnKey]:
        """Issue a key; where no port is left, wait first for those of keys whose removal is not written down yet."""
        try:
            return await self._transactions.add(call, keys.issue, pool=self._pool, **wanted)
        except PortsExhausted:
            await self._transactions.when_written(self._meter.scope, _WRITTEN_TIMEOUT_S)
            return await self._transactions.add(call, keys.issue, pool=self._pool, **wanted)

    async def _undo_issue(self, call: Call, key: VpnKey, reason: str) -> None:
        await self._transactions.write(_as_system(call), keys.undo_issue, key=key, reason=reason)

    async def find(self, call: Call, ident: KeyIdent) -> VpnKey:
        """Return a key."""
        return await self._transactions.read(call, keys.find, ident=ident, is_applied=self._transactions.is_applied)

    async def list_(self, call: Call, *, placement: Placement | None, page: Page) -> KeyPage:
        """Return a page of keys; a short one is read like a single key, for a thread would take as long again."""
        is_applied = self._transactions.is_applied
        short = Page(min(page.limit, _SHORT), page.after)
        found = await self._transactions.read(call, keys.list_, placement=placement, page=short, is_applied=is_applied)
        if page.limit <= _SHORT or found.total <= len(found.keys):
            return found
        return await self._transactions.read_many(
            call, keys.list_, placement=placement, page=page, is_applied=is_applied
        )

    async def list_made(
        self, call: Call, *, placement: Placement, made: Callable[[Sequence[VpnKey]], T]
    ) -> Sequence[T]:
        """Return what is made of all keys, part by part; of many it is made where they are read."""
        found = await self.list_(call, placement=placement, page=Page(_SHORT))
        if found.next is None:
            return [made(found.keys)]
        is_applied = self._transactions.is_applied
        return await self._transactions.read_many(
            call, keys.list_made, placement=placement, is_applied=is_applied, made=made
        )

    async def profile(self, call: Call, ident: KeyIdent) -> tuple[VpnKey, ClientProfile]:
        """Return a key and what a client program needs to use it."""
        return await self._transactions.read(
            call, keys.profile, ident=ident, public_host=self._public_host, is_applied=self._transactions.is_applied
        )

    async def revoke(self, call: Call, ident: KeyIdent) -> VpnKey:
        """Revoke a key and wait until nothing new can connect; raise RevocationPending while that is uncertain."""
        told = self._transactions
        committed = await told.write(call, keys.revoke, ident=ident, is_applied=told.is_applied, is_gone=told.is_gone)
        await self._require_cut(committed)
        return committed.value

    async def enable(self, call: Call, ident: KeyIdent) -> VpnKey:
        """Enable a key and wait until it connects; disable it again when the engine does not take it."""
        committed = await self._transactions.write(
            call, keys.enable, ident=ident, is_applied=self._transactions.is_applied
        )
        settlement = await self._transactions.settle(committed, ISSUE_TIMEOUT_S)
        if settlement.outcome is Outcome.SETTLED:
            return committed.value.key
        if committed.value.was_enabled:
            raise _engine_error(settlement, "the VPN engine did not confirm the key in time; it stays enabled")
        await self._undo(call, keys.undo_enable, key=committed.value.key)
        raise _engine_error(settlement, "the VPN engine did not take the key in time; it stays disabled")

    async def disable(self, call: Call, ident: KeyIdent) -> VpnKey:
        """Disable a key and wait until no new connection can be made."""
        committed = await self._transactions.write(
            call, keys.disable, ident=ident, is_applied=self._transactions.is_applied
        )
        await self._require_cut(committed)
        return committed.value

    async def change(self, call: Call, ident: KeyIdent, changes: KeyChanges) -> VpnKey:
        """Change what is given. Enabling and disabling come first: they are what may fail."""
        if changes.is_active is not None:
            await (self.enable if changes.is_active else self.disable)(call, ident)
        if changes.is_renamed:
            return await self.rename(call, ident, changes.name)
        return await self.find(call, ident)

    async def rename(self, call: Call, ident: KeyIdent, name: str | None) -> VpnKey:
        """Rename a key."""
        committed = await self._transactions.write(
            call, keys.rename, ident=ident, name=name, is_applied=self._transactions.is_applied
        )
        return committed.value

    async def reissue(self, call: Call, ident: KeyIdent) -> VpnKey:
        """Give a key a new UUID and wait until it connects; return to the old one when the engine does not take it."""
        committed = await self._transactions.write(
            call, keys.reissue, ident=ident, is_applied=self._transactions.is_applied
        )
        settlement = await self._transactions.settle(committed, ISSUE_TIMEOUT_S)
        if settlement.outcome is not Outcome.SETTLED:
            await self._undo(call, keys.undo_reissue, done=committed.value)
            raise _engine_error(settlement, "the VPN engine did not take the new UUID in time; the old one stays")
        return committed.value.key

    async def usage(self, call: Call, ident: KeyIdent) -> Usage:
        """Return what a key has carried, read from the engine now when it answers."""
        key = await self._locate(call, ident)
        seen = await self._meter.refresh(key)
        return await self._transactions.read(
            call, traffic.usage, ident=ident, is_applied=self._transactions.is_applied, seen=seen
        )

    async def reset_traffic(self, call: Call, ident: KeyIdent) -> Usage:
        """Start a key's traffic at zero; return what it had carried until now.

        A key whose quota begins anew with it is waited for, but the figures are right whenever it connects again.
        """
        key = await self._locate(call, ident)
        await self._meter.refresh(key)
        readings, seen = await self._meter.read_one(key)
        committed = await self._transactions.write(
            call, traffic.reset, ident=ident, is_applied=self._transactions.is_applied, readings=readings, seen=seen
        )
        await self._meter.reload(key)
        await self._transactions.settle(committed, REVOKE_TIMEOUT_S)
        return committed.value

    async def history(
        self, call: Call, ident: KeyIdent, *, step: Step, since: datetime | None, until: datetime | None
    ) -> History:
        """Return what a key has carried by hours or days; a year of days is read away from the event loop."""
        return await self._transactions.read_many(
            call,
            history.of_key,
            ident=ident,
            is_applied=self._transactions.is_applied,
            step=step,
            since=since,
            until=until,
        )

    async def account_traffic(self, call: Call) -> AccountUsage:
        """Return what the keys a caller sees have carried in all, as booked and as of now."""
        moving, quality = self._meter.lifetimes_moving(), self._meter.quality
        return await self._transactions.read_many(call, traffic.of_account, moving=moving, quality=quality)

    async def sync_traffic(self, call: Call, *, placement: Placement) -> SyncReport:
        """Read all counters now and book them; a key counts from its answer on."""
        try:
            readings = await self._meter.read_all()
        except EngineUnavailable:
            readings = ()
        await self._transactions.when_written(self._meter.scope, _WRITTEN_TIMEOUT_S)
        committed = await self._transactions.write(
            call, traffic.sync, scope=self._meter.scope, placement=placement, readings=readings
        )
        return committed.value

    async def reconcile(self, call: Call) -> None:
        """Compare the engine with the database now and repair what differs; raise EngineUnavailable when it is away."""
        await self._transactions.read(call, keys.ask_comparison)
        await self._transactions.reconcile(self._meter.scope, COMPARISON_TIMEOUT_S)

    async def _undo(self, call: Call, verb: Callable[..., None], **arguments: Any) -> None:
        async def undo() -> None:
            await self._transactions.write(_as_system(call), verb, **arguments)

        await self.undoing.carry_out(undo)

    async def _locate(self, call: Call, ident: KeyIdent) -> VpnKey:
        usage = await self._transactions.read(
            call, traffic.usage, ident=ident, is_applied=self._transactions.is_applied
        )
        return usage.key

    async def _require_cut(self, committed: Committed[VpnKey]) -> None:
        settlement = await self._transactions.settle(committed, REVOKE_TIMEOUT_S)
        if settlement.outcome is not Outcome.SETTLED:
            raise RevocationPending(
                "the VPN engine has not confirmed the removal yet; it is carried through by itself",
                retry_after_s=_RETRY_AFTER_S,
            )


def _engine_error(settlement: Settlement, message: str) -> KeysteadError:
    if settlement.outcome is Outcome.FAILED and settlement.error is not None:
        return settlement.error
    why = f": {settlement.error.message}" if settlement.error is not None else ""
    return EngineUnavailable(f"{message}{why}", retry_after_s=_RETRY_AFTER_S)


def _as_system(call: Call) -> Call:
    return Call(principal.system(call.principal.account_id), call.request_id)
