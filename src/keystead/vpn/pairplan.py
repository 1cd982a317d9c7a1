"""What would become of the key pairs of a scope, as data that a person approves; pure.

Made by ``pairs.plan`` from what is there; carried out by the verbs of ``pairs.py``, which make it again and compare.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import orjson


class Act(StrEnum):
    """What is wished for: another pair, links back to the one before, or an end of the one that links do not carry."""

    ROTATE = "rotate"
    REVERT = "revert"
    RETIRE = "retire"


@dataclass(frozen=True)
class Wish:
    """What somebody asks for; ``keep_s`` is how long the pair is served that links turn away from."""

    act: Act
    keep_s: int = 0


@dataclass(frozen=True)
class PairPlan:
    """What would be done. ``other`` is the second pair's public key, None before a rotation; ``until`` its end.

    ``keys`` have links with the present pair. ``connected`` and ``used`` are keys on the second pair, now and since it
    has been second; None where nobody knows. ``late`` ports have the linked pair alone. ``origin`` is the panel that
    the other pair was taken over from.
    """

    scope: str
    wish: Wish
    linked: str
    linked_since: datetime
    other: str | None
    until: datetime | None
    ports: int
    keys: int
    connected: int | None = None
    used: int | None = None
    late: int = 0
    origin: str | None = None

    @property
    def digest(self) -> str:
        """Return a short digest of what was reviewed; keys come and go meanwhile and are not in it."""
        reviewed = [self.scope, self.wish.act.value, self.wish.keep_s, self.linked, self.other]
        return hashlib.sha256(orjson.dumps(reviewed)).hexdigest()[:16]

    def __str__(self) -> str:
        match self.wish.act:
            case Act.ROTATE:
                lines = _rotation(self)
            case Act.REVERT:
                lines = _reversion(self)
            case Act.RETIRE:
                lines = _retirement(self)
        return "\n".join((f"{self.wish.act.value} the key pair of {self.scope}", *lines))


def _rotation(plan: PairPlan) -> tuple[str, ...]:
    return (
        f"  links now      {_shown(plan.linked)}, made {_moment(plan.linked_since)}",
        f"  concerns       {_keys(plan.keys)} at {plan.ports} ports",
        "  links then     a new pair, from when it is proven to be served; apps take it over with their subscriptions",
        f"  old links      {_kept(plan.wish.keep_s)}",
        "  customers      notice nothing: another process takes the ports over, connections stay with the present one",
        "  way back       keystead vpn pair revert, for as long as both pairs are served",
        "  if it fails    the present process serves on, and links stay what they are",
    )


def _reversion(plan: PairPlan) -> tuple[str, ...]:
    first = f"  first          {_late(plan.late)} to serve it too, by another process"
    return (
        f"  links now      {_shown(plan.linked)}; {_keys(plan.keys)}",
        *((first,) if plan.late else ()),
        f"  links then     {_shown(plan.other)}, which is served already; {'after that' if plan.late else 'at once'}",
        f"  the former     {_kept(plan.wish.keep_s)}",
        "  customers      notice nothing: both pairs go on at the same ports",
        "  way back       the same command again",
    )


def _retirement(plan: PairPlan) -> tuple[str, ...]:
    whose, since = "", "since links turned away from it"
    if plan.origin is not None:
        whose, since = f", taken over from {plan.origin}", "since it was taken over"
    return (
        f"  links          {_shown(plan.linked)} as before; {_keys(plan.keys)}",
        f"  retired        {_shown(plan.other)}{whose}: links with it do not connect any more",
        f"  still used by  {_count(plan.connected)} now, {_count(plan.used)} {since}",
        "  customers      those with the other links notice nothing; open connections last until they end",
        "  way back       none: the private key is deleted",
        "  if it fails    it is tried again until it is done",
    )


def _kept(keep_s: int) -> str:
    if keep_s == 0:
        return "stop connecting as soon as links have turned"
    return f"connect for {_span(keep_s)} more, then their pair is retired by itself"


def _span(seconds: int) -> str:
    units = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
    unit, length = next((unit, length) for unit, length in units if seconds % length == 0)
    count = seconds // length
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _count(keys: int | None) -> str:
    return "an unknown number of keys" if keys is None else _keys(keys)


def _keys(count: int) -> str:
    return "1 key" if count == 1 else f"{count} keys"


def _late(ports: int) -> str:
    since = "opened since the rotation"
    return f"1 port {since} comes" if ports == 1 else f"{ports} ports {since} come"


def _shown(public_key: str | None) -> str:
    return f"public key {public_key}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
