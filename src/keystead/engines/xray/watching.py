"""The connections of a managed core: what the keeper's watch says of them, in our values, and what is done about them.

Made by the driver, which cuts and limits through it. Beside every process that is attended to it finds owners for
connections that no access line told of (the core's online map says who is online at an address), and drops block rules
that have done their work.
"""

import asyncio
import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from keystead.engines.xray.blocking import Blocks
from keystead.engines.xray.state import (
    OWN_LABEL_PREFIX,
    AddressUse,
    Carried,
    LiveConnection,
    WatchState,
    XrayDesired,
    carried_in,
)
from keystead.keeper.proving import Trick, Way
from keystead.keeper.watched import Watched
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError, Unsupported
from keystead.kit.log import get_logger
from keystead.kit.loops import keep_running
from keystead.kit.waiting import within

if TYPE_CHECKING:
    from keystead.engines.xray.attendance import Attendance
    from keystead.engines.xray.client import XrayClient

log = get_logger()

LOOK_EVERY_S = 5.0
# After a cut the core is asked so often who is still online, for so long at most; and at least for as long as a
# connection that was made right before it may need to carry its first bytes.
HUNT_EVERY_S = 0.25
HUNT_FOR_S = 10.0
HUNT_AT_LEAST_S = 1.5
_AGAIN_S = 1.0
# Of so many labels in doubt the core's count is asked for at a time.
_COUNTED_MAX = 16


class Watching:
    """What is known of connections and done with them, and the loop beside each process."""

    def __init__(
        self, watched: Watched, *, process: Callable[[], str], blocks: Callable[[], Sequence[Blocks]], clock: Clock
    ) -> None:
        """Take the keeper's watch, what names the process that serves, and what has the block rules of them all."""
        self._watched = watched
        self._process = process
        self._blocks = blocks
        self._clock = clock
        self._limits: Mapping[str, int] = {}
        self._address_limits: Mapping[str, int] = {}
        self._cut = asyncio.Event()
        self._cut_s = -math.inf
        self._doubtful: dict[str, Collection[str]] = {}

    # --- what is known ---

    async def connections(self, labels: Collection[str] | None = None) -> list[LiveConnection]:
        """Return live connections of labels (None: of all); Keystead's own are left out.

        Raises EngineUnavailable when the keeper is away, Unsupported where the kernel does not tell.
        """
        found = itertools.starmap(LiveConnection, await self._watched.connections(labels))
        return [one for one in found if one.label is None or not _is_own(one.label)]

    async def seen(
        self, within_s: float, labels: Collection[str] | None = None, *, is_behind: bool | None = None
    ) -> Mapping[str, float]:
        """Return how many seconds ago customers' labels connected or moved bytes, those seen within so many seconds.

        Of some labels, or of all with None. With ``is_behind`` only through inbounds that stand behind others, or only
        through those others.
        """
        seen = await self._watched.seen(within_s, labels, is_behind=is_behind)
        return {label: ago_s for label, ago_s in seen.items() if not _is_own(label)}

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
            doubtful=len({label for labels in told.get("doubtful", {}).values() for label in labels}) if sees else None,
        )

    async def address_use(self, labels: Collection[str] | None = None) -> Mapping[str, AddressUse]:
        """Return from where labels with an address limit are used (None: all that are); raise EngineUnavailable."""
        return {label: AddressUse(*use) for label, use in (await self._watched.addresses(labels)).items()}

    async def carried(self) -> Sequence[Carried]:
        """Return what the kernel has carried per label through each process, as of now."""
        return carried_in(await self._watched.carried())

    async def carried_now(self, label: str) -> Sequence[Carried]:
        """Return the same of one label as of now."""
        return carried_in(await self._watched.carried_now(label))

    # --- what is done ---

    async def cut(self, labels: Sequence[str], *, is_gone: bool) -> None:
        """End the connections of labels; where that is impossible, refuse new streams inside those of removed ones.

        Those that no access line told the owner of are found and ended by the loop beside each process, from now on.
        """
        await self._watched.cut(labels, is_once=not is_gone)
        if is_gone:
            cut, self._cut, self._cut_s = self._cut, asyncio.Event(), self._clock.monotonic_s()
            cut.set()
            await self._block_uncut(labels)

    async def unblock(self, labels: Collection[str], serving: Blocks) -> None:
        """Let labels through again before they can connect; raise EngineUnavailable when the core cannot be told."""
        await serving.lift(labels)
        for blocks in self._blocks():
            if blocks is not serving:
                with suppress(KeysteadError):  # that process takes no new connections and may be gone
                    await blocks.lift(labels)

    def note_limits(self, desired: XrayDesired) -> None:
        """Take notice of the limits that a launch told the keeper."""
        self._limits, self._address_limits = desired.limits, desired.address_limits

    async def limit(self, desired: XrayDesired, labels: Collection[str]) -> None:
        """Have the keeper hold labels to their speeds and addresses, where they differ from what it was told."""
        speeds = _changed(self._limits, desired.limits, labels)
        addresses = _changed(self._address_limits, desired.address_limits, labels)
        if speeds or addresses:
            await self._watched.limit(speeds, addresses)
            self._limits = _with(self._limits, speeds)
            self._address_limits = _with(self._address_limits, addresses)

    async def look_after(self, attended: "Attendance") -> None:
        """Look after a process's connections until cancelled; what goes wrong with that must not end the process."""
        await self.look_after_process(attended.process, attended.client, attended.blocks)

    async def look_after_process(self, process: str, client: "XrayClient", blocks: Blocks) -> None:
        """Do the same for one that nobody attends to, since it is on its way out."""
        await keep_running("connections", partial(self._run, process, client, blocks), self._clock)

    # --- the rest ---

    async def _block_uncut(self, labels: Collection[str]) -> None:
        try:
            told = await self._watched.state()
        except KeysteadError as error:
            log.warning("it is not known whether connections were cut", reason=error.message)
            return
        if Way.NONE in told["cut"].values():
            for each in self._blocks():
                await each.put(labels)

    async def _run(self, process: str, client: "XrayClient", blocks: Blocks) -> None:
        """Attribute connections and expire block rules of a process until cancelled; hunt at once after a cut."""
        next_look_s, pause_s = self._clock.monotonic_s() + LOOK_EVERY_S, HUNT_EVERY_S
        while True:
            await within(self._clock, pause_s, self._cut.wait())
            is_due = self._clock.monotonic_s() >= next_look_s
            next_look_s += LOOK_EVERY_S * is_due
            try:
                is_over = await self._hunt(process, client, blocks)
                if is_due:
                    await self._attribute(process, client, blocks)
            except KeysteadError as error:
                log.warning("connections not looked after", process=process, reason=error.message)
                pause_s = _AGAIN_S
            else:
                now_s = self._clock.monotonic_s()
                is_hot = now_s < self._cut_s + (HUNT_AT_LEAST_S if is_over else HUNT_FOR_S)
                pause_s = HUNT_EVERY_S if is_hot else max(0.0, next_look_s - now_s)

    async def _hunt(self, process: str, client: "XrayClient", blocks: Blocks) -> bool:
        """Have connections of labels that were cut ended that no line told of; tell whether none is left.

        What cannot be proven to be theirs goes on, and new streams in it are refused.
        """
        if process not in await self._watched.suspects(process):
            self._doubtful.pop(process, None)
            return True
        in_doubt = sorted(self._doubtful.get(process, ()))[:_COUNTED_MAX]
        counted = {label: found.uplink for each in in_doubt for label, found in (await client.counters(each)).items()}
        is_over, self._doubtful[process] = await self._watched.hunt(process, _customers(await client.online()), counted)
        if self._doubtful[process]:
            await blocks.put(self._doubtful[process])
        return is_over

    async def _attribute(self, process: str, client: "XrayClient", blocks: Blocks) -> None:
        if (await self._watched.state())["unowned"].get(process):
            given = await self._watched.attribute(process, _customers(await client.online()))
            log.debug("connections attributed", process=process, given=given)
        if blocks.labels:
            live = await self._live(blocks.labels)
            await blocks.expire(live if live is None else live.union(self._doubtful.get(process, ())))

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

    async def seen(
        self, within_s: float, labels: Collection[str] | None = None, *, is_behind: bool | None = None
    ) -> Mapping[str, float]:
        """Raise Unsupported."""
        raise Unsupported(f"when a key was last seen is unknown: {self._reason}")

    async def address_use(self, labels: Collection[str] | None = None) -> Mapping[str, AddressUse]:
        """Raise Unsupported."""
        raise Unsupported(f"the addresses of a key are unknown: {self._reason}")

    async def state(self) -> WatchState:
        """Return that nothing can be seen or ended."""
        return WatchState({trick.value: self._reason for trick in Trick}, cut=Way.NONE, is_managed=False)


def _changed(told: Mapping[str, int], wanted: Mapping[str, int], labels: Collection[str]) -> dict[str, int | None]:
    return {label: wanted.get(label) for label in labels if wanted.get(label) != told.get(label)}


def _with(told: Mapping[str, int], changes: Mapping[str, int | None]) -> dict[str, int]:
    return {label: limit for label, limit in {**told, **changes}.items() if limit is not None}


def _customers(online: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return who is online where and since when at the latest, Keystead's own left out."""
    return {
        host: {label: last for label, last in labels.items() if not _is_own(label)} for host, labels in online.items()
    }


def _is_own(label: str) -> bool:
    return label.startswith(OWN_LABEL_PREFIX)
