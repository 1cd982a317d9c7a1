"""One process of the core, attended to: its API is watched, and dials through it prove that a client would be served.

Made by the driver for every process it comes to know: the one that serves, and one that is to take its place.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from keystead.engines.xray import warmers, warmth
from keystead.engines.xray.blocking import Blocks
from keystead.engines.xray.config import ProbePlan, Route, is_warmer
from keystead.engines.xray.launching import Role, Started
from keystead.engines.xray.probe import Prober
from keystead.engines.xray.state import XrayDesired, XrayInbound
from keystead.engines.xray.warmers import Warmer
from keystead.keeper.ports import free_loopback_port
from keystead.kit.clock import Clock
from keystead.kit.errors import EngineUnavailable, KeysteadError
from keystead.kit.log import get_logger
from keystead.reconcile.engine import Condition, Health

log = get_logger()

_POLL_S = 0.02
_RETRY_S = 1.0


@dataclass(frozen=True)
class Patience:
    """How long a call may take, how often a process is looked at, and how long it may be silent."""

    call_timeout_s: float = 2.0
    probe_every_s: float = 5.0
    hung_after_s: float = 20.0


class Attendance:
    """Know whether a process is reachable (its API answers), and which of its inbounds are warm (dials came back).

    It is ready when all are. A candidate is dialled through its loopback listeners until it is published, and through
    its public ones from then on; ``warm`` says that it may take over. Pairs that come into use later get warmers.
    """

    def __init__(
        self,
        process: str,
        started: Started,
        prober: Prober,
        patience: Patience,
        *,
        clock: Clock,
        on_hung: Callable[[str], None],
        on_served: Callable[[], None],
        look_after: Callable[["Attendance"], Awaitable[None]],
    ) -> None:
        # Imported with the first process, while that reads its configuration: nobody is served before it has.
        from keystead.engines.xray.client import XrayClient

        self.process = process
        self.started = started
        self.client = XrayClient.on_socket(started.socket, timeout_s=patience.call_timeout_s)
        self.blocks = Blocks(self.client, clock=clock)
        self.reachable = asyncio.Event()
        self.ready = asyncio.Event()
        self.warm = asyncio.Event()
        self.is_hung = False
        self._is_public = started.role is not Role.CANDIDATE
        self._needs = dict(started.needs)
        self._added: list[Warmer] = []
        # The warmers' routes by tag, and those of pairs that are in use no more.
        routes = enumerate(started.probe.routes)
        self._warmers = {route.tag: number for number, route in routes if is_warmer(route.tag)}
        self._idle: set[int] = set()
        self._cold = set(self._numbers)
        self._proofs: dict[int, asyncio.Task[None]] = {}
        self._owed: Collection[str] = ()
        self._has_served = False
        self._changed = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._prober = prober
        self._clock = clock
        self._patience = patience
        self._on_hung = on_hung
        self._on_served = on_served
        self._look_after = look_after

    async def run(self) -> None:
        """Attend until cancelled; what was known is void afterwards."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._watch_api())
                group.create_task(self._keep_proving())
                group.create_task(self._look_after_connections())
        finally:
            self._group = None
            self.over()
            await self.client.close()

    def over(self) -> None:
        """Take notice that the process has ended: it is neither reachable nor warm from this step on."""
        self.reachable.clear()
        self.is_hung = False
        self._forget()

    @property
    def changed(self) -> asyncio.Event:
        """Return what is set by the next change of what is warm."""
        return self._changed

    def health(self) -> Health:
        """Tell how the process is doing, without asking it anything."""
        if self.is_hung:
            return Health(Condition.HUNG, "Xray's API does not answer")
        if self.ready.is_set():
            return Health(Condition.READY)
        is_partial = bool(self._routes) and self._serves
        return Health(Condition.PARTIAL if is_partial else Condition.WARMING, self._told(self._cold))

    def is_warm(self, place: str) -> bool:
        """Tell whether a client of a place (``warmth.py``) would be served at once."""
        if self.ready.is_set():
            return True
        needed = self._needs.get(place)
        if not self.reachable.is_set() or self.is_hung:
            return False
        if needed is None:
            return self._serves if self.started.needs else not self._cold
        return self._cold.isdisjoint(needed)

    def cold_among(self, places: Mapping[str, Collection[str]]) -> dict[str, KeysteadError]:
        """Say of each label why a client of it would not be served at once, by the places it waits for."""
        if self.ready.is_set():
            return {}
        cold = {label: [one for one in waits_for if not self.is_warm(one)] for label, waits_for in places.items()}
        return {label: EngineUnavailable(self._why(found)) for label, found in cold.items() if found}

    def keeps(self, before: "Attendance") -> bool:
        """Tell whether all that is warm in another process is warm in this one, and anything at all is."""
        return self._serves and all(self.is_warm(place) for place in self._needs if before.has_warm(place))

    def has_warm(self, place: str) -> bool:
        """Tell whether a place is one of this process, and warm."""
        is_ours = place in self._needs or (not self.started.needs and place in self.started.tags)
        return is_ours and self.is_warm(place)

    def see_to(self, inbound: XrayInbound, server_name: str) -> None:
        """Dial a pair of a live inbound from this step on, if nothing that is dialled has it: until then it is cold."""
        [placed] = XrayDesired((inbound,), {}).with_ports(self.started.behind).inbounds
        if placed.behind and not placed.behind_port:  # in a process without what stands behind it has no such pair
            return
        pair = warmers.pair_of(placed, server_name)
        number = self._warmers.get(warmers.tag_of(pair))
        if number is None:
            if pair in self.started.pairs:
                return
            number = self._add(Warmer.made(placed, server_name, free_loopback_port))
        elif number not in self._idle:
            return
        self._idle.discard(number)
        self._cold.add(number)
        self.warm.clear()
        self._doubt([number])

    def let_go(self, inbound: XrayInbound, server_name: str) -> None:
        """Dial a pair no more that is not in use, if it has a warmer: nobody waits for it."""
        [placed] = XrayDesired((inbound,), {}).with_ports(self.started.behind).inbounds
        number = self._warmers.get(warmers.tag_of(warmers.pair_of(placed, server_name)))
        if number is not None:
            self._idle.add(number)
            self._cold.discard(number)
            if (proof := self._proofs.pop(number, None)) is not None:
                proof.cancel()
            self._tell()

    async def dial(self) -> None:
        """Dial once over every route; raise EngineUnavailable when one does not come back."""
        await asyncio.gather(*(self._dial(number) for number in self._numbers))

    def publish(self) -> None:
        """Dial the public listeners from this step on; what was warm before has to come back through them as well."""
        self._owed = [place for place in self._needs if self.is_warm(place)]
        self._is_public = True
        self._forget()
        self._doubt(self._numbers)

    async def prove(self) -> None:
        """Return when dials through the public listeners have come back to all that was warm before."""
        while not (self._serves and all(self.is_warm(place) for place in self._owed)):
            await self._changed.wait()

    @property
    def _routes(self) -> tuple[Route, ...]:
        probe = self.started.probe
        started_with = probe.routes if self._is_public else probe.warm_routes
        return (*started_with, *(warmer.route for warmer in self._added))

    @property
    def _numbers(self) -> list[int]:
        """Return the routes that are dialled: all but those of pairs that nobody has any more."""
        return [number for number in range(len(self._routes)) if number not in self._idle]

    @property
    def _serves(self) -> bool:
        dialled = len(self._numbers)
        return len(self._cold) < dialled or not dialled

    def _told(self, cold: Collection[int]) -> str:
        return warmth.told(self._routes, self._needs, cold)

    def _add(self, warmer: Warmer) -> int:
        """Return the number of the route of a warmer that is to be made."""
        number = len(self._routes)
        self._added.append(warmer)
        self._warmers[warmer.inbound.tag] = number
        place = warmth.pair(warmer.inbound.target, warmer.route.server_name)
        self._needs[place] = (*self._needs.get(place, ()), number)
        return number

    def _why(self, places: Collection[str]) -> str:
        if self.is_hung:
            return "Xray's API does not answer"
        cold = {number for place in places for number in self._needs.get(place, self._cold)}
        return self._told(cold & self._cold)

    async def _watch_api(self) -> None:
        silent_since_s: float | None = None
        while True:
            asked_s = self._clock.monotonic_s()
            try:
                await self.client.uptime_s()
            except KeysteadError:
                silent_since_s = asked_s if silent_since_s is None else silent_since_s
                silent_s = self._clock.monotonic_s() - silent_since_s
                if silent_s >= self._patience.hung_after_s:
                    log.error("engine hangs and is ended", silent_s=round(silent_s))
                    self._on_hung("Xray did not answer and was ended")
                    return
                if self.reachable.is_set() and not self.is_hung:
                    self.is_hung = True
                    self._forget()
            else:
                silent_since_s = None
                if self.is_hung:
                    self.is_hung = False
                    self._doubt(self._numbers)
                self.reachable.set()
            await self._clock.sleep(self._pause_s())

    async def _look_after_connections(self) -> None:
        await self.reachable.wait()
        await self._look_after(self)

    def _pause_s(self) -> float:
        if not self.reachable.is_set():
            return _POLL_S
        return _RETRY_S if self.is_hung else self._patience.probe_every_s

    async def _keep_proving(self) -> None:
        await self.reachable.wait()
        self._doubt(self._numbers)
        turn = 0
        while True:
            await self._clock.sleep(self._patience.probe_every_s)
            warm = [number for number in self._numbers if number not in self._cold]
            if not self._is_public or not warm:
                continue
            turn = next((number for number in warm if number > turn), warm[0])
            try:
                await self._dial(turn)
            except EngineUnavailable as error:
                log.warning("inbound no longer serves", reason=error.message)
                if turn not in self._cold and turn not in self._idle:
                    self._cold.add(turn)
                    self._doubt([turn])

    def _forget(self) -> None:
        """Take everything for cold and stop dialling."""
        for proof in self._proofs.values():
            proof.cancel()
        self._proofs.clear()
        self._cold = set(self._numbers)
        self._tell()

    def _doubt(self, numbers: Iterable[int]) -> None:
        """Prove these anew; while the process is not to be told anything it is left to whoever finds it answers."""
        for number in numbers:
            if self._group is not None and self.reachable.is_set() and not self.is_hung and number not in self._proofs:
                self._proofs[number] = self._group.create_task(self._prove(number))
        self._tell()

    async def _prove(self, number: int) -> None:
        try:
            if (place := number - len(self.started.probe.routes)) >= 0:
                await self._open(place)
            await self._prober.prove(self._plan(number), self._routes[number])
        finally:
            if self._proofs.get(number) is asyncio.current_task():
                del self._proofs[number]
        self._cold.discard(number)
        self._tell()

    async def _open(self, place: int) -> None:
        """Put a warmer into the core; try for as long as it takes."""
        while True:
            try:
                return await self._added[place].open(self.client, self.started.probe)
            except KeysteadError as error:
                log.warning("a pair cannot be dialled yet", process=self.process, reason=error.message)
            await self._clock.sleep(_RETRY_S)
            self._added[place] = self._added[place].moved(free_loopback_port)

    async def _dial(self, number: int) -> None:
        await self._prober.dial(self._plan(number), self._routes[number])

    def _plan(self, number: int) -> ProbePlan:
        place = number - len(self.started.probe.routes)
        return self.started.probe if place < 0 else self._added[place].reached_by(self.started.probe)

    def _tell(self) -> None:
        """Tell whoever waits for a change."""
        is_ready = self.reachable.is_set() and not self.is_hung and not self._cold
        if is_ready and not self.ready.is_set():
            log.info("engine is ready", process=self.process, routes=len(self._routes))
        (self.ready.set if is_ready and self._is_public else self.ready.clear)()
        if self._is_public and self.reachable.is_set() and self._serves is not self._has_served:
            self._has_served = self._serves
            if self._serves:
                self._on_served()
        if is_ready:
            self.warm.set()
        self._changed.set()
        self._changed = asyncio.Event()
