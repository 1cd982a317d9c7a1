"""The part of the suite that one run takes, when several runs share it (``scripts/run_tests.py``).

``KEYSTEAD_TEST_SHARE`` is ``most``, ``rest`` or empty (all). Whole modules are dealt out, since tests of a module share
fixtures, and by expected time, since a test of a whole Keystead takes as long as many others. The same tests are dealt
out the same way each time.
"""

import os
from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum

# Seconds that a test takes, roughly, by folder; the first that fits.
_SECONDS = (
    ("tests/architecture/", 0.02),
    ("tests/contract/", 0.4),
    ("tests/e2e/", 6.0),
    ("tests/engines/", 2.5),
    ("", 0.12),
)
_SLOW_S = 12.0


class Share(StrEnum):
    """A part of the modules."""

    ALL = ""
    MOST = "most"
    REST = "rest"


# How the time of most stands to that of the rest, by database: three runs are to end at the same time, of which the
# first measures coverage, which is slow, and the last takes the rest of both databases.
MOST_TO_REST = {"sqlite": 1.0, "postgresql": 3.0}


def chosen_share() -> Share:
    """Return the share that this run takes."""
    named = os.environ.get("KEYSTEAD_TEST_SHARE", "")
    if named not in set(Share):
        raise RuntimeError(f"KEYSTEAD_TEST_SHARE is {named!r}; set it to most or rest, or leave it out")
    return Share(named)


def expected_s(nodeid: str, *, is_slow: bool) -> float:
    """Return how long a test takes, roughly."""
    return _SLOW_S if is_slow else next(seconds for folder, seconds in _SECONDS if nodeid.startswith(folder))


def modules_of(share: Share, tests: Iterable[tuple[str, float]], most_to_rest: float) -> set[str]:
    """Return the modules of a share; ``tests`` are all of the suite, with the seconds that each takes."""
    takes_s: defaultdict[str, float] = defaultdict(float)
    for nodeid, seconds in tests:
        takes_s[module_of(nodeid)] += seconds
    if share is Share.ALL:
        return set(takes_s)
    sizes = {Share.MOST: most_to_rest, Share.REST: 1.0}
    filled_s = dict.fromkeys(sizes, 0.0)
    dealt: dict[Share, set[str]] = {known: set() for known in sizes}
    # The longest first, each to where it leaves least for its size.
    for module in sorted(takes_s, key=lambda module: (-takes_s[module], module)):
        to = min(sizes, key=lambda known: (filled_s[known] + takes_s[module]) / sizes[known])
        filled_s[to] += takes_s[module]
        dealt[to].add(module)
    return dealt[share]


def module_of(nodeid: str) -> str:
    """Return the module of a test."""
    return nodeid.partition("::")[0]
