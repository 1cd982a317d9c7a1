"""An engine that keeps its users in a dictionary: for tests of shapes, never of what a client experiences."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path

from keystead.engines.xray import config
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.options import XrayStatus
from keystead.engines.xray.state import (
    AddressUse,
    Carried,
    Counters,
    LabelCarried,
    LiveConnection,
    Reading,
    WatchState,
    XrayActual,
    XrayDesired,
    XraySettings,
    XrayUser,
    is_live,
)
from keystead.kit.errors import EngineUnavailable, KeysteadError, Unsupported
from keystead.reconcile.engine import Condition, CoreView, EngineView, Health, KeeperView
from keystead.reconcile.plan import Step, Verb
from keystead.reconcile.replacement import Kind, Phase, Program, Progress, Replacement, Running, Wish


class FakeWatching:
    """Connections in a list; with a ``reason`` nobody knows them."""

    def __init__(self) -> None:
        self.live: list[LiveConnection] = []
        self.ago_s: dict[str, float] = {}
        self.ago_s_by_side: dict[bool, dict[str, float]] = {True: {}, False: {}}
        self.reason: str | None = None
        self.asked = 0
        self.use: dict[str, AddressUse] = {}

    def connect(
        self, label: str | None, host: str = "203.0.113.5", *, idle_s: float = 0.5, tag: str = "shared"
    ) -> LiveConnection:
        """Add a connection."""
        number = len(self.live) + 1
        at = ("fake-1", label, host, 40000 + number, 24443)
        made = LiveConnection(number, *at, 10.0, idle_s, 1000, 2000, 10, 20, tag)
        self.live.append(made)
        return made

    async def connections(self, labels: Collection[str] | None = None) -> list[LiveConnection]:
        self.asked += 1
        if self.reason is not None:
            raise Unsupported(f"live connections are unknown: {self.reason}")
        return [one for one in self.live if labels is None or one.label in labels]

    async def seen(
        self, within_s: float, labels: Collection[str] | None = None, *, is_behind: bool | None = None
    ) -> Mapping[str, float]:
        seen = self.ago_s if is_behind is None else self.ago_s_by_side[is_behind]
        wanted = seen if labels is None else labels
        return {label: ago_s for label, ago_s in seen.items() if ago_s <= within_s and label in wanted}

    async def address_use(self, labels: Collection[str] | None = None) -> Mapping[str, AddressUse]:
        if self.reason is not None:
            raise Unsupported(f"the addresses of a key are unknown: {self.reason}")
        return {label: use for label, use in self.use.items() if labels is None or label in labels}

    async def state(self) -> WatchState:
        tricks = dict.fromkeys(("dump", "borrow", "pace", "reset", "destroy"), self.reason)
        if self.reason is not None:
            return WatchState(tricks, "none", is_managed=False)
        return WatchState(tricks, "destroy", 7, len(self.live), 0.25, doubtful=0)


class FakeXray:
    """A core that does at once what it is told; ``is_down`` makes it refuse everything.

    With a ``cold_reason`` it takes keys whose clients are not served.

    With ``keeps_its_process`` no other one proves itself.
    """

    def __init__(self, load: Callable[[], Awaitable[XrayDesired]], settings: XraySettings) -> None:
        self._load = load
        self._settings = settings
        self.users: dict[str, dict[str, XrayUser]] = {}
        self.counters: dict[str, Counters] = {}
        self.kernel: dict[str, LabelCarried] = {}
        self.is_down = False
        self.cold_reason = ""
        self.version, self.available = "0.0.0", "0.0.1"
        self.keeps_its_process = False
        self.watching = FakeWatching()
        self._progress = Progress()

    async def start(self) -> None:
        """Hold what is desired, as a start does."""
        desired = await self._load()
        self._digest = config.digest(desired, self._settings)
        self.users = {inbound.tag: {**desired.users.get(inbound.tag, {})} for inbound in desired.inbounds}

    def status(self) -> XrayStatus:
        binary = Binary(Path("/fake/xray"), self.version, "made for a test")
        return XrayStatus(binary, "running", 1, "fake-1", self._health(), "", ("a line",))

    async def probe(self) -> Health:
        return self._health()

    async def observe(self) -> XrayActual:
        self._check()
        return XrayActual({tag: dict(users) for tag, users in self.users.items()}, self._digest)

    async def sizes(self) -> Mapping[str, int]:
        self._check()
        return {tag: len(users) for tag, users in self.users.items()}

    def is_prepared(self, step: Step, desired: XrayDesired) -> bool:
        return True

    async def prepare_for(self, step: Step, desired: XrayDesired) -> None:
        return

    async def apply(self, step: Step, desired: XrayDesired) -> None:
        self._check()
        if step.verb is Verb.RESTART:
            if self.keeps_its_process:
                raise EngineUnavailable("the fake successor does not prove itself")
            await self.start()
        self._bring(step.subject, desired)

    async def plan(self, scope: str, wish: Wish) -> Replacement:
        self._check()
        running = Running("fake-1", Program("/fake/xray", self.version), 1, None, 2, 3)
        is_upgrade = wish.kind is Kind.UPGRADE
        successor = Program("/fake/xray", self.available if is_upgrade else self.version, "made for a test")
        return Replacement(scope, wish, running, successor, is_needed=not is_upgrade or self.version != self.available)

    async def prepare(self, replacement: Replacement, desired: XrayDesired) -> None:
        self._check()

    async def carry_out(self, replacement: Replacement, desired: XrayDesired) -> None:
        self._digest = config.digest(desired, self._settings)
        self.version = replacement.successor.version
        self._progress = Progress(Phase.DONE)

    async def progress(self) -> Progress:
        return self._progress

    async def view(self) -> EngineView:
        core = CoreView("fake-1", 1, "serving", "running", self.version, None, 2, "")
        keeper = KeeperView(3, 1, True, True, False, True, None, (core,))
        return EngineView(Program("/fake/xray", self.available, "made for a test"), (keeper,), ())

    async def apply_marked(self, desired: XrayDesired, subjects: Collection[str]) -> Mapping[str, KeysteadError | None]:
        if self.is_down:
            return {subject: EngineUnavailable("the fake core is down") for subject in subjects}
        for subject in subjects:
            self._bring(subject, desired)
        return dict.fromkeys(subjects)

    async def when_reachable(self) -> bool:
        return True

    def places(self, desired: XrayDesired, subjects: Collection[str]) -> Mapping[str, Collection[str]]:
        return dict.fromkeys(subjects, ())

    async def cold(self, places: Mapping[str, Collection[str]]) -> Mapping[str, KeysteadError]:
        return dict.fromkeys(places, EngineUnavailable(self.cold_reason)) if self.cold_reason else {}

    async def when_warmth_changes(self) -> None:
        await asyncio.Event().wait()  # what is cold here stays so

    async def read_counters(self, label: str | None = None) -> Reading:
        self._check()
        return Reading("fake-1", {name: read for name, read in self.counters.items() if label in (None, name)})

    async def carried(self) -> Sequence[Carried]:
        self._check()
        return [Carried("fake-1", dict(self.kernel))]

    async def carried_now(self, label: str) -> Sequence[Carried]:
        return [found for found in await self.carried() if label in found.labels]

    def _bring(self, label: str, desired: XrayDesired) -> None:
        for tag in desired.live:
            self.users.setdefault(tag, {})
        for tag, held in list(self.users.items()):
            user = desired.users.get(tag, {}).get(label)
            if user is not None:
                held[label] = user
            elif held.pop(label, None) is not None and is_live(tag) and not held:
                del self.users[tag]

    def _check(self) -> None:
        if self.is_down:
            raise EngineUnavailable("the fake core is down")

    def _health(self) -> Health:
        return Health(Condition.DOWN, "it was taken down") if self.is_down else Health(Condition.READY)
