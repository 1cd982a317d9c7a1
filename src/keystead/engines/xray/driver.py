"""Drive an Xray that Keystead's keeper starts: it is configured on standard input and outlives the API.

Made by the composition root; used by the loop (the Driver port), by metering (``read_counters``) and by ``doctor``.

Can: add, remove and change users without a restart; serve again by itself after a crash or a hang; tell what is *warm*,
proven by dials, from *reachable*, which is only that it can be told things; hand over to another process.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from keystead.engines.xray import config, launching, users, warmth
from keystead.engines.xray.attendance import Attendance
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.blocking import Blocks
from keystead.engines.xray.handover import COUNTED_WITHIN_S, Handover, Wanted
from keystead.engines.xray.launching import Launcher, Started
from keystead.engines.xray.options import XrayOptions, XrayStatus
from keystead.engines.xray.probe import Prober
from keystead.engines.xray.reading import read
from keystead.engines.xray.replacing import Replacing
from keystead.engines.xray.state import Carried, Reading, XrayActual, XrayDesired
from keystead.engines.xray.warmers import PairsInUse
from keystead.engines.xray.watching import Watching
from keystead.keeper.core import State
from keystead.keeper.kept import KeptCore
from keystead.keeper.launch import Change, Launch
from keystead.keeper.ports import free_loopback_port
from keystead.keeper.program import Standing
from keystead.kit.clock import Clock
from keystead.kit.errors import Broken, EngineUnavailable, KeysteadError
from keystead.kit.ids import Ids
from keystead.kit.log import get_logger
from keystead.kit.waiting import either, within
from keystead.reconcile.engine import Condition, Health
from keystead.reconcile.plan import Step, Verb

if TYPE_CHECKING:
    from keystead.engines.xray.client import XrayClient

log = get_logger()

# How often others run before the call of a single label is under way.
_STEPS_TO_ASK = 3
_FINAL_READING_TIMEOUT_S = 3.0


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
        find: Callable[[], Binary] | None = None,
        on_final_reading: Callable[[Reading], Awaitable[None]] | None = None,
    ) -> None:
        self._binary = binary
        self._find = find or (lambda: binary)
        self._options = options
        self._load = load
        self._clock = clock
        self._on_final_reading = on_final_reading
        self._core = KeptCore(self, options.keeper, clock=clock)
        self.watching = Watching(
            self._core.watched, process=lambda: self._core.identity, blocks=self._blocks, clock=clock
        )
        self._prober = Prober(clock=clock, ids=ids)
        self._launcher = Launcher(
            options.settings, options.environment, lambda: (self._prober.password(), str(ids.uuid()))
        )
        self._attendance: Attendance | None = None
        self._pairs = PairsInUse(lambda: [*self._serving(), *self._handover.candidates()])
        self._handover = Handover(self, self._core, options.keeper, clock=clock, see_off_s=options.see_off_s)
        self.replacing = Replacing(
            self._core, options.keeper, self._handover, find=self._find, digest=self._digest, served=self._served
        )

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
        """Count how many customers' users each inbound has, 1 for a live one: cheap, for a look before the full one."""
        served = self._running()
        own = served.started.probe.own_users()
        found = await users.sizes(served.client, served.started.tags)
        return {tag: count - len(own.get(tag, {})) for tag, count in found.items()}

    def is_prepared(self, step: Step, desired: XrayDesired) -> bool:
        """Tell whether a step can be carried out at once; another process has to be warm before it takes over."""
        return step.verb is not Verb.RESTART or self._handover.is_prepared(self._wanted(desired))

    async def prepare_for(self, step: Step, desired: XrayDesired) -> None:
        """Make what a step needs, beside the serving process; raise EngineUnavailable when it does not prove itself."""
        if step.verb is Verb.RESTART:
            await self._handover.prepare(desired, self._wanted(desired), self._served())

    async def apply(self, step: Step, desired: XrayDesired) -> None:
        """Carry out a step; a restart puts a process that was prepared in the place of the present one."""
        served = self._running()
        if step.verb is Verb.RESTART:
            await self.prepare_for(step, desired)
            await self._handover.switch(desired, served)
            return
        desired = desired.with_ports(served.started.behind)
        if step.verb is not Verb.REMOVE:
            await self.watching.unblock([step.subject], served.blocks)
        entries = launching.changes(desired, [step.subject], served.started.tags)
        self._pairs.drop(desired, step.places)
        await self._core.remember(entries, launching.openings(desired, step.places))
        await users.apply(served.client, step, desired, wanted=launching.with_own(desired, served.started, step.places))
        await self.watching.limit(desired, [step.subject])
        if step.verb is not Verb.ADD:
            await self.watching.cut([step.subject], is_gone=step.verb is Verb.REMOVE)

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
            await either(self._core.changed, served.reachable if served else None)
        return True

    def places(self, desired: XrayDesired, subjects: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return what has to be warm before clients of these labels are served: inbounds, or pairs."""
        self._pairs.note(desired)
        return warmth.places(desired, subjects)

    async def cold(self, places: Mapping[str, Collection[str]]) -> Mapping[str, KeysteadError]:
        """Say of each label why a client of it would not be served at once; whoever would is left out."""
        if self._attendance is None:
            return dict.fromkeys(places, EngineUnavailable(f"Xray is {self._core.state.value}"))
        return self._attendance.cold_among(places)

    async def when_warmth_changes(self) -> None:
        """Wait until other labels than now may be cold."""
        await either(self._core.changed, self._attendance.changed if self._attendance else None)

    async def apply_marked(self, desired: XrayDesired, subjects: Collection[str]) -> Mapping[str, KeysteadError | None]:
        """Bring only these labels to the desired state.

        While the core is down for certain a removal is done (the next start will not bring the user back) and an
        addition is EngineUnavailable. While it starts neither is certain.
        """
        tags = self._attendance.started.tags if self._attendance else tuple(desired.users)
        desired = desired.with_ports(self._attendance.started.behind if self._attendance else {})
        try:
            if desired.new.issuperset(subjects) and self._core.state is State.RUNNING:
                return await self._add_new(desired, subjects, tags)
            openings = launching.openings(desired, launching.places(desired, subjects))
            self._pairs.drop(desired, openings)
            remembering = self._core.remember(launching.changes(desired, subjects, tags), openings)
            if self._core.state is State.RUNNING:
                outcomes, is_down = await asyncio.gather(self._tell(desired, subjects, tags), remembering)
            else:
                is_down = await remembering
                outcomes = {label: EngineUnavailable(f"Xray is {self._core.state.value}") for label in subjects}
        except EngineUnavailable as error:
            return dict.fromkeys(subjects, error)
        await self.watching.limit(desired, subjects)
        gone = [label for label, error in outcomes.items() if (error is None or is_down) and label in desired.absent]
        if gone:  # a process on its way out may have connections of theirs, although the one that serves is down
            await self.watching.cut(gone, is_gone=True)
        if is_down:
            present = {label for users_of_tag in desired.users.values() for label in users_of_tag}
            return {label: error if label in present else None for label, error in outcomes.items()}
        return outcomes

    def is_light(self, desired: XrayDesired, subjects: Collection[str]) -> bool:
        """Tell whether these labels can be added by one call each now, with nothing to be remembered of them."""
        return desired.new.issuperset(subjects) and not desired.inbounds and self._core.state is State.RUNNING

    async def read_counters(self, label: str | None = None) -> Reading:
        """Read the counters of a label (None: of all) of the present process; raise EngineUnavailable when it ends."""
        served = self._running()
        reading = await read(served.client, served.process, label)
        if self._core.state is not State.RUNNING or self._core.identity != served.process:
            raise EngineUnavailable("Xray ended while its counters were read")
        return reading

    async def read_draining(self, label: str | None = None) -> Sequence[Reading]:
        """Read the counters of processes that another one took the place of; one that does not answer is left out."""
        return await self._handover.read_draining(label)

    async def carried(self) -> Sequence[Carried]:
        """Return what the kernel has carried per label through each process, as of now."""
        return await self.watching.carried()

    async def carried_now(self, label: str) -> Sequence[Carried]:
        """Return the same of one label as of now."""
        return await self.watching.carried_now(label)

    # --- the Program port: what the core's mirror asks ---

    async def prepare(self, echo_port: int) -> Launch:
        """Make a start's input from what is desired now, with a fresh probe."""
        if not self._binary.path.exists():
            self._binary = await asyncio.to_thread(self._find)
        desired, served = await self._load(), self._attendance
        self.watching.note_limits(desired)
        socket = self._options.socket if served is None else served.started.socket
        generation = launching.next_generation(self._core.memos()) if served is None else served.started.generation
        # What is told to the process before reaches the one after: both have the same ports.
        desired = launching.with_free_ports(desired, {} if served is None else served.started.behind)
        self._pairs.note(desired)
        return self._launcher.launch(desired, self._binary, socket, echo_port=echo_port, generation=generation)

    def candidate(self, desired: XrayDesired, binary: Binary, *, echo_port: int) -> Launch:
        """Return the launch of a process that listens on loopback until it takes the public listeners."""
        desired = launching.with_free_ports(desired, {})
        warm = config.warm_inbounds(desired.static, free_loopback_port)
        memos = self._core.memos()
        socket, generation = launching.free_socket(self._options.socket, memos), launching.next_generation(memos)
        return self._launcher.launch(desired, binary, socket, echo_port=echo_port, generation=generation, warm=warm)

    def standing(self, memo: Mapping[str, Any]) -> Standing:
        """Tell what a process is, by its memo; a candidate nobody waits for any more is ended."""
        return launching.standing(memo)

    def began(self, process: str, memo: Mapping[str, Any]) -> None:
        """Take notice of the process that runs."""
        started = launching.started_with(memo)
        if started is None:
            raise Broken("the keeper started a process that nobody asked for")
        self._attendance = self.attendance(process, started)
        self._keep_to(started)

    def attendance(self, process: str, started: Started) -> Attendance:
        """Return what is to be known of a process, not yet attended to."""
        made = Attendance(
            process,
            started,
            self._prober,
            self._options.patience,
            clock=self._clock,
            on_hung=lambda reason: self._core.kill(reason, process),
            on_served=lambda: self._core.note_served(process),
            look_after=self.watching.look_after,
        )
        self._pairs.join(made)
        return made

    def _keep_to(self, started: Started) -> None:
        """Go on with the program that runs, whatever would be chosen now; a crash changes nothing about it either."""
        if started.binary.name and (started.binary, started.version) != (self._binary.path, self._binary.version):
            self._binary = Binary(started.binary, started.version, "runs since before this start")

    def take(self, successor: Attendance) -> None:
        """Let another process be the one that serves."""
        self._attendance = successor
        self._pairs.join(successor)
        self._keep_to(successor.started)

    async def attend(self) -> None:
        """Watch the API and keep proving the way through, for as long as the process lives."""
        if self._attendance is not None:
            await self._attendance.run()

    def ended(self) -> None:
        """Take notice that the process has ended: whoever waits for it waits for the next one."""
        if self._attendance is not None:
            self._attendance.over()

    def leaves(self, core: str, process: str, memo: Mapping[str, Any]) -> None:
        """See off a process whose place was being taken when an API before us ended."""
        started = launching.started_with(memo)
        if started is not None:
            self._handover.finish(core, process, started)

    async def before_stop(self) -> None:
        """Hand over a last reading: the counters end with the process."""
        await self._handover.read_leaving()
        served = self._attendance
        if served is not None and served.reachable.is_set() and not served.is_hung:
            # What goes through the kernel alone is counted when the connection ends.
            if await self._core.watched.cut_all(served.process):
                await self._clock.sleep(COUNTED_WITHIN_S)
            await within(self._clock, _FINAL_READING_TIMEOUT_S, self.give_final_reading(served.client, served.process))

    async def look_after_process(self, process: str, client: "XrayClient", blocks: Blocks) -> None:
        """Look after the connections of a process on its way out until cancelled."""
        await self.watching.look_after_process(process, client, blocks)

    async def give_final_reading(self, client: "XrayClient", process: str) -> None:
        """Hand over what a process has counted that is about to end."""
        if self._on_final_reading is None:
            return
        try:
            await self._on_final_reading(await read(client, process))
        except KeysteadError as error:
            log.warning("no final reading", process=process, reason=error.message)

    # --- the rest ---

    async def _tell(
        self, desired: XrayDesired, subjects: Collection[str], tags: tuple[str, ...]
    ) -> Mapping[str, KeysteadError | None]:
        """Tell the core of these labels; whoever may connect again is let through first."""
        served = self._running()
        await self.watching.unblock([label for label in subjects if label not in desired.absent], served.blocks)
        return await users.apply_marked(served.client, desired, subjects, tags=tags)

    async def _add_new(
        self, desired: XrayDesired, subjects: Collection[str], tags: tuple[str, ...]
    ) -> Mapping[str, KeysteadError | None]:
        """Tell the core of labels that nobody has connected with: the keeper has no order about them to take back."""
        client = self._running().client
        noting = asyncio.create_task(self._note_meanwhile(launching.changes(desired, subjects, tags)))
        try:
            outcomes = await users.apply_marked(client, desired, subjects, tags=tags)
        finally:
            await noting
        await self.watching.limit(desired, subjects)
        return outcomes

    async def _note_meanwhile(self, changes: Sequence[Change]) -> None:
        """Tell the keeper once the core has been asked, which takes longer."""
        for _ in range(_STEPS_TO_ASK):
            await asyncio.sleep(0)
        await self._core.note(changes)

    def _serving(self) -> list[Attendance]:
        return [] if self._attendance is None else [self._attendance]

    def _blocks(self) -> list[Blocks]:
        return [*(one.blocks for one in self._serving()), *self._handover.blocks()]

    def _digest(self, desired: XrayDesired) -> str:
        return config.digest(desired, self._options.settings)

    def _wanted(self, desired: XrayDesired) -> Wanted:
        return Wanted(self._digest(desired), self._binary)

    def _served(self) -> Attendance | None:
        return self._attendance if self._core.state is State.RUNNING else None

    def _running(self) -> Attendance:
        if self._core.state is not State.RUNNING or self._attendance is None:
            raise EngineUnavailable(f"Xray is {self._core.state.value}")
        return self._attendance

    def _health(self) -> Health:
        if (served := self._served()) is None:
            return Health(Condition.DOWN, self._core.trouble or f"Xray is {self._core.state.value}")
        return served.health()
