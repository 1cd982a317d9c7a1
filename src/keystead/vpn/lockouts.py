"""Whom a replacement of the core locks out, told in its plan with how many customers used each family lately.

Stands between the reconciler and the engine's own replacer. An upgrade also puts in force a stricter rule of the
settings: until somebody approves that plan by its digest, the rule before goes on.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy import Connection

from keystead.db.session import Database
from keystead.engines.xray.state import XrayDesired
from keystead.kit.clock import Clock
from keystead.reconcile.engine import EngineView, Replacer
from keystead.reconcile.replacement import Kind, Loss, Progress, Replacement, Wish
from keystead.vpn import clientrules, clients, compatibility
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.clients import LATELY
from keystead.vpn.families import Family

# Puts a rule in force in a transaction, audited.
Allow = Callable[[Connection, ClientVersions], None]


class TellingReplacer:
    """A replacer whose plans say whom they lock out (reconcile.engine.Replacer)."""

    def __init__(
        self,
        inner: Replacer[XrayDesired],
        *,
        scope: str,
        wanted: ClientVersions,
        database: Database,
        clock: Clock,
        allow: Allow,
    ) -> None:
        self._inner = inner
        self._scope = scope
        self._wanted = wanted
        self._database = database
        self._clock = clock
        self._allow = allow

    async def plan(self, scope: str, wish: Wish) -> Replacement:
        """Return what it would mean, for the engine and for customers."""
        planned = await self._inner.plan(scope, wish)

        def look(connection: Connection) -> tuple[ClientVersions, dict[Family, int]]:
            before = clientrules.in_force(connection, scope) or self._wanted
            return before, clients.customers(connection, scope, self._clock.now())

        before, customers = await self._database.read(look)
        return told(planned, before, self._after(planned, before), customers)

    async def prepare(self, replacement: Replacement, desired: XrayDesired) -> None:
        """Make the successor ready, under the rule that it is approved with."""
        await self._inner.prepare(replacement, self._ruled(replacement, desired))

    async def carry_out(self, replacement: Replacement, desired: XrayDesired) -> None:
        """Let the successor take over; then the rule that it serves under is in force.

        In this order: whatever ends Keystead in between, the next pass goes back to the milder rule, and nobody is
        locked out by a rule that is not on record.
        """
        await self._inner.carry_out(replacement, self._ruled(replacement, desired))
        if replacement.alterations:
            await self._database.write(lambda connection: self._allow(connection, self._wanted))

    async def progress(self) -> Progress:
        """Return how far the last replacement has come."""
        return await self._inner.progress()

    async def view(self) -> EngineView:
        """Return what stands behind the engine now."""
        return await self._inner.view()

    def _after(self, planned: Replacement, before: ClientVersions) -> ClientVersions:
        return self._wanted if planned.wish.kind is Kind.UPGRADE else before

    def _ruled(self, replacement: Replacement, desired: XrayDesired) -> XrayDesired:
        if not replacement.alterations:
            return desired
        least = self._wanted.least
        return replace(
            desired, inbounds=tuple(replace(inbound, min_client_version=least) for inbound in desired.inbounds)
        )


def told(
    planned: Replacement, before: ClientVersions, after: ClientVersions, customers: Mapping[Family, int]
) -> Replacement:
    """Return a replacement that says how the rule changes and whom it locks out; pure."""
    was = compatibility.server_of(planned.running.program.version, before)
    becomes = compatibility.server_of(planned.successor.version, after)
    losses = [] if was is None or becomes is None else compatibility.lost(was, becomes)
    return replace(
        planned,
        is_needed=planned.is_needed or before is not after,
        alterations=() if before is after else (f"client versions: {before.value} to {after.value}",),
        losses=tuple(
            Loss(one.row.programs, one.is_whole, customers.get(one.row.family, 0), LATELY.days, one.reason)
            for one in losses
        ),
    )
