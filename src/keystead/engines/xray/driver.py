"""Drive an Xray that Keystead's keeper starts: it is configured on standard input and outlives the API.

Made by the composition root; used by the loop (the Driver port), by metering (``read_counters``) and by ``doctor``.

Can: add, remove and change users without a restart; serve again by itself after a crash or a hang; tell *ready*,
proven by a dial over every (target, server name), from *reachable*, which is only that it can be told things.
Cannot: change a listener of a running core (Xray has no call for it), so that is a planned restart; end the live
connections of a removed user (they outlive RemoveUser, XTLS/Xray-core#6102): new ones are refused at once.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from keystead.engines.xray import config, launching, users
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.launching import Started
from keystead.engines.xray.probe import Prober
from keystead.engines.xray.state import (
    OWN_LABEL_PREFIX,
    Reading,
    XrayActual,
    XrayDesired,
    XraySettings,
)
from keystead.keeper.core import State
from keystead.keeper.kept import KeptCore
from keystead.keeper.launch import Change, Launch
from keystead.keeper.link import KeeperPlace
from keystead.keeper.ports import free_loopback_port
from keystead.kit.clock import Clock
from keystead.kit.errors import EngineUnavailable, KeysteadError
from keystead.kit.ids import Ids
from keystead.kit.waiting import first_of, within
from keystead.reconcile.engine import Condition, Health
from keystead.reconcile.plan import Step, Verb

if TYPE_CHECKING:
    from keystead.engines.xray.client import XrayClient

log = structlog.get_logger(__name__)

_POLL_S = 0.02
_RETRY_S = 1.0
_RESTART_TIMEOUT_S = 15.0
_FINAL_READING_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class XrayOptions:
    """Where a managed core lives and how patient its driver is.

    The sockets' directory must be the owner's alone. ``environment`` is added to the core's otherwise empty one.
    """

    socket: Path
    keeper: KeeperPlace
    settings: XraySettings = field(default_factory=XraySettings)
    environment: Mapping[str, str] = field(default_factory=dict)
    call_timeout_s: float = 2.0
    probe_every_s: float = 5.0
    hung_after_s: float = 20.0


@dataclass(frozen=True)
class XrayStatus:
    """What ``doctor`` tells of a core; free of secrets, addresses and destinations."""

    binary: Binary
    state: str
    pid: int | None
    process: str
    health: Health
    trouble: str
    last_lines: tuple[str, ...]


class ManagedXray:
    """One core, its mirror, its API client and its probe; a Driver for the loop, a Program for the keeper."""

    def __init__(
        self,
        binary: Binary,
        options: XrayOptions,
        *,
        load: Callable[[], Awaitable[XrayDesired]],
        clock: Clock,
        ids: Ids,
        on_final_reading: Callable[[Reading], Awaitable[None]] | None = None,
    ) -> None:
        self._binary = binary
        self._options = options
        self._load = load
        self._clock = clock
        self._ids = ids
        self._on_final_reading = on_final_reading
        self._core = KeptCore(self, options.keeper, clock=clock)
        self._prober = Prober(clock=clock, ids=ids)
        self._client: XrayClient | None = None
        self._started: Started | None = None
        self._reachable = asyncio.Event()
        self._ready = asyncio.Event()
        self._is_hung = False

    # --- life ---

    async def start(self) -> None:
        """Begin to keep a core running; return when the first was started or its start was put off.

        Trouble shows in ``status`` and ``probe``. What speaks to a core is imported while the core reads its
        configuration, since nobody is served before it has.
        """
        await self._core.start()
        await self._core.when(State.RUNNING, State.BACKING_OFF, State.STOPPED)

    async def stop(self) -> None:
        """Let go of the core, or end it after a final reading when it is to end with us; close everything."""
        await self._core.stop()
        if self._client is not None:
            await self._client.close()

    def status(self) -> XrayStatus:
        """Return what there is to say about the core, without asking it anything."""
        core = self._core
        return XrayStatus(
            self._binary, core.state.value, core.pid, core.identity, self._health(), core.trouble, core.last_lines
        )

    # --- the Driver port ---

    async def observe(self) -> XrayActual:
        """Return the users of every inbound the process was started with, its digest and its own users."""
        client, started = self._running()
        found = await users.observe(client, started.tags)
        return XrayActual(found, started.digest, started.probe.own_users())

    async def sizes(self) -> Mapping[str, int]:
        """Return how many customers' users each inbound has: cheap, for the comparison before the full one."""
        client, started = self._running()
        own = started.probe.own_users()
        return {tag: await client.users_count(tag) - len(own.get(tag, {})) for tag in started.tags}

    async def apply(self, step: Step, desired: XrayDesired) -> None:
        """Carry out a step; after a restart wait until the new process can be told things."""
        if step.verb is Verb.RESTART:
            await self._restart()
            return
        client, started = self._running()
        await self._core.remember(_changes(desired, [step.subject], started.tags))
        own = started.probe.own_users()
        wanted = {tag: {**desired.users.get(tag, {}), **own.get(tag, {})} for tag in started.tags}
        await users.apply(client, step, wanted=wanted, tags=started.tags)

    async def probe(self) -> Health:
        """Ask the core now: its API, and one dial over each route; DOWN, HUNG and WARMING need no dial."""
        if self._core.state is State.RUNNING and self._ready.is_set():
            client, started = self._running()
            try:
                await client.uptime_s()
            except EngineUnavailable as error:
                return Health(Condition.HUNG, error.message)
            try:
                await asyncio.gather(*(self._prober.dial(started.probe, route) for route in started.probe.routes))
            except EngineUnavailable as error:
                return Health(Condition.WARMING, error.message)
        return self._health()

    async def when_reachable(self) -> bool:
        """Wait until the API answers; return False at once when no process serves and the next reads afresh."""
        while not self._reachable.is_set():
            if self._core.is_down:
                return False
            await first_of(self._reachable.wait(), self._core.when_changed())
        return True

    async def when_ready(self) -> None:
        """Wait until a dial over every (target, server name) has come back since the process started."""
        await self._ready.wait()

    async def apply_marked(self, desired: XrayDesired, subjects: Collection[str]) -> Mapping[str, KeysteadError | None]:
        """Bring only these labels to the desired state.

        While the core is down for certain a removal is done (the next start will not bring the user back) and an
        addition is EngineUnavailable. While it starts neither is certain.
        """
        tags = self._started.tags if self._started else tuple(desired.users)
        try:
            remembering = self._core.remember(_changes(desired, subjects, tags))
            if self._core.state is State.RUNNING:
                client, started = self._running()
                telling = users.apply_marked(client, desired, subjects, tags=started.tags)
                outcomes, is_down = await asyncio.gather(telling, remembering)
            else:
                is_down = await remembering
                outcomes = {label: EngineUnavailable(f"Xray is {self._core.state.value}") for label in subjects}
        except EngineUnavailable as error:
            return dict.fromkeys(subjects, error)
        if is_down:
            present = {label for users_of_tag in desired.users.values() for label in users_of_tag}
            return {label: error if label in present else None for label, error in outcomes.items()}
        return outcomes

    async def read_counters(self, label: str | None = None) -> Reading:
        """Read the counters of a label (None: of all) of the present process; raise EngineUnavailable when it ends."""
        client, _ = self._running()
        process = self._core.identity
        counters = await client.counters(label)
        if self._core.state is not State.RUNNING or self._core.identity != process:
            raise EngineUnavailable("Xray ended while its counters were read")
        customers = {label: read for label, read in counters.items() if not label.startswith(OWN_LABEL_PREFIX)}
        return Reading(process, customers)

    # --- the Program port: what the core's mirror asks ---

    async def prepare(self, echo_port: int) -> Launch:
        """Make a start's input from what is desired now, with a fresh probe."""
        desired = await self._load()
        probe = config.ProbePlan(
            socks_port=free_loopback_port(),
            echo_port=echo_port,
            password=self._prober.password(),
            user=config.probe_user(str(self._ids.uuid())),
            routes=config.routes(desired.inbounds),
        )
        return launching.launch(
            desired,
            binary=self._binary.path,
            version=self._binary.version,
            socket=self._options.socket,
            environment=self._options.environment,
            settings=self._options.settings,
            probe=probe,
        )

    def began(self, memo: Mapping[str, Any]) -> bool:
        """Take notice of the process that runs; False when it is not one of ours."""
        self._started = launching.started_with(memo)
        return self._started is not None

    async def attend(self) -> None:
        """Watch the API and keep proving the way through, for as long as the process lives."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_api())
            group.create_task(self._keep_proving())

    def ended(self) -> None:
        """Take notice that the process has ended: whoever waits for it waits for the next one."""
        self._reachable.clear()
        self._ready.clear()
        self._is_hung = False

    async def before_stop(self) -> None:
        """Hand over a last reading: the counters end with the process."""
        if self._reachable.is_set() and not self._is_hung and self._on_final_reading is not None:
            await within(self._clock, _FINAL_READING_TIMEOUT_S, self._give_final_reading(self._on_final_reading))
        self._ready.clear()

    # --- the rest ---

    def _running(self) -> "tuple[XrayClient, Started]":
        if self._core.state is not State.RUNNING or self._started is None:
            raise EngineUnavailable(f"Xray is {self._core.state.value}")
        if self._client is None:
            from keystead.engines.xray.client import XrayClient

            self._client = XrayClient.on_socket(self._options.socket, timeout_s=self._options.call_timeout_s)
        return self._client, self._started

    def _health(self) -> Health:
        if self._core.state is not State.RUNNING:
            return Health(Condition.DOWN, self._core.trouble or f"Xray is {self._core.state.value}")
        if self._is_hung:
            return Health(Condition.HUNG, "Xray's API does not answer")
        if not self._ready.is_set():
            return Health(Condition.WARMING, "no dial through Xray has come back yet")
        return Health(Condition.READY)

    async def _watch_api(self) -> None:
        client, _ = self._running()
        silent_since_s: float | None = None
        while True:
            asked_s = self._clock.monotonic_s()
            try:
                await client.uptime_s()
            except KeysteadError:
                silent_since_s = asked_s if silent_since_s is None else silent_since_s
                silent_s = self._clock.monotonic_s() - silent_since_s
                if silent_s >= self._options.hung_after_s:
                    log.error("engine hangs and is ended", silent_s=round(silent_s))
                    self._core.kill("Xray did not answer and was ended")
                    return
                if self._reachable.is_set():
                    self._is_hung = True
                    self._ready.clear()
            else:
                silent_since_s = None
                self._is_hung = False
                self._reachable.set()
            await self._clock.sleep(self._pause_s())

    def _pause_s(self) -> float:
        if not self._reachable.is_set():
            return _POLL_S
        return _RETRY_S if self._is_hung else self._options.probe_every_s

    async def _keep_proving(self) -> None:
        _, started = self._running()
        plan = started.probe
        await self._reachable.wait()
        while True:
            await self._prober.prove(plan, plan.routes)
            log.info("engine is ready", process=self._core.identity, routes=len(plan.routes))
            self._core.note_served()
            self._ready.set()
            await self._until_doubtful(plan, itertools.cycle(plan.routes))
            self._ready.clear()

    async def _until_doubtful(self, plan: config.ProbePlan, routes: Iterator[config.Route]) -> None:
        while self._ready.is_set():
            await self._clock.sleep(self._options.probe_every_s)
            route = next(routes, None)
            if route is None:
                continue
            try:
                await self._prober.dial(plan, route)
            except EngineUnavailable as error:
                log.warning("engine no longer serves", reason=error.message)
                return

    async def _restart(self) -> None:
        process = self._core.identity
        await self._core.restart()
        if not await within(self._clock, _RESTART_TIMEOUT_S, self._when_succeeded(process)):
            raise EngineUnavailable(f"Xray has not come back: {self._core.trouble or self._core.state.value}")

    async def _when_succeeded(self, process: str) -> None:
        while self._core.identity == process or not self._reachable.is_set():
            await first_of(self._core.when_changed(), self._clock.sleep(_POLL_S))

    async def _give_final_reading(self, take: Callable[[Reading], Awaitable[None]]) -> None:
        try:
            await take(await self.read_counters())
        except KeysteadError as error:
            log.warning("no final reading", reason=error.message)


def _changes(desired: XrayDesired, subjects: Collection[str], tags: Collection[str]) -> list[Change]:
    """Return what the next start has to hold of these labels."""
    return [
        (tag, label, launching.entry(user) if (user := desired.users.get(tag, {}).get(label)) else None)
        for tag in tags
        for label in subjects
    ]
