"""What the keeper sees of connections and does with them, asked for by the API: its verbs ``connections``, ``cut`` etc.

Reached through ``KeptCore.watched``. Answers are as the wire has them; an engine's driver makes values of them.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from keystead.keeper.keepers import Keepers
from keystead.kit.errors import EngineUnavailable, Rejected
from keystead.kit.log import get_logger

log = get_logger()


# What a keeper's state tells of each of its processes.
_BY_PROCESS = ("cut", "lines", "ownerless", "connections", "unowned", "doubtful")


class Watched:
    """The keeper's watch over connections. Every call but a cut raises EngineUnavailable when the keeper is away."""

    def __init__(self, keepers: Keepers, *, renewing: asyncio.Lock) -> None:
        """Take the way to the keepers, and the lock under which they are told what holds from the next launch on."""
        self._keepers = keepers
        self._renewing = renewing

    # --- what is seen ---

    async def connections(self, labels: Collection[str] | None = None) -> list[list[Any]]:
        """Return open connections of labels (None: of all, owned or not); raise Unsupported where nobody knows them."""
        told = await self._keepers.ask_all("connections", labels=None if labels is None else list(labels))
        return [row for rows in told for row in rows]

    async def seen(
        self, within_s: float, labels: Collection[str] | None = None, *, is_behind: bool | None = None
    ) -> dict[str, float]:
        """Return how many seconds ago labels (None: all) connected or moved bytes, those seen within so many seconds.

        With ``is_behind`` only what came through inbounds behind others counts, or what did not.
        """
        found: dict[str, float] = {}
        wanted = None if labels is None else list(labels)
        for told in await self._keepers.ask_all("seen", within_s=within_s, labels=wanted, is_behind=is_behind):
            found |= {label: min(ago_s, found.get(label, ago_s)) for label, ago_s in told.items()}
        return found

    async def addresses(self, labels: Collection[str] | None = None) -> dict[str, tuple[int, int, list[str]]]:
        """Return by label its limit, how many addresses are active, and which are refused (None: of all in use).

        None for a keeper that is older than the question. Of two keepers each has judged by itself.
        """
        found: dict[str, tuple[int, int, list[str]]] = {}
        with suppress(Rejected):
            for told in await self._keepers.ask_all("addresses", labels=None if labels is None else list(labels)):
                for label, (limit, active, refused) in told.items():
                    _, others, more = found.get(label, (limit, 0, []))
                    found[label] = limit, max(active, others), sorted({*refused, *more})
        return found

    async def carried(self) -> Mapping[str, tuple[bool, Mapping[str, Sequence[int]]]]:
        """Return per process whether it lives, and uplink, downlink and the open part of both per label."""
        return await self._keepers.carried()

    async def carried_now(self, label: str) -> Mapping[str, tuple[bool, Mapping[str, Sequence[int]]]]:
        """Return the same of one label as of now."""
        found: dict[str, tuple[bool, Mapping[str, Sequence[int]]]] = {}
        for told in await self._keepers.ask_all("carried_now", label=label):
            found |= told
        return found

    async def state(self) -> dict[str, Any]:
        """Return what works here and how well owners are known."""
        first, *others = await self._keepers.ask_all("state")
        for told in others:
            for name in _BY_PROCESS:
                first[name] = {**first.get(name, {}), **told.get(name, {})}
        found: dict[str, Any] = first
        return found

    # --- what is done ---

    async def cut(self, labels: Sequence[str], *, is_once: bool = False) -> int:
        """End the live connections of these labels; return how many were found. A process that is gone has none.

        Whatever turns up of them later is ended too, unless the order is for once.
        """
        try:
            return sum(await self._keepers.ask_all("cut", labels=labels, is_once=is_once))
        except EngineUnavailable as error:
            log.warning("connections not cut", reason=error.message)
            return 0

    async def cut_all(self, process: str) -> int:
        """End every connection of a process that is about to end; return how many there were."""
        try:
            return sum(await self._keepers.ask_all("cut", process=process))
        except EngineUnavailable as error:
            log.warning("connections not cut", reason=error.message)
            return 0

    async def limit(self, limits: Mapping[str, int | None], addresses: Mapping[str, int | None]) -> None:
        """Hold labels to bytes a second and others to so many addresses from now on, or let them go with None."""
        async with self._renewing:
            await self._keepers.ask_all("limit", limits=limits, addresses=addresses)

    async def attribute(self, process: str, online: Mapping[str, Collection[str]]) -> int:
        """Give connections without an owner to the only label online at their address; return how many."""
        told = {host: list(labels) for host, labels in online.items()}
        return sum(await self._keepers.ask_all("attribute", process=process, online=told))

    async def suspects(self, process: str) -> dict[str, int]:
        """Return by process how many connections without an owner may be of a label that was cut.

        The keeper takes notice of those of one process, whose core is to be asked next. None for a keeper that is older
        than the question.
        """
        with suppress(Rejected):
            told = await self._keepers.ask_all("suspects", process=process)
            return {name: count for counts in told for name, count in counts.items()}
        return {}

    async def hunt(
        self, process: str, online: Mapping[str, Mapping[str, int]], counted: Mapping[str, int]
    ) -> tuple[bool, Collection[str]]:
        """End those of a process that are proven to be of a label that was cut, by what its core has just said.

        ``online`` tells who is online at which address and when each connected last, ``counted`` the bytes received
        from labels in doubt. Tell whether none is left to be found, and which labels are in doubt.
        """
        told = await self._keepers.ask_all(
            "hunt",
            process=process,
            online={host: list(labels) for host, labels in online.items()},
            last={host: dict(labels) for host, labels in online.items()},
            counted=dict(counted),
        )
        return all(one["is_over"] for one in told), {label for one in told for label in one.get("doubtful", ())}
