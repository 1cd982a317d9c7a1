"""Pages of a list by key: a limit and the last number seen, so that page 1,000 costs what page 1 costs."""

from dataclasses import dataclass

LIMIT_MAX = 1000


@dataclass(frozen=True)
class Page:
    """Ask for at most ``limit`` objects whose number is greater than ``after``."""

    limit: int = 100
    after: int = 0
