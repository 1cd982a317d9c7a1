"""When moments of the wall clock were, by the clock that never goes back; asked by the watch about what a core notes.

A wall clock is set now and then. What was noted before that cannot be placed any more, and is said to be unknown.
"""

import math
from collections.abc import Mapping

from keystead.kit.clock import Clock

# Reading two clocks one after the other takes a moment on a busy machine; two readings that far apart are no step.
_STEP_S = 0.5

# By address and label.
Seconds = Mapping[str, Mapping[str, int | None]]


class Wall:
    """The wall clock as seen since the keeper began; ``check`` is to be called about every second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_s = self._read()
        self._stepped_s = -math.inf

    def check(self) -> None:
        """Notice when the clock was set."""
        ahead_s = self._read()
        if abs(ahead_s - self._ahead_s) > _STEP_S:
            self._ahead_s, self._stepped_s = ahead_s, self._clock.monotonic_s()

    def placed(self, seconds: Seconds) -> dict[str, dict[str, float]]:
        """Return until when each of these moments was at the latest, infinity where that is unknown."""
        self.check()
        return {
            host: {label: math.inf if second is None else self.latest_s(second) for label, second in labels.items()}
            for host, labels in seconds.items()
        }

    def latest_s(self, second: float) -> float:
        """Return when a whole second of the wall clock was over for certain, infinity where that is unknown."""
        over_s = second + 1 + _STEP_S - self._ahead_s
        return over_s if over_s > self._stepped_s + 1 + 2 * _STEP_S else math.inf

    def _read(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic_s()
