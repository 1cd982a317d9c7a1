"""Taking turns, medians, and the table of ratios."""

import math
import statistics
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from rich.console import Console
from rich.table import Table

Turn = Callable[[], Awaitable[float]]


class Bound(Enum):
    """Which side of a budget is good."""

    AT_MOST = "≤"
    AT_LEAST = "≥"


@dataclass(frozen=True)
class Budget:
    """What a figure is measured against; ``aim`` is what we would like beyond it."""

    bound: Bound
    limit: float
    aim: float | None = None

    def holds(self, value: float) -> bool:
        """Tell whether a value is within the budget."""
        return value <= self.limit if self.bound is Bound.AT_MOST else value >= self.limit

    def __str__(self) -> str:
        aim = "" if self.aim is None else f" (aim {self.aim:g})"
        return f"{self.bound.value} {self.limit:g}{aim}"


def at_most(limit: float, *, aim: float | None = None) -> Budget:
    """Return a budget for something that should be small."""
    return Budget(Bound.AT_MOST, limit, aim)


def at_least(limit: float, *, aim: float | None = None) -> Budget:
    """Return a budget for something that should be large."""
    return Budget(Bound.AT_LEAST, limit, aim)


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, in which case, the figure, its budget, and how it came about."""

    what: str
    case: str
    value: float
    budget: Budget | None
    unit: str = "×"
    note: str = ""

    @property
    def is_within(self) -> bool:
        """Tell whether the figure keeps its budget; without one it does."""
        return self.budget is None or self.budget.holds(self.value)


async def take_turns(rounds: int, contenders: dict[str, Turn], *, warm_up: int = 3) -> dict[str, list[float]]:
    """Run every contender once a round, in an order that alternates; return what each measured after the warm-up."""
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(warm_up + rounds):
        order = list(contenders) if number % 2 else list(reversed(contenders))
        for name in order:
            value = await contenders[name]()
            if number >= warm_up:
                measured[name].append(value)
    return measured


def p99(values: Sequence[float]) -> float:
    """Return the value that one in a hundred is above; of fewer than a hundred, the largest."""
    return sorted(values)[max(math.ceil(len(values) * 0.99) - 1, 0)]


def median_ratio(ours: Sequence[float], control: Sequence[float]) -> float:
    """Return the ratio of two medians."""
    return statistics.median(ours) / statistics.median(control)


def milliseconds(values: Sequence[float]) -> str:
    """Return median and p99 of seconds, for the notes."""
    return f"{statistics.median(values) * 1000:.2f} (p99 {p99(values) * 1000:.2f}) ms"


def print_table(console: Console, rows: Iterable[Row]) -> bool:
    """Print the rows; tell whether every budget is kept."""
    table = Table("what", "case", "measured", "budget", "", "how it came about", box=None, padding=(0, 1))
    shown = list(rows)
    for row in shown:
        verdict = "" if row.budget is None else "[green]ok[/]" if row.is_within else "[red]beyond[/]"
        value = f"{row.value:,.0f}" if row.value >= 100 else f"{row.value:.2f}" if row.value else "0"
        table.add_row(row.what, row.case, f"{value} {row.unit}", str(row.budget or "–"), verdict, row.note)
    console.print(table)
    return all(row.is_within for row in shown)
