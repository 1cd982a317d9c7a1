"""One process of the core, attended to: its API is watched, and dials through it prove that a client would be served.

Made by the driver for every process it comes to know: the one that serves, and one that is to take its place.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass

from keystead.engines.xray.blocking import Blocks
from keystead.engines.xray.config import Route
from keystead.engines.xray.launching import Role, Started
from keystead.engines.xray.probe import Prober
from keystead.kit.clock import Clock
from keystead.kit.errors import EngineUnavailable, KeysteadError
from keystead.kit.log import get_logger

log = get_logger()

_POLL_S = 0.02
_RETRY_S = 1.0
_TAGS_NAMED = 3


@dataclass(frozen=True)
class Patience:
    """How long a call may take, how often a process is looked at, and how long it may be silent."""

    call_timeout_s: float = 2.0
    probe_every_s: float = 5.0
    hung_after_s: float = 20.0


def warming(waiting: Collection[Route]) -> str:
    """Return what a process that is not ready waits for, by the inbounds whose dials have not come back."""
    tags = sorted({route.tag for route in waiting})
    if not tags:
        return "no dial through Xray has come back yet"
    more = f" and {len(tags) - _TAGS_NAMED} more" if len(tags) > _TAGS_NAMED else ""
    return f"no dial has come back yet through the inbound {', '.join(tags[:_TAGS_NAMED])}{more}"


class Attendance:
    """Know whether a process is reachable (its API answers) and ready (a dial over every route came back).

    A candidate is warm when a dial over each of its loopback listeners came back; it is dialled in public only once
    it was published.
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
        self.published = asyncio.Event()
        self.waiting: set[Route] = set()
        if started.role is not Role.CANDIDATE:
            self.published.set()
        self.is_hung = False
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
                group.create_task(self._watch_api())
                group.create_task(self._keep_proving())
                group.create_task(self._look_after_connections())
        finally:
            self.over()
            await self.client.close()

    def over(self) -> None:
        """Take notice that the process has ended: it is neither reachable nor ready from this step on."""
        self.reachable.clear()
        self.ready.clear()
        self.is_hung = False

    async def dial(self) -> None:
        """Dial once over every route; raise EngineUnavailable when one does not come back."""
        probe = self.started.probe
        await asyncio.gather(*(self._prober.dial(probe, route) for route in probe.routes))

    async def prove(self) -> None:
        """Return when a dial over every public route has come back."""
        await self._prober.prove(self.started.probe, self.started.probe.routes)

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
                if self.reachable.is_set():
                    self.is_hung = True
                    self.ready.clear()
            else:
                silent_since_s = None
                self.is_hung = False
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
        probe = self.started.probe
        if not self.published.is_set():
            await self._prober.prove(probe, probe.warm_routes)
            self.warm.set()
            await self.published.wait()
        while True:
            await self._prober.prove(probe, probe.routes, self.waiting)
            log.info("engine is ready", process=self.process, routes=len(probe.routes))
            self._on_served()
            self.ready.set()
            await self._until_doubtful(itertools.cycle(probe.routes))
            self.ready.clear()

    async def _until_doubtful(self, routes: Iterator[Route]) -> None:
        while self.ready.is_set():
            await self._clock.sleep(self._patience.probe_every_s)
            route = next(routes, None)
            if route is None:
                continue
            try:
                await self._prober.dial(self.started.probe, route)
            except EngineUnavailable as error:
                log.warning("engine no longer serves", reason=error.message)
                return
