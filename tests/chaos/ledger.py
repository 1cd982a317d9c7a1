"""What a Keystead has promised so far, and what was seen that breaks a promise."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.support import xray


@dataclass
class Key:
    """A key that was answered with 200."""

    number: int
    profile: xray.Profile
    is_tried: bool = False


@dataclass
class Ledger:
    """Keys by what was answered, the highest figures ever shown, what must be in no log, and violations.

    A key is ``doubtful`` from the moment its delete is asked for until that is answered: it may dial or not.
    """

    alive: dict[int, Key] = field(default_factory=dict)
    doubtful: dict[int, Key] = field(default_factory=dict)
    dead: dict[int, Key] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    begun_s: float = field(default_factory=time.monotonic)
    tell: Callable[[str], None] = print

    def count(self, what: str, number: int = 1) -> None:
        """Note that something happened, for the summary."""
        self.counts[what] = self.counts.get(what, 0) + number

    def require(self, is_so: bool, otherwise: str) -> None:
        """Note a violation unless this is so."""
        if not is_so:
            self.violations.append(f"{time.monotonic() - self.begun_s:.1f} s: {otherwise}")
            self.tell(f"  VIOLATION {self.violations[-1]}")

    def take_figure(self, what: str, value: int, *, is_kept: bool) -> None:
        """Check a figure that must never fall; one that is kept is the least there may be from now on."""
        highest = self.figures.get(what, 0)
        self.require(value >= highest, f"{what} fell from {highest} to {value}")
        if is_kept:
            self.figures[what] = max(value, highest)

    def keep_secret(self, what: str, values: Iterable[str]) -> None:
        """Note texts that must stand in no log and no process list."""
        self.secrets |= dict.fromkeys(values, what)
