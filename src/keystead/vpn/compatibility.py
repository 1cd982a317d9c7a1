"""Which client families can connect with a core and its settings, and why not; pure, from the table in ``families``.

A flow decides nothing here: every family that speaks VLESS knows Vision and goes without it where a key has none.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from keystead.vpn import families
from keystead.vpn.clientrules import ClientVersions
from keystead.vpn.families import Core, Family, Offer, Row, Version
from keystead.vpn.profiles.forms import Format

# An inbound without a least client version gets this one from the core: XTLS/Xray-core af7eb680 (26.7.11), taken back
# with the requirement below (MHSanaei/3x-ui#6451).
DEFAULT_LEAST: Version = (26, 3, 27)
DEFAULT_LEAST_FROM: Version = (26, 7, 11)
# XTLS/REALITY 8cdf7bf9, in Xray from 26.9.8: a client without an X25519MLKEM768 key share is taken for a stranger,
# whatever the least client version is.
POST_QUANTUM_FROM: Version = (26, 9, 8)
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class Outcome(StrEnum):
    """Whether a family connects: all of it, some of its releases, none of it, or nobody knows."""

    CONNECTS = "connects"
    DEPENDS = "depends"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Server:
    """What decides: the core's version, and the least client version of its inbounds, None when they have none."""

    core: Version
    least: Version | None


class Fit(NamedTuple):
    """Whether a family connects, and the sentence that says why not all of it does."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True)
class Judged:
    """A family with how it fits."""

    row: Row
    fit: Fit


class Lost(NamedTuple):
    """A family, all or some of whose programs connect before a change and not after it, and why."""

    row: Row
    is_whole: bool
    reason: str


def version_of(text: str) -> Version | None:
    """Read a version as programs write it; None for a text that is none."""
    found = _VERSION.match(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def server_of(core: str, versions: ClientVersions) -> Server | None:
    """Return what decides with a core and the settings; None for a core whose version is not known."""
    version = version_of(core)
    return None if version is None else Server(version, version_of(versions.least))


def judge(row: Row, server: Server) -> Fit:
    """Tell whether a family connects; the requirement that fewest meet decides."""
    if not row.core.has_vless:
        return Fit(Outcome.REFUSED, "it does not speak VLESS")
    fits = (_by_version(row.core, server), _by_key_share(row.core, server))
    return next(
        (one for outcome in (Outcome.REFUSED, Outcome.UNKNOWN, Outcome.DEPENDS) for one in fits if one[0] is outcome),
        Fit(Outcome.CONNECTS),
    )


def judge_all(server: Server) -> list[Judged]:
    """Return every family with how it fits, in the order of the table."""
    return [Judged(row, judge(row, server)) for row in families.ROWS]


def readers(form: Format, judged: Iterable[Judged]) -> list[Judged]:
    """Return the families that read a form."""
    return [one for one in judged if form in one.row.reads]


def lost(before: Server, after: Server) -> list[Lost]:
    """Return the families that a change from one server to another locks out, as a whole or in part."""
    found = []
    for row in families.ROWS:
        was, becomes = judge(row, before), judge(row, after)
        if becomes.outcome is Outcome.REFUSED and was.outcome is not Outcome.REFUSED:
            found.append(Lost(row, True, becomes.reason))
        elif becomes.outcome is Outcome.DEPENDS and was.outcome is Outcome.CONNECTS:
            found.append(Lost(row, False, becomes.reason))
    return found


def refused(server: Server | None) -> frozenset[Family]:
    """Return the families of which nothing connects."""
    judged = [] if server is None else judge_all(server)
    return frozenset(one.row.family for one in judged if one.fit.outcome is Outcome.REFUSED)


def _by_version(core: Core, server: Server) -> Fit:
    least = _least(server)
    if least is None:
        return Fit(Outcome.CONNECTS)
    asked = _text(least)
    if core.says is None:
        outcome = Outcome.CONNECTS if least <= (1, 0, 0) else Outcome.UNKNOWN
        return Fit(
            outcome,
            "" if outcome is Outcome.CONNECTS else f"the server asks for {asked}, and nobody knows what it says",
        )
    lowest, highest = core.says
    if highest < least:
        said = _text(lowest) if lowest == highest else f"less than {asked}"
        return Fit(Outcome.REFUSED, f"it says that it is {said}, and the server asks for {asked}")
    if lowest < least:
        return Fit(Outcome.DEPENDS, f"only with {core.name} {asked} or newer in it")
    return Fit(Outcome.CONNECTS)


def _by_key_share(core: Core, server: Server) -> Fit:
    if server.core < POST_QUANTUM_FROM or core.post_quantum is Offer.ALL:
        return Fit(Outcome.CONNECTS)
    asked = f"Xray {_text(POST_QUANTUM_FROM)} and newer refuse clients without an X25519MLKEM768 key share"
    if core.post_quantum is Offer.NONE:
        return Fit(Outcome.REFUSED, asked)
    if core.post_quantum is Offer.SOME:
        return Fit(Outcome.DEPENDS, f"only with a current {core.name} in it: {asked}")
    return Fit(Outcome.UNKNOWN, f"{asked}, and nobody knows whether it has one")


def _least(server: Server) -> Version | None:
    if server.least is not None:
        return server.least
    return DEFAULT_LEAST if DEFAULT_LEAST_FROM <= server.core < POST_QUANTUM_FROM else None


def _text(version: Version) -> str:
    return ".".join(map(str, version))
