"""Refuse new streams of users who were removed while their live connections could not be ended.

A removed user's connection goes on, and inside a live Mux connection a client opens ever new streams without showing
its UUID again. The core asks its routing for every stream, so a rule that sends the user to the blackhole ends that.
Used by both drivers, one object per process of a core, when connections cannot be cut.

A rule is named as its label and found again by name after a restart of Keystead. It goes when the label comes back,
when it is known to have no connections, or after an hour.
"""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from keystead.engines.xray.config import BLOCKED
from keystead.engines.xray.state import OWN_LABEL_PREFIX
from keystead.kit.clock import Clock
from keystead.kit.errors import KeysteadError, Rejected, Unsupported
from keystead.kit.log import get_logger

if TYPE_CHECKING:
    from keystead.engines.xray.client import XrayClient

log = get_logger()

KEPT_S = 3600.0
# A connection that was accepted just before the removal shows in the table a moment later.
KEPT_AT_LEAST_S = 10.0
EXPIRE_EVERY_S = 60.0


class Blocks:
    """The rules of one process."""

    def __init__(self, client: "XrayClient", *, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._since_s: dict[str, float] | None = None

    @property
    def labels(self) -> Collection[str]:
        """Return the labels that are known to be blocked."""
        return tuple(self._since_s or ())

    async def put(self, labels: Iterable[str]) -> None:
        """Block labels; a core that does not take the rules is logged, since the users are removed all the same."""
        try:
            known = await self._known()
            new = [label for label in labels if label not in known]
            if new:
                await self._client.block(new, BLOCKED)
                known.update(dict.fromkeys(new, self._clock.monotonic_s()))
        except KeysteadError as error:
            log.warning("streams of removed users not blocked", reason=error.message)

    async def lift(self, labels: Iterable[str]) -> None:
        """Let labels through again, before they are told that they can connect; raise EngineUnavailable."""
        known = await self._known()
        for label in labels:
            if label in known:
                await self._client.unblock(label)
                known.pop(label, None)

    async def expire(self, live: Collection[str] | None) -> None:
        """Drop rules after an hour, or when no connection of their label is live (None: unknown)."""
        now_s = self._clock.monotonic_s()
        over = [
            label
            for label, since_s in (self._since_s or {}).items()
            if now_s - since_s >= KEPT_S
            or (live is not None and label not in live and now_s - since_s >= KEPT_AT_LEAST_S)
        ]
        await self.lift(over)

    async def run(self) -> None:
        """Expire rules until cancelled, where nobody knows which connections are live."""
        while True:
            await self._clock.sleep(EXPIRE_EVERY_S)
            try:
                await self.expire(None)
            except KeysteadError as error:
                log.warning("streams not let through again", reason=error.message)

    async def _known(self) -> dict[str, float]:
        """Return the rules with the moment they began; those found in the core begin now."""
        if self._since_s is None:
            try:
                found = await self._client.rules()
            except (Unsupported, Rejected):
                found = ()
            # Rules of our own have names too: those that lead the probe.
            labels = (name for name in found if not name.startswith(OWN_LABEL_PREFIX))
            self._since_s = dict.fromkeys(labels, self._clock.monotonic_s())
        return self._since_s
