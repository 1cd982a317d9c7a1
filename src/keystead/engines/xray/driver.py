"""Drive an Xray that Keystead's keeper starts: it is configured on standard input and outlives the API.

Made by the composition root; used by the loop (the Driver port), by metering (``read_counters``) and by ``doctor``.

Can: add, remove and change users without a restart; serve again by itself after a crash or a hang; tell *ready*,
proven by a dial over every (target, server name), from *reachable*, which is only that it can be told things; put
another process in the place of this one while everybody keeps watching (``handover.py``).
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from keystead.engines.xray import config, launching, users
from keystead.engines.xray.attendance import Attendance, Patience
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.handover import COUNTED_WITHIN_S, Handover
from keystead.engines.xray.launching import Role, Started
from keystead.engines.xray.probe import Prober
from keystead.engines.xray.state import (
    OWN_LABEL_PREFIX,
    Carried,
    Reading,
    XrayActual,
    XrayDesired,
    XraySettings,
    carried_in,
)
from keystead.keeper.core import State
from keystead.keeper.kept import KeptCore
from keystead.keeper.launch import Change, Launch
from keystead.keeper.link import KeeperLink
from keystead.keeper.ports import free_loopback_port
from keystead.keeper.program import Standing
from keystead.kit.clock import Clock
from keystead.kit.errors import Broken, EngineUnavailable, KeysteadError
from keystead.kit.ids import Ids
from keystead.kit.waiting import first_of, within
from keystead.reconcile.engine import Condition, Health
from keystead.reconcile.plan import Step, Verb

if TYPE_CHECKING:
    from keystead.engines.xray.client import XrayClient

log = structlog.get_logger(__name__)

_FINAL_READING_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class XrayOptions:
    """Where a managed core lives and how patient its driver is.

    The sockets' directory must be the owner's alone. ``environment`` is added to the core's otherwise empty one.
    A process whose place another one took is ended with its last connection, at the latest after ``see_off_s``.
    """

    socket: Path
    keeper: KeeperLink
    settings: XraySettings = field(default_factory=XraySettings)
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)
    see_off_s: float = 6 * 3600.0


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
    """One core, its mirror and what is known of its process; a Driver for the loop, a Program for the mirror."""

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
        self._attendance: Attendance | None = None
        self._limits: dict[str, int] = {}
        self._handover = Handover(self, self._core, clock=clock, see_off_s=options.see_off_s)

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
        await self._handover.drop_candidate()
        await self._core.stop()
        await self._handover.stop()

    def status(self) -> XrayStatus:
        """Return what there is to say about the core, without asking it anything."""
        core = self._core
        return XrayStatus(
            self._binary, core.state.value, core.pid, core.identity, self._health(), core.trouble, core.last_lines
        )

    # --- the Driver port ---

    async def observe(self) -> XrayActual:
        """Return the users of every inbound the process should have, its digest and its own users."""
        served = self._running()
        found = await users.observe(served.client, served.started.tags)
        return XrayActual(found, served.started.digest, served.started.probe.own_users(), hands_over=True)

    async def sizes(self) -> Mapping[str, int]:
        """Count how many customers' users each inbound has: cheap, for the comparison before the full one."""
        served = self._running()
        own = served.started.probe.own_users()
        return {tag: await served.client.users_count(tag) - len(own.get(tag, {})) for tag in served.started.tags}

    def is_prepared(self, step: Step, desired: XrayDesired) -> bool:
        """Tell whether a step can be carried out at once; another process has to be warm before it takes over."""
        return step.verb is not Verb.RESTART or self._handover.is_prepared(self._digest(desired))

    async def prepare_for(self, step: Step, desired: XrayDesired) -> None:
        """Make what a step needs, beside the serving process; raise EngineUnavailable when it does not prove itself."""
        if step.verb is Verb.RESTART:
            await self._handover.prepare(desired, self._digest(desired))

    async def apply(self, step: Step, desired: XrayDesired) -> None:
        """Carry out a step; a restart puts a process that was prepared in the place of the present one."""
        served = self._running()
        if step.verb is Verb.RESTART:
            await self.prepare_for(step, desired)
            await self._handover.switch(desired, served)
            return
        await self._core.remember(_changes(desired, [step.subject], served.started.tags))
        own = served.started.probe.own_users()
        wanted = {tag: {**desired.users.get(tag, {}), **own.get(tag, {})} for tag in served.started.tags}
        await users.apply(served.client, step, wanted=wanted, tags=served.started.tags)
        await self._limit(desired, [step.subject])
        if step.verb is not Verb.ADD:
            await self._core.cut([step.subject])

    async def probe(self) -> Health:
        """Ask the core now: its API, and one dial over each route; DOWN, HUNG and WARMING need no dial."""
        health = self._health()
        if health.condition is not Condition.READY:
            return health
        served = self._running()
        try:
            await served.client.uptime_s()
        except EngineUnavailable as error:
            return Health(Condition.HUNG, error.message)
        try:
            await served.dial()
        except EngineUnavailable as error:
            return Health(Condition.WARMING, error.message)
        return self._health()

    async def when_reachable(self) -> bool:
        """Wait until the API answers; return False at once when no process serves and the next reads afresh."""
        while (served := self._attendance) is None or not served.reachable.is_set():
            if self._core.is_down:
                return False
            await self._when_changed(None if served is None else served.reachable)
        return True

    async def when_ready(self) -> None:
        """Wait until a dial over every (target, server name) has come back since the process started."""
        while (served := self._attendance) is None or not served.ready.is_set():
            await self._when_changed(None if served is None else served.ready)

    async def apply_marked(self, desired: XrayDesired, subjects: Collection[str]) -> Mapping[str, KeysteadError | None]:
        """Bring only these labels to the desired state.

        While the core is down for certain a removal is done (the next start will not bring the user back) and an
        addition is EngineUnavailable. While it starts neither is certain.
        """
        tags = self._attendance.started.tags if self._attendance else tuple(desired.users)
        try:
            remembering = self._core.remember(_changes(desired, subjects, tags))
            if self._core.state is State.RUNNING:
                telling = users.apply_marked(self._running().client, desired, subjects, tags=tags)
                outcomes, is_down = await asyncio.gather(telling, remembering)
            else:
                is_down = await remembering
                outcomes = {label: EngineUnavailable(f"Xray is {self._core.state.value}") for label in subjects}
        except EngineUnavailable as error:
            return dict.fromkeys(subjects, error)
        await self._limit(desired, subjects)
        gone = [label for label, error in outcomes.items() if error is None and label in desired.absent]
        if gone and not is_down:
            await self._core.cut(gone)
        if is_down:
            present = {label for users_of_tag in desired.users.values() for label in users_of_tag}
            return {label: error if label in present else None for label, error in outcomes.items()}
        return outcomes

    async def read_counters(self, label: str | None = None) -> Reading:
        """Read the counters of a label (None: of all) of the present process; raise EngineUnavailable when it ends."""
        served = self._running()
        reading = await self.read(served.client, served.process, label)
        if self._core.state is not State.RUNNING or self._core.identity != served.process:
            raise EngineUnavailable("Xray ended while its counters were read")
        return reading

    async def read_draining(self, label: str | None = None) -> Sequence[Reading]:
        """Read the counters of processes that another one took the place of; one that does not answer is left out."""
        return await self._handover.read_draining(label)

    async def carried(self) -> Sequence[Carried]:
        """Return what the kernel has carried per label through each process, as of now."""
        return carried_in(await self._core.carried())

    async def carried_now(self, label: str) -> Sequence[Carried]:
        """Return the same of one label as of now."""
        return carried_in(await self._core.carried_now(label))

    # --- the Program port: what the core's mirror asks ---

    async def prepare(self, echo_port: int) -> Launch:
        """Make a start's input from what is desired now, with a fresh probe."""
        socket = self._attendance.started.socket if self._attendance else self._options.socket
        desired = await self._load()
        self._limits = dict(desired.limits)
        return self.launch(desired, echo_port=echo_port, socket=socket)

    def launch(self, desired: XrayDesired, *, echo_port: int, socket: Path, is_candidate: bool = False) -> Launch:
        """Return the launch of a process; a candidate listens on loopback until it takes the public listeners."""
        warm = config.warm_inbounds(desired.inbounds, free_loopback_port) if is_candidate else None
        probe = config.ProbePlan(
            socks_port=free_loopback_port(),
            echo_port=echo_port,
            password=self._prober.password(),
            user=config.probe_user(str(self._ids.uuid())),
            routes=config.routes(desired.inbounds),
            warm_routes=config.warm_routes(warm or ()),
        )
        return launching.launch(
            desired,
            binary=self._binary.path,
            version=self._binary.version,
            socket=socket,
            environment=self._options.environment,
            settings=self._options.settings,
            probe=probe,
            warm=warm,
        )

    def standing(self, memo: Mapping[str, Any]) -> Standing:
        """Tell what a process is, by its memo; a candidate nobody waits for any more is ended."""
        started = launching.started_with(memo)
        if started is None or started.role is Role.CANDIDATE:
            return Standing.FOREIGN
        return Standing.SERVING if started.role is Role.SERVING else Standing.LEAVING

    def began(self, process: str, memo: Mapping[str, Any]) -> None:
        """Take notice of the process that runs."""
        started = launching.started_with(memo)
        if started is None:
            raise Broken("the keeper started a process that nobody asked for")
        self._attendance = self.attendance(process, started)

    def attendance(self, process: str, started: Started) -> Attendance:
        """Return what is to be known of a process, not yet attended to."""
        return Attendance(
            process,
            started,
            self._prober,
            self._options.patience,
            clock=self._clock,
            on_hung=lambda reason: self._core.kill(reason, process),
            on_served=lambda: self._core.note_served(process),
        )

    def free_socket(self) -> Path:
        """Return a path for the API's socket of another process."""
        taken = {memo.get("socket") for memo in self._core.memos()}
        first = self._options.socket
        others = (first.with_name(f"{first.stem}-{number}{first.suffix}") for number in itertools.count(2))
        return next(path for path in itertools.chain([first], others) if str(path) not in taken)

    def take(self, successor: Attendance) -> None:
        """Let another process be the one that serves."""
        self._attendance = successor

    async def attend(self) -> None:
        """Watch the API and keep proving the way through, for as long as the process lives."""
        if self._attendance is not None:
            await self._attendance.run()

    def ended(self) -> None:
        """Take notice that the process has ended: whoever waits for it waits for the next one."""
        if self._attendance is not None:
            self._attendance.over()

    def leaves(self, number: int, process: str, memo: Mapping[str, Any]) -> None:
        """See off a process whose place was being taken when an API before us ended."""
        started = launching.started_with(memo)
        if started is not None:
            self._handover.finish(number, process, started)

    async def before_stop(self) -> None:
        """Hand over a last reading: the counters end with the process."""
        await self._handover.read_leaving()
        served = self._attendance
        if served is not None and served.reachable.is_set() and not served.is_hung:
            # What goes through the kernel alone is counted when the connection ends.
            if await self._core.cut_all(served.process):
                await self._clock.sleep(COUNTED_WITHIN_S)
            await within(self._clock, _FINAL_READING_TIMEOUT_S, self.give_final_reading(served.client, served.process))

    async def read(self, client: "XrayClient", process: str, label: str | None = None) -> Reading:
        """Read the counters of customers, of one label or of all, in one process."""
        counters = await client.counters(label)
        customers = {name: found for name, found in counters.items() if not name.startswith(OWN_LABEL_PREFIX)}
        return Reading(process, customers)

    async def give_final_reading(self, client: "XrayClient", process: str) -> None:
        """Hand over what a process has counted that is about to end."""
        if self._on_final_reading is None:
            return
        try:
            await self._on_final_reading(await self.read(client, process))
        except KeysteadError as error:
            log.warning("no final reading", process=process, reason=error.message)

    # --- the rest ---

    async def _limit(self, desired: XrayDesired, labels: Collection[str]) -> None:
        """Have the keeper hold labels to their speeds, where they differ from what it was told."""
        wanted = {label: desired.limits.get(label) for label in labels}
        changed = {label: rate for label, rate in wanted.items() if rate != self._limits.get(label)}
        if changed:
            await self._core.limit(changed)
            self._limits = {label: rate for label, rate in {**self._limits, **changed}.items() if rate is not None}

    def _digest(self, desired: XrayDesired) -> str:
        return config.digest(desired, self._options.settings)

    def _running(self) -> Attendance:
        if self._core.state is not State.RUNNING or self._attendance is None:
            raise EngineUnavailable(f"Xray is {self._core.state.value}")
        return self._attendance

    def _health(self) -> Health:
        served = self._attendance
        if self._core.state is not State.RUNNING or served is None:
            return Health(Condition.DOWN, self._core.trouble or f"Xray is {self._core.state.value}")
        if served.is_hung:
            return Health(Condition.HUNG, "Xray's API does not answer")
        if not served.ready.is_set():
            return Health(Condition.WARMING, "no dial through Xray has come back yet")
        return Health(Condition.READY)

    async def _when_changed(self, event: asyncio.Event | None) -> None:
        """Wait until the core's state changes or what is waited for has come."""
        if event is None:
            await self._core.when_changed()
        else:
            await first_of(event.wait(), self._core.when_changed())


def _changes(desired: XrayDesired, subjects: Collection[str], tags: Collection[str]) -> list[Change]:
    """Return what the next start has to hold of these labels."""
    return [
        (tag, label, launching.entry(user) if (user := desired.users.get(tag, {}).get(label)) else None)
        for tag in tags
        for label in subjects
    ]
