"""Put the wall clock of a Keystead on or back from outside; found by Python itself, through the instance's PYTHONPATH.

The file that ``CHAOS_CLOCK`` names holds the seconds to add. Only the product's own clock is stepped: the kernel's, and
with it the core's and that of certificates, stay as they are, and so does the monotonic one, as in a real step.
"""

import os
from datetime import datetime, timedelta
from pathlib import Path

from keystead.kit.clock import SystemClock

_TOLD = os.environ.get("CHAOS_CLOCK")


def _stepped(self: SystemClock) -> datetime:
    assert _TOLD is not None
    return _now(self) + timedelta(seconds=float(Path(_TOLD).read_text() or "0"))


_now = SystemClock.now
if _TOLD is not None:
    SystemClock.now = _stepped  # type: ignore[method-assign] # the one way in from outside
