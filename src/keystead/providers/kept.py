"""Access tokens that live for an hour: kept in memory, with the transport they were had over, and nowhere else.

A key is a name of the credential that is no secret, as with ``pace``.
"""

from dataclasses import dataclass

from keystead.kit.clock import Clock
from keystead.kit.secret import Secret

# A token this near its end is not begun with: what it is for may take a while.
SPARE_S = 300.0
_TOKENS_MAX = 10_000


@dataclass(frozen=True)
class _Kept:
    token: Secret[str]
    until_s: float


class KeptTokens:
    """Keep access tokens until near their end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def find(self, key: str) -> Secret[str] | None:
        """Return a token that goes on for a while, or None."""
        kept = self._kept.get(key)
        return kept.token if kept is not None and kept.until_s > self._clock.monotonic_s() else None

    def keep(self, key: str, token: Secret[str], ends_in_s: int) -> None:
        """Keep a token; the oldest of too many is forgotten."""
        self._kept.pop(key, None)
        if len(self._kept) >= _TOKENS_MAX:
            self._kept.pop(next(iter(self._kept)))
        self._kept[key] = _Kept(token, self._clock.monotonic_s() + ends_in_s - SPARE_S)

    def forget(self, key: str) -> None:
        """Forget a token that its provider took back."""
        self._kept.pop(key, None)
