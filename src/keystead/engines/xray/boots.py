"""Which process of somebody else's core is it? Told by when it was started, for all we can ask it is its uptime.

Used by the external driver. A name must hold for as long as the process lives, or all it has counted is booked again:
across steps of our wall clock, and across restarts of Keystead, which asks what names its readings were booked under.
"""

from collections.abc import Awaitable, Callable, Collection

from keystead.kit.clock import Clock

# Uptime comes in whole seconds; two cores are never started this close together.
BOOT_TOLERANCE_S = 3.0
_PREFIX = "boot-"

# Return the names under which readings are booked.
KnownProcesses = Callable[[], Awaitable[Collection[str]]]


async def nothing_known() -> Collection[str]:
    """Return no names: there are no readings from before."""
    return ()


class Boots:
    """Name the process behind an uptime."""

    def __init__(self, clock: Clock, known: KnownProcesses) -> None:
        self._clock = clock
        self._known = known
        self._booted_s: float | None = None
        self._booted_monotonic_s = 0.0
        self.process = ""

    @property
    def booted_s(self) -> float | None:
        """Return when the present process was started, in Unix seconds and up to a second late; None before a look."""
        return self._booted_s

    async def look(self, uptime_s: float) -> str:
        """Return the name of the process that has been up so long now."""
        monotonic_s = self._clock.monotonic_s() - uptime_s
        booted_s = self._clock.now().timestamp() - uptime_s
        if self._booted_s is None:
            self._become(await self._recalled(booted_s) or _named(booted_s), booted_s, monotonic_s)
        elif not (_is_same(monotonic_s, self._booted_monotonic_s) or _is_same(booted_s, self._booted_s)):
            self._become(_named(booted_s), booted_s, monotonic_s)
        return self.process

    async def _recalled(self, booted_s: float) -> str | None:
        """Return the name that the process had for an earlier Keystead."""
        names = [name for name in await self._known() if name.removeprefix(_PREFIX).isdigit()]
        near = [name for name in names if _is_same(int(name.removeprefix(_PREFIX)), booted_s)]
        return min(near, key=lambda name: abs(int(name.removeprefix(_PREFIX)) - booted_s), default=None)

    def _become(self, process: str, booted_s: float, monotonic_s: float) -> None:
        self.process, self._booted_s, self._booted_monotonic_s = process, booted_s, monotonic_s


def _named(booted_s: float) -> str:
    return f"{_PREFIX}{int(booted_s)}"


def _is_same(one_s: float, other_s: float) -> bool:
    return abs(one_s - other_s) <= BOOT_TOLERANCE_S
