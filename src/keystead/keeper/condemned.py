"""The labels that may not be connected any more, and which connections are old enough to be one of theirs.

One object for all processes of a keeper, so that an order to cut outlives every process it was given to: a connection
whose access line comes late is ended when it comes, and a process that is started later is under the order too. It is
lifted when the label may connect again. Pure; times are seconds of a clock that never goes back.
"""

from collections.abc import Collection, Iterable

# The oldest order is forgotten beyond so many; a label is never given to another key.
CONDEMNED_MAX = 20_000
# A dump shows a connection this much after it was made.
SHOWN_WITHIN_S = 1.0
# So long after the end of a connection the engine may still list its label as online, on a machine that is busy.
UNLISTED_WITHIN_S = 0.5


class Condemned:
    """Orders to cut, by label, with the moment of each."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}
        self._last_s: float | None = None

    def add(self, labels: Iterable[str], now_s: float) -> None:
        """Have these labels' connections ended from now on."""
        for label in labels:
            self._since_s.pop(label, None)
            self._since_s[label] = self._last_s = now_s
            if len(self._since_s) > CONDEMNED_MAX:
                self.pardon([next(iter(self._since_s))])

    def pardon(self, labels: Iterable[str]) -> None:
        """Let these labels connect again."""
        for label in labels:
            self._since_s.pop(label, None)

    def __contains__(self, label: object) -> bool:
        return label in self._since_s

    def among(self, labels: Collection[str]) -> list[str]:
        """Return those of some labels that are condemned."""
        if len(labels) > len(self._since_s):
            return [label for label in self._since_s if label in labels]
        return [label for label in labels if label in self._since_s]

    def may_be_of_one(self, first_seen_s: float) -> bool:
        """Tell whether a connection was there early enough to be a condemned label's: none can be made later."""
        return self._last_s is not None and first_seen_s <= self._last_s + SHOWN_WITHIN_S

    def may_be_of(self, label: str, first_seen_s: float) -> bool:
        """Tell the same of one label."""
        return first_seen_s <= self._since_s[label] + SHOWN_WITHIN_S

    def is_listed_in_error(self, label: str, now_s: float) -> bool:
        """Tell whether the engine may list a label as online because of a connection that was ended a moment ago."""
        return now_s < self._since_s[label] + UNLISTED_WITHIN_S
