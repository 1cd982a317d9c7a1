"""What the keeper sees of connections and does with them, asked for by the API: its verbs ``connections``, ``cut`` etc.

Reached through ``KeptCore.watched``. Answers are as the wire has them; an engine's driver makes values of them.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import structlog

from keystead.keeper.link import KeeperLink
from keystead.kit.errors import EngineUnavailable

log = structlog.get_logger(__name__)


class Watched:
    """The keeper's watch over connections. Every call but a cut raises EngineUnavailable when the keeper is away."""

    def __init__(self, link: KeeperLink, *, renewing: asyncio.Lock) -> None:
        """Take the way to the keeper, and the lock under which it is told what holds from the next launch on."""
        self._link = link
        self._renewing = renewing
        self._carried: dict[str, dict[str, Sequence[int]]] = {}
        self._carried_serial = -1

    # --- what is seen ---

    async def connections(self, labels: Collection[str] | None = None) -> list[list[Any]]:
        """Return open connections of labels (None: of all, owned or not); raise Unsupported where nobody knows them."""
        rows: list[list[Any]] = await self._link.ask("connections", labels=None if labels is None else list(labels))
        return rows

    async def seen(self, within_s: float) -> dict[str, float]:
        """Return how many seconds ago labels connected or moved bytes, those seen within so many seconds."""
        found: dict[str, float] = await self._link.ask("seen", within_s=within_s)
        return found

    async def carried(self) -> Mapping[str, tuple[bool, Mapping[str, Sequence[int]]]]:
        """Return per process whether it lives, and uplink, downlink and the open part of both per label."""
        told = await self._link.ask("carried", since=self._carried_serial)
        if told["is_full"]:
            self._carried = {}
        self._carried_serial = told["serial"]
        for process, labels in told["changed"].items():
            self._carried.setdefault(process, {}).update(labels)
        return {process: (process in told["living"], self._carried.get(process, {})) for process in told["all"]}

    async def state(self) -> dict[str, Any]:
        """Return what works here and how well owners are known."""
        found: dict[str, Any] = await self._link.ask("state")
        return found

    # --- what is done ---

    async def cut(self, labels: Sequence[str]) -> int:
        """End the live connections of these labels; return how many were found. A process that is gone has none."""
        try:
            return int(await self._link.ask("cut", labels=labels))
        except EngineUnavailable as error:
            log.warning("connections not cut", reason=error.message)
            return 0

    async def cut_all(self, process: str) -> int:
        """End every connection of a process that is about to end; return how many there were."""
        try:
            return int(await self._link.ask("cut", process=process))
        except EngineUnavailable as error:
            log.warning("connections not cut", reason=error.message)
            return 0

    async def limit(self, limits: Mapping[str, int | None]) -> None:
        """Hold labels to bytes a second from now on, or let them go with None."""
        async with self._renewing:
            await self._link.ask("limit", limits=limits)

    async def attribute(self, process: str, online: Mapping[str, Collection[str]]) -> int:
        """Give connections without an owner to the only label online at their address; return how many."""
        told = {host: list(labels) for host, labels in online.items()}
        return int(await self._link.ask("attribute", process=process, online=told))
