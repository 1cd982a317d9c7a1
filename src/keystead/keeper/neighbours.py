"""Who else listens on our ports: a listener with SO_REUSEPORT beside ours takes every second connection, in silence.

Asked by the watch at every look. A socket of ours is one that a process of ours holds; a listener of another keeper of
this instance, which is seeing its connections off or about to take over, is ours as well.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from keystead.keeper import diag
from keystead.keeper.diag import Listener
from keystead.kit.names import authority

_ANY = ("0.0.0.0", "::")  # noqa: S104 - recognised here, not listened on
_KEEPER = b"keystead.keeper"


class Neighbours:
    """What was found out about listeners on our ports."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._ours: set[int] = set()
        self._foreign: dict[int, str] = {}
        self._harmless: set[int] = set()

    def look(self, ports: Collection[int], held: Callable[[], Collection[int]]) -> list[str]:
        """Return who else takes connections that are meant for us; raise OSError when the kernel does not tell.

        ``held`` tells which sockets our processes hold; it is asked only when there is a listener not seen before.
        """
        present = {one.inode: one for one in diag.listeners(ports)}
        self._ours &= present.keys()
        self._harmless &= present.keys()
        self._foreign = {inode: told for inode, told in self._foreign.items() if inode in present}
        if unknown := present.keys() - self._ours - self._foreign.keys() - self._harmless:
            ours = unknown & set(held())
            if ours:
                self._harmless.clear()
            self._ours |= ours
            for inode in present.keys() - self._ours - self._foreign.keys() - self._harmless:
                self._judge(present[inode], [present[mine] for mine in self._ours])
        return sorted(self._foreign.values())

    def _judge(self, listener: Listener, ours: Collection[Listener]) -> None:
        if any(overlap(listener, mine) for mine in ours) and not self._is_sibling(listener.inode):
            self._foreign[listener.inode] = told_of(listener)
        else:
            self._harmless.add(listener.inode)

    def _is_sibling(self, inode: int) -> bool:
        """Tell whether a keeper of this very directory is the parent of whoever holds a socket."""
        found = diag.holder(inode)
        if found is None or self._directory is None:
            return False
        with suppress(OSError, ValueError, IndexError):
            parent = Path(f"/proc/{found[0]}/stat").read_text().rpartition(")")[2].split()[1]
            words = Path(f"/proc/{parent}/cmdline").read_bytes().split(b"\0")
            at = Path(words[words.index(b"--socket") + 1].decode())
            return _KEEPER in words and at.parent == self._directory
        return False


class Address(Protocol):
    """Where something listens."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...


def overlap(one: Address, other: Address) -> bool:
    """Tell whether a connection may reach either of two listeners."""
    return one.port == other.port and (one.host == other.host or one.host in _ANY or other.host in _ANY)


def taken(openings: Mapping[str, Address]) -> dict[str, str]:
    """Return by tag who listens where we are about to, while nothing of ours runs there; nobody if it is not told."""
    found: dict[str, str] = {}
    with suppress(OSError):
        by_port = {one.port: one for one in diag.listeners({opening.port for opening in openings.values()})}
        for tag, opening in openings.items():
            holder = by_port.get(opening.port)
            if holder is not None and overlap(opening, holder):
                found[tag] = told_of(holder)
    return found


def told_of(listener: Listener) -> str:
    """Return who listens where, as far as we may see it."""
    where, found = authority(listener.host, listener.port), diag.holder(listener.inode)
    if found is None:
        return f"{where} by a program of user {listener.uid}"
    return f"{where} by {found[1]} (pid {found[0]})"
