"""Keystead with an engine that does nothing, to measure everything but the engine.

Run as ``python -m bench.stubbed`` with the environment of ``keystead serve``; if ``BENCH_STATS`` names a Unix socket,
traffic is read there, through our real client.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from keystead import opening
from keystead.cli import app
from keystead.engines.xray import config, warmth
from keystead.engines.xray.client import XrayClient
from keystead.engines.xray.options import XrayOptions
from keystead.engines.xray.state import Reading, XrayActual, XrayDesired
from keystead.engines.xray.watching import Unwatched
from keystead.kit.errors import KeysteadError
from keystead.reconcile.engine import Condition, Health
from keystead.reconcile.plan import Step


class IdleXray:
    """A Driver whose engine is a dictionary."""

    def __init__(
        self, _binary: object, options: XrayOptions, *, load: Callable[[], Awaitable[XrayDesired]], **_: Any
    ) -> None:
        self._options = options
        self._load = load
        self._labels: dict[str, set[str]] = {}
        self._digest = ""
        self._client: XrayClient | None = None
        self.watching = Unwatched("there are no connections")

    async def start(self) -> None:
        desired = await self._load()
        self._labels = {inbound.tag: set(desired.users.get(inbound.tag, {})) for inbound in desired.inbounds}
        self._digest = config.digest(desired, self._options.settings)
        if path := os.environ.get("BENCH_STATS"):
            self._client = XrayClient.on_socket(Path(path))

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def observe(self) -> XrayActual:
        desired = await self._load()
        held = {
            tag: {label: user for label, user in desired.users.get(tag, {}).items() if label in labels}
            for tag, labels in self._labels.items()
        }
        return XrayActual(held, self._digest)

    async def sizes(self) -> Mapping[str, int]:
        return {tag: len(labels) for tag, labels in self._labels.items()}

    def is_prepared(self, step: Step, desired: XrayDesired) -> bool:
        return True

    async def prepare_for(self, step: Step, desired: XrayDesired) -> None:
        return

    async def apply(self, step: Step, desired: XrayDesired) -> None:
        self._labels = {inbound.tag: set(desired.users.get(inbound.tag, {})) for inbound in desired.inbounds}

    async def apply_marked(self, desired: XrayDesired, subjects: Collection[str]) -> Mapping[str, KeysteadError | None]:
        for tag, labels in self._labels.items():
            labels.difference_update(desired.absent)
            labels.update(desired.users.get(tag, ()))
        return dict.fromkeys(subjects)

    async def probe(self) -> Health:
        return Health(Condition.READY)

    async def when_reachable(self) -> bool:
        return True

    def places(self, desired: XrayDesired, subjects: Collection[str]) -> Mapping[str, Collection[str]]:
        return warmth.places(desired, subjects)

    async def cold(self, places: Mapping[str, Collection[str]]) -> Mapping[str, KeysteadError]:
        return {}

    async def read_counters(self, label: str | None = None) -> Reading:
        return Reading("idle", {} if self._client is None else await self._client.counters(label))


if __name__ == "__main__":
    # The composition root makes its driver itself; this is the one place where another one has to stand in for it.
    setattr(opening, "ManagedXray", IdleXray)  # noqa: B010 - which is what it is
    sys.argv[1:] = ["serve", "--foreground"]
    app.main()
