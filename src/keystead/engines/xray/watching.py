"""The connections of a managed core: what the keeper's watch says of them, in our values, and what is done about them.

Made by the driver. Beside every process that is attended to it finds owners for connections that no access line told
of (the core's online map says who is online at an address), and drops block rules that have done their work.
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping

import structlog

from keystead.engines.xray.blocking import Blocks
from keystead.engines.xray.client import XrayClient
from keystead.engines.xray.state import OWN_LABEL_PREFIX, LiveConnection, WatchState
from keystead.keeper.proving import Trick, Way
from keystead.keeper.watched import Watched
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError, Unsupported

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 5.0


class Watching:
    """What is known of connections, and the loop beside each process."""

    def __init__(self, watched: Watched, *, process: Callable[[], str], clock: Clock) -> None:
        """Take the keeper's watch, and what names the process that serves."""
        self._watched = watched
        self._process = process
        self._clock = clock

    async def connections(self, labels: Collection[str] | None = None) -> list[LiveConnection]:
        """Return live connections of labels (None: of all); Keystead's own are left out.

        Raises EngineUnavailable when the keeper is away, Unsupported where the kernel does not tell.
        """
        found = itertools.starmap(LiveConnection, await self._watched.connections(labels))
        return [one for one in found if one.label is None or not _is_own(one.label)]

    async def seen(self, within_s: float) -> Mapping[str, float]:
        """Return how many seconds ago customers' labels connected or moved bytes, those seen within so many seconds."""
        return {label: ago_s for label, ago_s in (await self._watched.seen(within_s)).items() if not _is_own(label)}

    async def state(self) -> WatchState:
        """Return what works here; raise EngineUnavailable when the keeper is away."""
        told, process = await self._watched.state(), self._process()
        tricks = told["tricks"] or dict.fromkeys(Trick, "not tried yet")
        sees = tricks[Trick.DUMP] is None
        return WatchState(
            {str(name): reason for name, reason in tricks.items()},
            cut=told["cut"].get(process, Way.NONE),
            lines=told["lines"].get(process, 0),
            connections=sum(told["connections"].values()) if sees else None,
            ownerless_share=told["ownerless"].get(process, 0.0) if sees else None,
        )

    async def block_uncut(self, labels: Collection[str], blocks: Iterable[Blocks]) -> None:
        """Block removed labels where their connections cannot be ended."""
        try:
            told = await self._watched.state()
        except KeysteadError as error:
            log.warning("it is not known whether connections were cut", reason=error.message)
            return
        if Way.NONE in told["cut"].values():
            for each in blocks:
                await each.put(labels)

    async def run(self, process: str, client: XrayClient, blocks: Blocks) -> None:
        """Attribute connections and expire block rules of a process until cancelled."""
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            try:
                await self._attribute(process, client)
                if blocks.labels:
                    await blocks.expire(await self._live(blocks.labels))
            except KeysteadError as error:
                log.warning("connections not looked after", process=process, reason=error.message)

    async def _attribute(self, process: str, client: XrayClient) -> None:
        if not (await self._watched.state())["unowned"].get(process):
            return
        online = await client.online()
        customers = {host: [label for label in labels if not _is_own(label)] for host, labels in online.items()}
        given = await self._watched.attribute(process, customers)
        if given:
            log.debug("connections attributed", process=process, given=given)

    async def _live(self, labels: Collection[str]) -> set[str] | None:
        try:
            return {one.label for one in await self.connections(labels) if one.label is not None}
        except Unsupported:
            return None


class Unwatched:
    """The connections of a core whose sockets and output are not ours: unknown, and said so."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def connections(self, labels: Collection[str] | None = None) -> list[LiveConnection]:
        """Raise Unsupported."""
        raise Unsupported(f"live connections are unknown: {self._reason}")

    async def seen(self, within_s: float) -> Mapping[str, float]:
        """Raise Unsupported."""
        raise Unsupported(f"when a key was last seen is unknown: {self._reason}")

    async def state(self) -> WatchState:
        """Return that nothing can be seen or ended."""
        return WatchState({trick.value: self._reason for trick in Trick}, cut=Way.NONE, is_managed=False)


def _is_own(label: str) -> bool:
    return label.startswith(OWN_LABEL_PREFIX)
