"""How fast requests may follow each other, for each credential: from the provider's own headers, or from its rule.

Headers are ``Ratelimit: "name";r=<left>;t=<seconds>`` (IETF draft ratelimit-headers; Cloudflare sends them since
2025-09) and ``Retry-After`` of a 429. A key is a name of the credential that is no secret. One pace is shared by all
who use the same credential in this process. A rule is so many requests in so many seconds; several hold together.
"""

import re
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from keystead.kit.clock import Clock

TOO_MANY = 429
# What a refusal for the limit's sake without Retry-After is taken for.
_BLOCKED_S = 60.0
_KEYS_MAX = 10_000
_LEFT = re.compile(r";\s*r=(\d+)\s*;\s*t=(\d+)")


@dataclass
class _State:
    blocked_until_s: float = 0.0
    sent_s: deque[float] = field(default_factory=deque)


class Pace:
    """Tell how long to wait before the next request, and learn from answers."""

    def __init__(
        self, clock: Clock, *rules: tuple[int, float], busy_statuses: Collection[int] = frozenset({TOO_MANY})
    ) -> None:
        self.busy_statuses = busy_statuses
        self._clock = clock
        self._rules = rules
        self._kept_s = max((per_s for _, per_s in rules), default=0.0)
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
        if self._rules:
            self._state(key).sent_s.append(self._clock.monotonic_s())

    def note_answer(self, key: str, status: int, headers: Mapping[str, str], retry_after_s: int | None) -> None:
        """Learn from an answer when the next request may go."""
        wait_s = 0.0
        if status in self.busy_statuses:
            wait_s = float(retry_after_s) if retry_after_s is not None else _BLOCKED_S
        wait_s = max([wait_s, *(int(t) for left, t in _LEFT.findall(headers.get("ratelimit", "")) if int(left) == 0)])
        if wait_s:
            state = self._state(key)
            state.blocked_until_s = max(state.blocked_until_s, self._clock.monotonic_s() + wait_s)

    def _rule_wait_s(self, state: _State, now_s: float) -> float:
        sent_s = state.sent_s
        while sent_s and sent_s[0] <= now_s - self._kept_s:
            sent_s.popleft()
        # The last ``count`` of a rule's requests have to be spread over its time.
        return max(
            (sent_s[-count] + per_s - now_s for count, per_s in self._rules if len(sent_s) >= count), default=0.0
        )

    def _state(self, key: str) -> _State:
        if key not in self._states and len(self._states) >= _KEYS_MAX:
            self._states.pop(next(iter(self._states)))
        return self._states.setdefault(key, _State())
