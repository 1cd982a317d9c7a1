"""The targets Keystead offers when none is configured, and the choice among them.

Chosen by what is publicly known of these sites, not by measurement: each is examined from the operator's own machine
before use (``target.py``), and the first that passes is taken. Called by the composition root. None is Apple's,
Microsoft's or below .ru, .ir or .cn, which the core warns of, and none sits behind a shared CDN: such an edge serves
every customer's name on one address, so a stranger could use the REALITY listener as a free relay to all of them, and
an observer expects the edge's addresses, which are published. ``docs/engines/reality-targets.md`` shows this table.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from keystead.engines.xray.target import OUTSIDE, Examination, Outside, examine

_AT_ONCE = 3


@dataclass(frozen=True)
class Candidate:
    """A site to hide behind, the names clients send for it, and why it is a good choice."""

    target: str
    server_names: tuple[str, ...]
    reason: str


POOL = (
    Candidate(
        "ubuntu.com:443",
        ("ubuntu.com",),
        "Canonical's own data centres; servers talk to it all day, so the traffic is ordinary",
    ),
    Candidate(
        "www.debian.org:443",
        ("www.debian.org",),
        "Debian's own machines in several countries; ordinary for a server, politically quiet",
    ),
    Candidate(
        "www.postgresql.org:443",
        ("www.postgresql.org",),
        "the project's own machines in several countries; large, stable, rarely filtered",
    ),
    Candidate(
        "www.kernel.org:443",
        ("www.kernel.org",),
        "front ends of its own on several continents; long downloads from it are normal",
    ),
    Candidate(
        "dl.google.com:443",
        ("dl.google.com",),
        "Google's own network, present near most servers; the example of REALITY's authors; filtered in China",
    ),
    Candidate(
        "launchpad.net:443",
        ("launchpad.net",),
        "Canonical's own data centres; developers and servers fetch packages from it",
    ),
    Candidate(
        "www.freebsd.org:443",
        ("www.freebsd.org",),
        "the project's own mirrors; ordinary for a server, politically quiet",
    ),
    Candidate(
        "www.videolan.org:443",
        ("www.videolan.org",),
        "the project's own machines in France; a large site that is seldom chosen as a target",
    ),
    Candidate(
        "codeberg.org:443",
        ("codeberg.org",),
        "its own machines in Germany; a code host, where long connections both ways are normal",
    ),
    Candidate(
        "www.wikipedia.org:443",
        ("www.wikipedia.org",),
        "Wikimedia's own network on four continents; last, because some countries filter it",
    ),
)


async def choose(
    pool: Sequence[Candidate] = POOL,
    *,
    allow_loopback: bool = False,
    own: Collection[tuple[str, int]] = (),
    timeout_s: float = 5.0,
    outside: Outside = OUTSIDE,
) -> Examination | None:
    """Return the examination of the first candidate, in the pool's order, that is valid; None when none is.

    A few candidates are examined side by side; what is still under way when the choice is made is abandoned.
    """
    gate = asyncio.Semaphore(_AT_ONCE)

    async def tried(candidate: Candidate) -> Examination:
        async with gate:
            return await examine(
                candidate.target,
                candidate.server_names,
                allow_loopback=allow_loopback,
                own=own,
                timeout_s=timeout_s,
                outside=outside,
            )

    attempts = [asyncio.create_task(tried(candidate)) for candidate in pool]
    try:
        for attempt in attempts:
            if (examination := await attempt).is_valid:
                return examination
        return None
    finally:
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
