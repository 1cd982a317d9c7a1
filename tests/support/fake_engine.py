"""An engine that keeps its users in a dictionary: for tests of shapes, never of what a client experiences."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path

from keystead.engines.xray import config
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.driver import XrayStatus
from keystead.engines.xray.state import (
    Carried,
    Counters,
    LabelCarried,
    Reading,
    XrayActual,
    XrayDesired,
    XraySettings,
    XrayUser,
)
from keystead.kit.errors import EngineUnavailable, KeysteadError
from keystead.reconcile.engine import Condition, Health
from keystead.reconcile.plan import Step, Verb


class FakeXray:
    """A core that does at once what it is told; ``is_down`` makes it refuse everything."""

    def __init__(self, load: Callable[[], Awaitable[XrayDesired]], settings: XraySettings) -> None:
        self._load = load
        self._settings = settings
        self.users: dict[str, dict[str, XrayUser]] = {}
        self.counters: dict[str, Counters] = {}
        self.kernel: dict[str, LabelCarried] = {}
        self.is_down = False

    async def start(self) -> None:
        """Hold what is desired, as a start does."""
        desired = await self._load()
        self._digest = config.digest(desired, self._settings)
        self.users = {inbound.tag: {**desired.users.get(inbound.tag, {})} for inbound in desired.inbounds}

    def status(self) -> XrayStatus:
        binary = Binary(Path("/fake/xray"), "0.0.0", "made for a test")
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
            await self.start()
        for tag in self.users:
            self._bring(tag, step.subject, desired)

    async def apply_marked(self, desired: XrayDesired, subjects: Collection[str]) -> Mapping[str, KeysteadError | None]:
        if self.is_down:
            return {subject: EngineUnavailable("the fake core is down") for subject in subjects}
        for subject in subjects:
            for tag in self.users:
                self._bring(tag, subject, desired)
        return dict.fromkeys(subjects)

    async def when_reachable(self) -> bool:
        return True

    async def when_ready(self) -> None:
        return

    async def read_counters(self, label: str | None = None) -> Reading:
        self._check()
        return Reading("fake-1", {name: read for name, read in self.counters.items() if label in (None, name)})

    async def carried(self) -> Sequence[Carried]:
        self._check()
        return [Carried("fake-1", dict(self.kernel))]

    async def carried_now(self, label: str) -> Sequence[Carried]:
        return [found for found in await self.carried() if label in found.labels]

    def _bring(self, tag: str, label: str, desired: XrayDesired) -> None:
        user = desired.users.get(tag, {}).get(label)
        if user is None:
            self.users[tag].pop(label, None)
        else:
            self.users[tag][label] = user

    def _check(self) -> None:
        if self.is_down:
            raise EngineUnavailable("the fake core is down")

    def _health(self) -> Health:
        return Health(Condition.DOWN, "it was taken down") if self.is_down else Health(Condition.READY)
