"""Routes of one door that two dialects would have: found when the door is made, so that a start refuses them.

Where dialects share a prefix, one that says which requests it takes leaves the others to whoever else is there; any
other overlap would take documented paths away from a dialect, and nobody would be told.
"""

from collections.abc import Sequence
from typing import Protocol

from keystead.kit.errors import Misconfigured


class Mounted(Protocol):
    """A dialect at a prefix of a door (``doors.Mount``)."""

    @property
    def prefix(self) -> str:
        """Return where it is."""
        ...

    @property
    def dialect(self) -> str:
        """Return its name."""
        ...

    @property
    def base(self) -> str:
        """Return the part of the prefix of which it knows nothing."""
        ...

    @property
    def takes(self) -> object | None:
        """Return what says which requests it takes, None when it takes all."""
        ...

    @property
    def routes(self) -> tuple[str, ...]:
        """Return its documented routes."""
        ...


def require_none(mounts: Sequence[Mounted]) -> None:
    """Raise Misconfigured for a route that another dialect has too or would be asked in its place, naming both."""
    for mount in mounts:
        for other in mounts:
            if (mount.dialect, mount.base) == (other.dialect, other.base) or _is_resolved(mount, other):
                continue
            taken = next((route for route in mount.routes if _is_below(_path(route), other.prefix)), None)
            if taken is not None:
                route = next((one for one in other.routes if _meet(one, taken)), f"{other.prefix or '/'}…")
                raise Misconfigured(
                    f"KEYSTEAD_DOORS: {taken} of {mount.dialect} and {route} of {other.dialect} are at one door, and "
                    "nothing tells which is meant; give one of them another prefix or an address of its own"
                )


def _is_resolved(mount: Mounted, other: Mounted) -> bool:
    """Tell whether a mount keeps its paths: the other is asked later, or it leaves what it does not take."""
    return (
        len(other.prefix) < len(mount.prefix)
        or other.takes is not None
        or (mount.prefix == other.prefix and mount.takes is not None)
    )


def _is_below(path: str, prefix: str) -> bool:
    return path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/")


def _path(route: str) -> str:
    return route.partition(" ")[2]


def _meet(route: str, other: str) -> bool:
    """Tell whether one request could be of both routes; a parameter of a path stands for any text."""
    method, _, path = route.partition(" ")
    other_method, _, other_path = other.partition(" ")
    parts, other_parts = path.rstrip("/").split("/"), other_path.rstrip("/").split("/")
    if method != other_method or len(parts) != len(other_parts):
        return False
    return all(one == two or "{" in one + two for one, two in zip(parts, other_parts, strict=True))
