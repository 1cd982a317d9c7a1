"""Share one speed limit out among the connections it covers, from what each of them carried in the last second.

Pure. Asked about once a second per limited label by the keeper, which sets the answer on the sockets. A rate is a cap
that the kernel holds a connection to (SO_MAX_PACING_RATE), so the question is who gets which part of the limit:

- Connections that used what they were allowed are *busy*; they share equally what the others leave.
- The others may use what they use now and a part of the rest, so that one of them can wake at once. If many wake in the
  same second they exceed the limit for that second; then they are busy, and their shares sum up to the limit again.
"""

from collections.abc import Hashable, Mapping
from math import sqrt
from typing import TypeVar

Conn = TypeVar("Conn", bound=Hashable)

# Below this a connection stalls for seconds: the kernel sends at least two segments at a time, 3 kB.
FLOOR_BYTES_PER_S = 8_192
# A cap is met when this part of it was used: an interval is not exactly a second, and a cap is not exactly filled.
_MET = 0.75


def shares(
    limit_bytes_per_s: int, carried_last_second: Mapping[Conn, int], previous: Mapping[Conn, int] | None = None
) -> dict[Conn, int]:
    """Return a cap in bytes a second for each connection.

    ``previous`` is what this function answered last time; a connection that is not in it was not capped. The caps of
    busy connections and what the others carry sum up to the limit, unless the floor lifts them above it.
    """
    busy = _busy(limit_bytes_per_s, carried_last_second, previous or {})
    idle = carried_last_second.keys() - busy
    rest = limit_bytes_per_s - sum(carried_last_second[one] for one in idle)
    equal = rest / len(busy) if busy else float(limit_bytes_per_s)
    waking = rest / (len(busy) + max(1.0, sqrt(len(idle))))
    return {
        one: max(FLOOR_BYTES_PER_S, int(equal if one in busy else min(carried + waking, equal)))
        for one, carried in carried_last_second.items()
    }


def _busy(limit: int, carried: Mapping[Conn, int], previous: Mapping[Conn, int]) -> set[Conn]:
    """Return who met its cap, or the fair share where that is less."""
    rest, left = float(limit), len(carried)
    # Whoever carried more than one that met its cap is busy with it.
    ascending = sorted(carried.items(), key=lambda item: item[1])
    for place, (one, bytes_per_s) in enumerate(ascending):
        fair = rest / left
        if bytes_per_s >= _MET * min(fair, previous.get(one, fair)) and bytes_per_s > 0:
            return {other for other, amount in ascending[place:]}
        rest, left = rest - bytes_per_s, left - 1
    return set()
