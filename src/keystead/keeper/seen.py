"""When labels were last seen: they connected or moved bytes. Part of a table of connections; pure.

Where inbounds stand behind others, it also keeps through which of the two a label came: whoever wants to take one of
them away asks who would miss it.
"""

from collections.abc import Collection, Mapping


class Seen:
    """The last moment of each label, in all and by side."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        """Take the port of each inbound tag, as a start knows them; one that stands behind others has port 0."""
        self._behind = frozenset(tag for tag, port in ports.items() if port == 0)
        self._all: dict[str, float] = {}
        self._by_side: dict[bool, dict[str, float]] = {True: {}, False: {}}

    def note(self, label: str, tag: str | None, now_s: float) -> None:
        """Take notice of a label at an inbound, None where it is not known."""
        self._all[label] = now_s
        if self._behind and tag is not None:
            self._by_side[tag in self._behind][label] = now_s

    def since(self, since_s: float, *, is_behind: bool | None = None) -> dict[str, float]:
        """Return the labels seen since a moment: all, or those at inbounds behind others, or those at the others."""
        seen = self._all if is_behind is None else self._by_side[is_behind]
        return {label: seen_s for label, seen_s in seen.items() if seen_s >= since_s}

    def labels(self) -> Collection[str]:
        """Return every label that is known."""
        return self._all.keys()

    def last_s(self, label: str) -> float:
        """Return when a label was last seen, 0 for never."""
        return self._all.get(label, 0.0)

    def forget(self, label: str) -> None:
        """Drop a label."""
        for seen in (self._all, *self._by_side.values()):
            seen.pop(label, None)
