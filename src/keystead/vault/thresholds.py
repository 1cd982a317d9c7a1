"""When people are told of something: which threshold is reached, and what of it is news; pure.

What is told is told once for each threshold. What is cured is forgotten without a word, and told again when it returns.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Generic, TypeVar

ENDED = 0
_DAY = timedelta(days=1)

K = TypeVar("K")


@dataclass(frozen=True)
class Rules:
    """When to tell: so many days before an end, and below which balance; None is never.

    Drift is told once it has lasted: until then everybody concerned has been asked again.
    """

    days: tuple[int, ...]
    balance_min: Decimal | None
    drift_lasts: timedelta = timedelta(hours=1)


@dataclass(frozen=True)
class News(Generic[K]):
    """What has to be said, what is noted in silence, and what is forgotten."""

    told: Mapping[K, int]
    noted: Mapping[K, int]
    forgotten: tuple[K, ...]


def days_until(end: date | datetime, now: datetime) -> int:
    """Return whole days until an end, rounded up; 0 or less once it is over. A date lasts until it begins."""
    if isinstance(end, datetime):
        return math.ceil((end - now) / _DAY)
    return (end - now.date()).days


def level(days_left: int, days: Sequence[int]) -> int | None:
    """Return the most urgent threshold that is reached, ENDED when it is over; None when none is, or there are none."""
    reached = [threshold for threshold in days if days_left <= threshold]
    if not reached:
        return None
    return ENDED if days_left <= ENDED else min(reached)


def is_low(balance: str | None, balance_min: Decimal | None) -> bool:
    """Tell whether a balance is below what it should be; one that is not known is not."""
    return balance is not None and balance_min is not None and Decimal(balance) < balance_min


def news(told: Mapping[K, int], due: Mapping[K, int]) -> News[K]:
    """Return what of everything that is due is news to those who were told before; smaller levels are more urgent."""
    return News(
        told={key: reached for key, reached in due.items() if key not in told or reached < told[key]},
        noted={key: reached for key, reached in due.items() if key in told and reached > told[key]},
        forgotten=tuple(key for key in told if key not in due),
    )
