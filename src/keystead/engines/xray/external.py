"""Drive an Xray that somebody else runs (systemd, another host's tunnel): its API, and the file it starts from.

Made by the composition root when the settings name an address; used like the managed driver.

Can: add, remove and change users in the running core; render its configuration file with everything desired, have
it checked by Xray itself, and swap it atomically, the previous one kept beside it. The file is written when the
static part differs and at a restart step; users who came since are in the running core and come back by the loop's
next pass after a restart.
Can, since it cannot end a removed user's connections: refuse new streams inside them (``blocking.py``).
Cannot: see or end connections, whose sockets are another's; restart the core (that step says who has to); dial through
it, so *ready* means here that the API answers and the desired inbounds are open, and the first client after a restart
may wait for REALITY's examination.

The file holds private keys: it is written for its owner alone, so Xray has to run as the same user.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from keystead.engines.xray import config, users
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.blocking import Blocks
from keystead.engines.xray.boots import Boots, KnownProcesses, nothing_known
from keystead.engines.xray.client import XrayClient
from keystead.engines.xray.options import XrayStatus
from keystead.engines.xray.state import (
    OWN_LABEL_PREFIX,
    Reading,
    XrayActual,
    XrayDesired,
    XraySettings,
    is_live,
)
from keystead.engines.xray.watching import Unwatched
from keystead.kit.clock import Clock
from keystead.kit.errors import Broken, EngineUnavailable, KeysteadError, Misconfigured
from keystead.kit.files import write_private
from keystead.kit.log import get_logger
from keystead.kit.loops import keep_running
from keystead.reconcile.engine import Condition, Health
from keystead.reconcile.plan import Step, Verb

log = get_logger()

_POLL_S = 1.0
_TEST_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class ExternalOptions:
    """Where the core's API and its configuration file are; ``address`` is ``unix:/path`` or host:port."""

    address: str
    config_path: Path
    settings: XraySettings = field(default_factory=XraySettings)
    call_timeout_s: float = 2.0

    @property
    def api_listen(self) -> str:
        """Return the address as the configuration file says it."""
        path = self.address.removeprefix("unix:")
        return config.api_on_socket(Path(path)) if path != self.address else self.address


class ExternalXray:
    """A running Xray at an address; a Driver for the loop."""

    def __init__(
        self,
        binary: Binary,
        options: ExternalOptions,
        *,
        load: Callable[[], Awaitable[XrayDesired]],
        clock: Clock,
        known: KnownProcesses = nothing_known,
    ) -> None:
        self._binary = binary
        self._options = options
        self._load = load
        self._clock = clock
        self._client: XrayClient | None = None
        self.watching = Unwatched("this Xray is run by somebody else (KEYSTEAD_XRAY_API)")
        self._blocks: Blocks | None = None
        self._expiring: asyncio.Task[None] | None = None
        self._health = Health(Condition.DOWN, "Xray has not been asked yet")
        self._boots = Boots(clock, known)

    async def start(self) -> None:
        """Open the channel to the core, and see to it that there is a file the core can be started from."""
        self._client = XrayClient(self._options.address, timeout_s=self._options.call_timeout_s)
        self._blocks = Blocks(self._client, clock=self._clock)
        self._expiring = asyncio.create_task(
            keep_running("block rules", self._blocks.run, self._clock), name="block rules"
        )
        await self._ensure_config()

    async def stop(self) -> None:
        """Close the channel; the core goes on."""
        if self._expiring is not None:
            self._expiring.cancel()
            await asyncio.wait([self._expiring])
        if self._client is not None:
            await self._client.close()

    async def observe(self) -> XrayActual:
        """Return the users of every desired inbound; the digest is the file's if the core started from it."""
        desired = await self._load()
        found = await users.observe(self._api(), [inbound.tag for inbound in desired.static])
        return XrayActual(found, await self._running_digest())

    async def sizes(self) -> Mapping[str, int]:
        """Return how many users each desired inbound has, 1 for a live one; one the core does not have is left out."""
        return await users.sizes(self._api(), [inbound.tag for inbound in (await self._load()).static])

    def status(self) -> XrayStatus:
        """Return what there is to say about the core, without asking it anything."""
        is_ready = self._health.condition is Condition.READY
        state = "running" if is_ready else "unreachable"
        return XrayStatus(self._binary, state, None, self._boots.process, self._health, self._health.reason, ())

    def is_prepared(self, step: Step, desired: XrayDesired) -> bool:
        """Tell that no step needs a preparation: a core that somebody else runs is restarted by them."""
        return True

    async def prepare_for(self, step: Step, desired: XrayDesired) -> None:
        """Prepare nothing."""

    async def apply(self, step: Step, desired: XrayDesired) -> None:
        """Carry out a step; a restart is prepared here and raises Misconfigured to say who has to carry it out."""
        if step.verb is Verb.RESTART:
            await self.write_config(desired)
            raise Misconfigured(
                f"Xray has to be restarted by whoever runs it; its new configuration is {self._options.config_path}"
            )
        if self._blocks is not None and step.verb is not Verb.REMOVE:
            await self._blocks.lift([step.subject])
        await users.apply(self._api(), step, desired, wanted=desired.users)
        if self._blocks is not None and step.verb is Verb.REMOVE:
            await self._blocks.put([step.subject])

    async def probe(self) -> Health:
        """Ask the API."""
        try:
            await self._api().uptime_s()
        except EngineUnavailable as error:
            self._health = Health(Condition.DOWN, error.message)
        else:
            self._health = Health(Condition.READY)
        return self._health

    async def when_reachable(self) -> bool:
        """Wait until the API answers; a core that somebody else runs is never down for certain."""
        while (await self.probe()).condition is not Condition.READY:
            await self._ensure_config()
            await self._clock.sleep(_POLL_S)
        return True

    def places(self, desired: XrayDesired, subjects: Collection[str]) -> Mapping[str, Collection[str]]:
        """Return the inbounds these labels are to be in that only a start opens; the others were opened by us."""
        static = {tag: users_of_tag.keys() for tag, users_of_tag in desired.users.items() if not is_live(tag)}
        return {label: [tag for tag, labels in static.items() if label in labels] for label in subjects}

    async def cold(self, places: Mapping[str, Collection[str]]) -> Mapping[str, KeysteadError]:
        """Say of each label which of its inbounds is not open; whether one is warm nobody can tell."""
        try:
            opened = set(await self._api().inbound_tags())
        except EngineUnavailable as error:
            return dict.fromkeys(places, error)
        missing = {label: sorted(set(tags) - opened) for label, tags in places.items()}
        return {label: EngineUnavailable(f"inbound {tags[0]} is not open") for label, tags in missing.items() if tags}

    async def when_warmth_changes(self) -> None:
        """Wait a moment: nobody tells."""
        await self._clock.sleep(_POLL_S)

    async def apply_marked(self, desired: XrayDesired, subjects: Collection[str]) -> Mapping[str, KeysteadError | None]:
        """Bring only these labels to the desired state."""
        tags = await self._api().inbound_tags()
        known = [inbound.tag for inbound in (await self._load()).static if inbound.tag in tags]
        blocks = self._blocks
        if blocks is not None:
            await blocks.lift([label for label in subjects if label not in desired.absent])
        outcomes = await users.apply_marked(self._api(), desired, subjects, tags=known)
        gone = [label for label, error in outcomes.items() if error is None and label in desired.absent]
        if blocks is not None and gone:
            await blocks.put(gone)
        return outcomes

    async def read_counters(self, label: str | None = None) -> Reading:
        """Read the counters of a label (None: of all); raise EngineUnavailable when the core was replaced meanwhile."""
        before = await self._identity()
        counters = await self._api().counters(label)
        if await self._identity() != before:
            raise EngineUnavailable("Xray was restarted while its counters were read")
        customers = {label: read for label, read in counters.items() if not label.startswith(OWN_LABEL_PREFIX)}
        return Reading(before, customers, may_fall=True)

    async def _ensure_config(self) -> None:
        """Write the first file: without it nobody could start the core that we wait for."""
        if self._options.config_path.exists():
            return
        try:
            desired = await self._load()
            if desired.inbounds:
                await self.write_config(desired)
                log.warning("configuration written; start Xray from it", path=str(self._options.config_path))
        except (KeysteadError, OSError) as error:
            log.error("configuration not written", path=str(self._options.config_path), reason=str(error))

    async def write_config(self, desired: XrayDesired) -> None:
        """Write the whole configuration beside, have Xray check it, swap it in; raise Misconfigured when it refuses."""
        settings = self._options.settings
        rendered = config.render(desired, api_listen=self._options.api_listen, probe=None, settings=settings)
        content = orjson.dumps(rendered, option=orjson.OPT_INDENT_2)
        path = self._options.config_path
        previous = path.read_bytes() if path.exists() else b""
        if content == previous:
            return
        await self._check(content)
        if previous:
            write_private(path.with_name(f"{path.name}.previous"), previous)
        write_private(path, content)
        write_private(self._digest_path, config.digest(desired, settings).encode())

    @property
    def _digest_path(self) -> Path:
        return self._options.config_path.with_name(f"{self._options.config_path.name}.digest")

    async def _check(self, content: bytes) -> None:
        process = await asyncio.create_subprocess_exec(
            self._binary.path,
            *("run", "-test", "-config", "stdin:"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(_TEST_TIMEOUT_S):
                await process.communicate(content)
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise EngineUnavailable("Xray did not check its configuration in time") from error
        if process.returncode != 0:
            raise Misconfigured(f"{self._binary.path} refuses the configuration; the old one stays")

    async def _running_digest(self) -> str:
        await self._identity()
        try:
            written_s = self._digest_path.stat().st_mtime
            digest = self._digest_path.read_text()
        except FileNotFoundError:
            return ""
        # Uptime is rounded down, so this boot time is never too early: a core started from the file is never missed.
        booted_s = self._boots.booted_s
        return digest if booted_s is not None and booted_s >= written_s else ""

    async def _identity(self) -> str:
        return await self._boots.look(await self._api().uptime_s())

    def _api(self) -> XrayClient:
        if self._client is None:
            raise Broken("the Xray driver was used before it was started")
        return self._client
