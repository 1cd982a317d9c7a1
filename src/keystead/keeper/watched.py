"""What the keeper sees of connections, asked for by the API: its verbs ``connections``, ``seen`` and so on.

Reached through ``KeptCore.watched``. Answers are as the wire has them; an engine's driver makes values of them.
"""

from collections.abc import Collection, Mapping
from typing import Any

from keystead.keeper.link import KeeperLink


class Watched:
    """The keeper's watch over connections. Every call raises EngineUnavailable when the keeper is away."""

    def __init__(self, link: KeeperLink) -> None:
        self._link = link

    async def connections(self, labels: Collection[str] | None = None) -> list[list[Any]]:
        """Return open connections of labels (None: of all, owned or not); raise Unsupported where nobody knows them."""
        rows: list[list[Any]] = await self._link.ask("connections", labels=None if labels is None else list(labels))
        return rows

    async def seen(self, within_s: float) -> dict[str, float]:
        """Return how many seconds ago labels connected or moved bytes, those seen within so many seconds."""
        found: dict[str, float] = await self._link.ask("seen", within_s=within_s)
        return found

    async def attribute(self, process: str, online: Mapping[str, Collection[str]]) -> int:
        """Give connections without an owner to the only label online at their address; return how many."""
        told = {host: list(labels) for host, labels in online.items()}
        return int(await self._link.ask("attribute", process=process, online=told))

    async def state(self) -> dict[str, Any]:
        """Return what works here and how well owners are known."""
        found: dict[str, Any] = await self._link.ask("state")
        return found
