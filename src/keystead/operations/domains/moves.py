"""Operations on domain moves: plan one from what providers and DNS say, start it, watch, pause, retry and undo it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from keystead.kit.errors import KeysteadError, StorageFailed, Unavailable
from keystead.kit.page import Page
from keystead.operations.calls import Call
from keystead.operations.domains.moving.desk import Openings
from keystead.operations.transaction import Transactions
from keystead.outgoing.dns import Lookup
from keystead.providers.cloudflare import CLOUDFLARE
from keystead.providers.cloudflare_answers import RemoteZone
from keystead.providers.registrar import RegisteredDomain
from keystead.vault import credentials, moveplan, moves
from keystead.vault.credentialvalue import Credential, Status
from keystead.vault.moveplan import MoveOrder, MovePlan, Sight
from keystead.vault.moves import Move
from keystead.vault.movevalue import Item, State

# Registrars are slow to list and let themselves be asked seldom: who starts what was just planned does not ask again.
_KEPT_S = 120.0


class MoveOperations:
    """What callers may do with domain moves; ``on_started`` is told that there is a job to be done."""

    def __init__(
        self,
        transactions: Transactions,
        openings: Openings,
        lookup: Lookup,
        *,
        on_started: Callable[[], None],
    ) -> None:
        self._transactions = transactions
        self._openings = openings
        self._lookup = lookup
        self._on_started = on_started
        self._kept: dict[int, tuple[float, dict[str, RegisteredDomain]]] = {}

    async def plan(self, call: Call, order: MoveOrder) -> MovePlan:
        """Return what an order would do now: providers and the domains' parents are asked, and nothing is changed."""
        order.check()
        await self._transactions.check(call, moves.start)
        return moveplan.plan(order, await self._sight(call, order))

    async def start(self, call: Call, order: MoveOrder, *, digest: str | None) -> Move:
        """Begin to carry a plan out; it goes on by itself, also when Keystead is started anew."""
        planned = await self.plan(call, order)
        return await self._begun(call, moves.start, planned, digest=digest)

    async def list_(self, call: Call, page: Page) -> Sequence[Move]:
        """Return moves, the newest first."""
        return await self._transactions.read_many(call, moves.list_, page)

    async def find(self, call: Call, number: int) -> Move:
        """Return how a move stands."""
        return await self._transactions.read_many(call, moves.find, number)

    async def results(self, call: Call, number: int, *, state: State | None, page: Page) -> Sequence[Item]:
        """Return what became of which domain."""
        return await self._transactions.read_many(call, moves.results, number, state=state, page=page)

    async def pause(self, call: Call, number: int) -> Move:
        """Have nothing more done for now."""
        return (await self._transactions.write(call, moves.pause, number)).value

    async def go_on(self, call: Call, number: int) -> Move:
        """Go on with a move that was paused."""
        return await self._begun(call, moves.go_on, number)

    async def cancel(self, call: Call, number: int) -> Move:
        """End a move where it is."""
        return (await self._transactions.write(call, moves.cancel, number)).value

    async def retry(self, call: Call, number: int) -> Move:
        """Try the domains that failed again."""
        return await self._begun(call, moves.retry, number)

    async def plan_undo(self, call: Call, number: int, *, removes_zones: bool) -> Sequence[Item]:
        """Return what undoing a move would do; nothing is done."""
        return await self._transactions.read_many(call, moves.plan_undo, number, removes_zones=removes_zones)

    async def undo(self, call: Call, number: int, *, removes_zones: bool) -> Move:
        """Begin to set the previous name servers back."""
        return await self._begun(call, moves.undo, number, removes_zones=removes_zones)

    async def _begun(self, call: Call, verb: Any, /, *args: Any, **kwargs: Any) -> Move:
        move: Move = (await self._transactions.write(call, verb, *args, **kwargs)).value
        self._on_started()
        return move

    async def _sight(self, call: Call, order: MoveOrder) -> Sight:
        """Ask every provider that the order concerns, and the parents of its domains."""
        ours = await self._transactions.read_many(call, credentials.list_)
        wanted = order.domains
        zones_of = _meant(ours, {CLOUDFLARE.id}, {one.zone_credential_id for one in wanted})
        providers = self._openings.registrar_providers
        registrars = _meant(ours, providers, {one.registrar_credential_id for one in wanted})
        unusable: dict[int, str] = {}
        zones, registered = await asyncio.gather(
            self._each(zones_of, unusable, lambda one: self._zones(call, one)),
            self._each(registrars, unusable, lambda one: self._registered(call, one)),
        )
        holders = {one.id: one.provider for one in registrars}
        sight = Sight(zones, registered, holders, unusable=unusable, today=self._transactions.clock.now().date())
        return replace(sight, delegated=await self._delegated(moveplan.names_of(order, sight)))

    async def _zones(self, call: Call, credential: Credential) -> dict[str, RemoteZone]:
        access = await self._openings.cloudflare(call, credential.id)
        return {zone.name: zone for zone in await access.client.zones(access.account_id)}

    async def _registered(self, call: Call, credential: Credential) -> dict[str, RegisteredDomain]:
        client = await self._openings.registrar(call, credential.id)
        now_s = self._transactions.clock.monotonic_s()
        kept = self._kept.get(credential.id)
        if kept is None or now_s - kept[0] > _KEPT_S:
            kept = self._kept[credential.id] = (now_s, {domain.name: domain for domain in await client.domains()})
        return kept[1]

    @staticmethod
    async def _each(chosen: Sequence[Credential], unusable: dict[int, str], ask: Callable[..., Any]) -> dict[int, Any]:
        """Ask with each credential; note why one cannot be used, and raise what is only so for now."""
        found = {}
        for credential in chosen:
            try:
                found[credential.id] = await ask(credential)
            except (Unavailable, StorageFailed):
                raise
            except KeysteadError as error:
                unusable[credential.id] = f"credential {credential.id} cannot be used: {error.message}"
        return found

    async def _delegated(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return to whom domains are delegated; one whose parent does not answer is left out."""
        told = await asyncio.gather(*(self._lookup.delegation(name) for name in names), return_exceptions=True)
        found = {}
        for name, delegation in zip(names, told, strict=True):
            if isinstance(delegation, Unavailable):
                continue
            if isinstance(delegation, BaseException):
                raise delegation
            found[name] = delegation.name_servers
        return found


def _meant(
    ours: Sequence[Credential], providers: set[str] | frozenset[str], named: set[int | None]
) -> list[Credential]:
    """Return the credentials that a list names, or every active one where it leaves that open."""
    active = [one for one in ours if one.provider in providers and one.status is Status.ACTIVE]
    return active if None in named else [one for one in active if one.id in named]
