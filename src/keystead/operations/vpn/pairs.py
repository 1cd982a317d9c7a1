"""Operations on REALITY key pairs: what they are, who uses the second one, and rotating them without an outage.

A rotation is answered when links have turned, and links turn when another process of the engine was proven to serve
both pairs. What is cut short goes on: the loop here finishes a rotation that another process of ours began, and retires
a pair when its time is over.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from keystead.access import principal
from keystead.engines.xray.state import LiveConnection
from keystead.kit.clock import Clock
from keystead.kit.errors import Conflict, EngineUnavailable, KeysteadError, Unavailable, Unsupported
from keystead.kit.log import get_logger
from keystead.operations.calls import Call
from keystead.operations.transaction import Transactions
from keystead.reconcile.loop import Reconciler
from keystead.reconcile.plan import Verb
from keystead.vpn import pairs
from keystead.vpn.errors import NoValidTarget
from keystead.vpn.founding import KeyPair
from keystead.vpn.keyvalue import number_of
from keystead.vpn.pairplan import Act, PairPlan, Wish
from keystead.vpn.pairs import Pairs
from keystead.vpn.secondpair import SecondPair, Stage
from keystead.vpn.store.secondpairs import Use

log = get_logger()

# A process becomes warm and is proven in it. A pass that was under way may have begun before the change: then another.
SERVED_WITHIN_S = 40.0
LOOK_EVERY_S = 60.0
_AGAIN_S = 5.0
_CATCH_UP_S = 86_400.0
_ATTEMPTS = 2


class Sides(Protocol):
    """Who is connected through which inbounds. Both raise Unavailable and Unsupported."""

    async def connections(self, labels: Collection[str] | None = None) -> list[LiveConnection]:
        """Return live connections."""
        ...

    async def seen(self, within_s: float, *, is_behind: bool | None = None) -> Mapping[str, float]:
        """Return how many seconds ago labels were seen, through inbounds behind others or through those others."""
        ...


@dataclass(frozen=True)
class PairView:
    """The pairs, and how many keys are connected with the second one; None where nobody knows."""

    pairs: Pairs
    connected: int | None


@dataclass(frozen=True)
class PairUser:
    """A key that was seen at the second pair, and how many connections it has there now."""

    use: Use
    connections: int


class PairOperations:
    """What callers may do with key pairs, and the loop that carries on by itself."""

    def __init__(
        self,
        transactions: Transactions,
        reconciler: Reconciler,
        sides: Sides,
        *,
        scope: str,
        account_id: int,
        make_pair: Callable[[], KeyPair],
    ) -> None:
        self._transactions = transactions
        self._reconciler = reconciler
        self._sides = sides
        self._scope = scope
        self._ours = Call(principal.system(account_id), "key pairs")
        self._make_pair = make_pair
        self._turn = asyncio.Lock()
        self._noted: tuple[int, bool, float] | None = None

    async def show(self, call: Call) -> PairView:
        """Return the pairs of the VPN."""
        found = await self._transactions.read_many(call, pairs.look, self._scope)
        return PairView(found, await self._connected(found))

    async def users(self, call: Call) -> list[PairUser]:
        """Return the caller's keys that were seen at the second pair, as of now."""
        found = await self._transactions.read_many(call, pairs.look, self._scope)
        with suppress(Unavailable, Unsupported):
            await self._note(found)
        used = await self._transactions.read_many(call, pairs.uses, self._scope)
        live = await self._live(found) or Counter()
        return [PairUser(use, live[use.number]) for use in used]

    async def plan(self, call: Call, wish: Wish) -> PairPlan:
        """Return what a wish would mean; raise Conflict when it cannot be."""
        planned = await self._transactions.read_many(call, pairs.plan, self._scope, wish)
        if wish.act is Act.ROTATE:
            await self._check_engine()
        found = await self._transactions.read_many(call, pairs.look, self._scope)
        return replace(planned, connected=await self._connected(found))

    async def carry_out(self, call: Call, wish: Wish, digest: str) -> PairPlan:
        """Do exactly what was reviewed; it is in force when this returns. Raises Conflict when it is another plan now.

        Raises EngineUnavailable for a rotation whose process did not prove itself, with nothing changed; for a way back
        with ports that do not come to serve both pairs, with links as they are; and for a retirement that takes longer,
        which goes on by itself.
        """
        planned = await self.plan(call, wish)
        async with self._turn:
            match wish.act:
                case Act.ROTATE:
                    await self._rotate(call, wish, digest)
                case Act.REVERT:
                    await self._revert(call, wish, digest)
                case Act.RETIRE:
                    await self._transactions.write(call, pairs.retire, self._scope, wish, digest=digest)
                    await self._served()
        return planned

    async def run(self, clock: Clock) -> None:
        """Finish what is under way, note who uses the second pair, and retire it in time, until cancelled."""
        while True:
            again_s = LOOK_EVERY_S
            try:
                async with self._turn:
                    await self._look_after()
            except (Unsupported, NoValidTarget) as error:
                log.debug("key pairs not looked after", reason=error.message)
            except KeysteadError as error:
                log.warning("key pairs not looked after", reason=error.message)
                again_s = _AGAIN_S
            await clock.sleep(again_s)

    async def _look_after(self) -> None:
        if await self._retire_over():
            return
        found = await self._transactions.read_many(self._ours, pairs.look, self._scope)
        if found.second is not None and found.second.stage is Stage.COMING:
            await self._served()
            await self._follow(self._ours, found.second)
        else:
            await self._note(found)

    async def _rotate(self, call: Call, wish: Wish, digest: str) -> None:
        pair = self._make_pair()
        begun = (await self._transactions.write(call, pairs.begin, self._scope, wish, digest=digest, pair=pair)).value
        try:
            await self._served()
        except KeysteadError as error:
            await self._transactions.write(self._ours, pairs.give_up, begun.id, reason=error.message)
            self._transactions.wake_fully(self._scope)
            raise EngineUnavailable(f"no new pair is served, and links stay what they are: {error.message}") from error
        await self._follow(call, begun)
        await self._retire_over_now()

    async def _revert(self, call: Call, wish: Wish, digest: str) -> None:
        """Turn links back; where ports have the linked pair alone, once they serve the other one as well."""
        if (await self._transactions.write(call, pairs.complete, self._scope, wish, digest=digest)).value:
            await self._served()
        await self._transactions.write(call, pairs.revert, self._scope, wish, digest=digest)
        await self._retire_over_now()

    async def _follow(self, call: Call, coming: SecondPair) -> None:
        await self._transactions.write(call, pairs.follow, coming.id)
        log.info("links have turned to another key pair", scope=self._scope, kept_s=coming.kept_s)

    async def _retire_over_now(self) -> None:
        """Retire a pair that is not to be kept, and wait for it."""
        if await self._retire_over():
            await self._served()

    async def _retire_over(self) -> bool:
        retired = (await self._transactions.write(self._ours, pairs.retire_over)).value
        for scope in retired:
            log.info("a key pair is retired", scope=scope)
            self._transactions.wake_fully(scope)
        return bool(retired)

    async def _served(self) -> None:
        """Wait until the engine is as the database says; raise EngineUnavailable when it does not come to that."""
        for _ in range(_ATTEMPTS):
            await self._transactions.reconcile(self._scope, SERVED_WITHIN_S)
            plan = await self._reconciler.preview(self._scope)
            if all(step.verb is not Verb.RESTART for step in plan.steps):
                return
        raise EngineUnavailable("the process that is to take over does not prove itself; see keystead doctor")

    async def _check_engine(self) -> None:
        if not self._reconciler.can_replace(self._scope):
            raise Conflict("the VPN engine is run by somebody else: its key pair is rotated with a restart of theirs")
        view = (await self._reconciler.views()).get(self._scope)
        if view is None:
            raise EngineUnavailable("the keeper of the VPN engine does not answer; see keystead doctor")
        if any(keeper.is_leading and not keeper.is_current for keeper in view.keepers):
            raise Conflict("the keeper is older than this Keystead; first run: keystead engine upgrade --keeper")

    # --- who uses the second pair ---

    async def _connected(self, found: Pairs) -> int | None:
        live = await self._live(found)
        return None if live is None else len(live)

    async def _live(self, found: Pairs) -> Counter[int] | None:
        """Count the live connections with the second pair by key; None where nobody knows them."""
        if found.second is None:
            return Counter()
        try:
            live = await self._sides.connections()
            before = await self._processes_before(found)
        except (Unavailable, Unsupported):
            return None
        numbers = (number_of(one.label or "") for one in live if one.tag in found.tags or one.process in before)
        return Counter(number for number in numbers if number is not None)

    async def _processes_before(self, found: Pairs) -> set[str]:
        """Return the processes that are older than the younger pair: whoever is connected to them has the older one."""
        if found.second is None or found.second.is_front:
            return set()
        view = (await self._reconciler.views()).get(self._scope)
        cores = [core for keeper in (view.keepers if view else ()) for core in keeper.cores]
        return {core.process for core in cores if core.since is not None and core.since < found.linked_since}

    async def _note(self, found: Pairs) -> None:
        """Write down who was seen at the second pair since the last time."""
        second = found.second
        if second is None or second.stage is Stage.COMING:
            return
        clock = self._transactions.clock
        now_s, now = clock.monotonic_s(), clock.now()
        within_s = _CATCH_UP_S
        if self._noted is not None and self._noted[:2] == (second.id, second.is_front):
            within_s = now_s - self._noted[2] + LOOK_EVERY_S
        seen = await self._sides.seen(within_s, is_behind=not second.is_front)
        moments = {number: now - timedelta(seconds=ago_s) for number, ago_s in _by_number(seen).items()}
        for number in await self._live(found) or ():
            moments[number] = now
        if moments:
            note = pairs.note_uses
            await self._transactions.write(self._ours, note, second.id, is_front=second.is_front, seen=moments)
        self._noted = (second.id, second.is_front, now_s)


def _by_number(seen: Mapping[str, float]) -> dict[int, float]:
    found: dict[int, float] = {}
    for label, ago_s in seen.items():
        number = number_of(label)
        if number is not None:
            found[number] = min(ago_s, found.get(number, ago_s))
    return found
