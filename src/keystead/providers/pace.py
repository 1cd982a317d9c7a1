"""How fast requests may follow each other, for each credential: from the provider's own headers, or from its rule.

Headers are ``Ratelimit: "name";r=<left>;t=<seconds>`` (IETF draft ratelimit-headers; Cloudflare sends them since
2025-09) and ``Retry-After`` of a 429. A key is a name of the credential that is no secret. One pace is shared by all
who use the same credential in this process.
"""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from keystead.kit.clock import Clock

TOO_MANY = 429
# What a 429 without Retry-After is taken for.
_BLOCKED_S = 60.0
_KEYS_MAX = 10_000
_LEFT = re.compile(r";\s*r=(\d+)\s*;\s*t=(\d+)")


@dataclass
class _State:
    blocked_until_s: float = 0.0
    sent_s: deque[float] = field(default_factory=deque)


class Pace:
    """Tell how long to wait before the next request, and learn from answers."""

    def __init__(self, clock: Clock, rule: tuple[int, float] | None = None) -> None:
        self._clock = clock
        self._rule = rule
        self._states: dict[str, _State] = {}

    def wait_s(self, key: str) -> float:
        """Return how long a request with a credential has to wait; 0 when it may go now."""
        state = self._states.get(key)
        if state is None:
            return 0.0
        now_s = self._clock.monotonic_s()
        return max(0.0, state.blocked_until_s - now_s, self._rule_wait_s(state, now_s))

    def note_sent(self, key: str) -> None:
        """Count a request."""
        if self._rule is not None:
            self._state(key).sent_s.append(self._clock.monotonic_s())

    def note_answer(self, key: str, status: int, headers: Mapping[str, str], retry_after_s: int | None) -> None:
        """Learn from an answer when the next request may go."""
        wait_s = 0.0
        if status == TOO_MANY:
            wait_s = float(retry_after_s) if retry_after_s is not None else _BLOCKED_S
        wait_s = max([wait_s, *(int(t) for left, t in _LEFT.findall(headers.get("ratelimit", "")) if int(left) == 0)])
        if wait_s:
            state = self._state(key)
            state.blocked_until_s = max(state.blocked_until_s, self._clock.monotonic_s() + wait_s)

    def _rule_wait_s(self, state: _State, now_s: float) -> float:
        if self._rule is None:
            return 0.0
        count, per_s = self._rule
        while state.sent_s and state.sent_s[0] <= now_s - per_s:
            state.sent_s.popleft()
        return state.sent_s[0] + per_s - now_s if len(state.sent_s) >= count else 0.0

    def _state(self, key: str) -> _State:
        if key not in self._states and len(self._states) >= _KEYS_MAX:
            self._states.pop(next(iter(self._states)))
        return self._states.setdefault(key, _State())
