"""The live figures in memory: what the kernel says of every label, over what was booked of those that move.

No input or output: the meter gives it snapshots and rows, and asks it. A label *moves* while the kernel's counts of it
are not those that its last pairing began with; what does not move is in the database as it is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from keystead.engines.xray.state import Carried, LabelCarried
from keystead.vpn import accounting
from keystead.vpn.accounting import NOTHING, Bytes, Standing
from keystead.vpn.booking import carried_by
from keystead.vpn.store.traffic import LabelRow


class LiveTable:
    """The latest snapshot of each process, and the standings of the keys whose labels move."""

    def __init__(self) -> None:
        self.carried: tuple[Carried, ...] = ()
        self._over: set[str] = set()
        self._settled: dict[str, dict[str, LabelCarried]] = {}
        self._standings: dict[int, dict[str, Standing]] = {}
        self._numbers: dict[str, int] = {}
        self._moving: frozenset[str] | None = None

    def take(self, carried: Iterable[Carried]) -> None:
        """Take a new snapshot; processes that are over are left out of it."""
        self.carried = tuple(found for found in carried if found.process not in self._over)
        self._moving = None

    def leave_out(self, processes: Collection[str]) -> None:
        """Leave processes out from now on: what they carried is booked."""
        self._over.update(processes)
        self.carried = tuple(found for found in self.carried if found.process not in self._over)
        for process in processes:
            self._settled.pop(process, None)
        self._moving = None

    def with_now(self, label: str, found: Iterable[Carried]) -> tuple[Carried, ...]:
        """Return the snapshot with one label's later counts in it; those of processes that are over stay out."""
        later = {one.process: one for one in found if one.process not in self._over}
        labels = {name: labels_of(self.carried, name) for name in later}
        joined = (replace(one, labels={**labels[name], **one.labels}) for name, one in later.items())
        return (*(one for one in self.carried if one.process not in later), *joined)

    def moving_labels(self) -> frozenset[str]:
        """Return the labels whose live figure may differ from what is booked."""
        if self._moving is None:
            self._moving = frozenset(
                label
                for found in self.carried
                for settled in [self._settled.get(found.process, {})]
                for label, seen in found.labels.items()
                if settled.get(label) != seen
            )
        return self._moving

    def unknown(self) -> frozenset[str]:
        """Return the moving labels of which nothing is known yet."""
        return self.moving_labels() - self._numbers.keys()

    def know(self, rows: Iterable[LabelRow], asked: Iterable[str] = ()) -> None:
        """Take rows of whole keys as what is booked; labels that were ``asked`` for and have none are nobody's."""
        for label in asked:
            self._numbers.setdefault(label, 0)
        for row in rows:
            self._numbers[row.label] = row.key_number
            self._standings.setdefault(row.key_number, {})[row.label] = row.standing

    def settle(self, process: str, labels: Collection[str], before: Mapping[str, LabelCarried]) -> None:
        """Note that labels were paired, beginning with these counts of the kernel."""
        settled = self._settled.setdefault(process, {})
        for label in labels:
            if label in before:
                settled[label] = before[label]
        self._moving = None

    def forget_still(self) -> None:
        """Drop what is known of keys that do not move, and of labels that are nobody's, which may become somebody's."""
        moving = {self._numbers.get(label, 0) for label in self.moving_labels()}
        self._standings = {number: found for number, found in self._standings.items() if number in moving}
        self._numbers = {label: number for label, number in self._numbers.items() if number and number in moving}

    def live(self, label: str) -> Bytes | None:
        """Return what a label's key shows since its last reset, or None while the label does not move."""
        standings = self._standings.get(self._numbers.get(label, 0))
        if standings is None:
            return None
        return sum(
            (accounting.visible(standing, carried_by(self.carried, name)) for name, standing in standings.items()),
            NOTHING,
        )

    def lifetime(self, label: str) -> Bytes | None:
        """Return what a label's key has carried over its life, resets left out of account, while the label moves."""
        standings = self._standings.get(self._numbers.get(label, 0))
        if standings is None:
            return None
        return sum(
            (accounting.figure(standing, carried_by(self.carried, name)) for name, standing in standings.items()),
            NOTHING,
        )

    def moving(self) -> dict[str, Bytes]:
        """Return the same for every label that moves."""
        found = ((label, self.live(label)) for label in self.moving_labels())
        return {label: figure for label, figure in found if figure is not None}

    def is_known(self, label: str) -> bool:
        """Tell whether the figure of a label is kept here."""
        return self._numbers.get(label, 0) != 0


def labels_of(carried: Sequence[Carried], process: str) -> Mapping[str, LabelCarried]:
    """Return a process's counts in a snapshot."""
    return next((found.labels for found in carried if found.process == process), {})
