"""Try every trick with sockets on a loopback connection of our own, and choose the way to cut from those that work.

Called by the keeper when it starts. Kernels, containers and security modules differ in what they allow; instead of
guessing from versions and capabilities, each trick is done once, for real, on a connection between this process and a
child of ours. What fails is told with its reason, and the next weaker way is used. ``without`` makes a trick fail, so
that tests and a careful operator can see what remains.

A child stands for the engine here. An engine whose program file carries capabilities of its own is further away than
this child: then ``Borrower.refusal`` says so when it is first needed.
"""

import errno
import os
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum

from keystead.keeper import diag
from keystead.keeper.borrowed import Borrower
from keystead.keeper.diag import Socket

_WAIT_S = 0.3
_ROUND_BYTES = 1000
# At this rate this much takes a tenth of a second and more (half of it may be sent at once), without it a few ms.
_PACED_BYTES, _PACED_BYTES_PER_S, _PACED_AT_LEAST_S = 100_000, 500_000, 0.05
# Loopback's own segments are 64 kB, of which the kernel sends two at a time, whatever the rate.
_SEGMENT_BYTES = 1400


class Trick(StrEnum):
    """What may or may not be possible on this machine."""

    DUMP = "dump"
    BORROW = "borrow"
    PACE = "pace"
    RESET = "reset"
    DESTROY = "destroy"


class Way(StrEnum):
    """How a connection is cut, the best first."""

    DESTROY = "destroy"
    RESET = "reset"
    SHUTDOWN = "shutdown"
    NONE = "none"


@dataclass(frozen=True)
class Tricks:
    """For each trick, None when it works, or why it does not, as a clause for people."""

    dump: str | None = None
    borrow: str | None = None
    pace: str | None = None
    reset: str | None = None
    destroy: str | None = None

    def works(self, trick: Trick) -> bool:
        """Tell whether a trick worked."""
        return getattr(self, trick) is None

    @property
    def way(self) -> Way:
        """Return the best way to cut that works; without the table nobody knows what to cut."""
        if self.dump is not None:
            return Way.NONE
        if self.destroy is None:
            return Way.DESTROY
        if self.borrow is not None:
            return Way.NONE
        return Way.RESET if self.reset is None else Way.SHUTDOWN


class Cutter:
    """Cut connections of one process in the best way that works here."""

    def __init__(self, tricks: Tricks, borrower: Borrower | None) -> None:
        """Take what works, and the process's sockets; None when the process is not a child of ours."""
        self._borrower = borrower
        without_child = Way.DESTROY if tricks.way is Way.DESTROY else Way.NONE
        self.way = tricks.way if borrower is not None else without_child
        self._weaker = Tricks(tricks.dump, tricks.borrow, tricks.pace, tricks.reset, "not permitted any more")

    def cut(self, target: Socket) -> bool:
        """Cut one connection; return False when it was gone already or cannot be reached."""
        return target.cookie in self.cut_many([target])

    def cut_many(self, targets: Iterable[Socket]) -> set[int]:
        """Cut connections; return the cookies of those that were cut.

        When destroying stops being allowed, the next weaker way takes over for good.
        """
        left = list(targets)
        if self.way is Way.DESTROY:
            try:
                return {one.cookie for one in left if diag.destroy(one)}
            except OSError as error:
                if error.errno not in {errno.EPERM, errno.EACCES, errno.EOPNOTSUPP}:
                    raise
                self.way = self._weaker.way if self._borrower is not None else Way.NONE
        if self._borrower is None or self.way is Way.NONE:
            return set()
        inodes = [one.inode for one in left]
        act = self._borrower.reset_many if self.way is Way.RESET else self._borrower.shut_many
        done = act(inodes)
        return {one.cookie for one in left if one.inode in done}


def prove(without: Collection[str] = ()) -> Tricks:
    """Try everything, within half a second, and leave nothing behind; a trick named in ``without`` fails."""
    results = _Results(without)
    with _listening() as (listener, port):
        try:
            with _child_connection(listener, port) as (client, inode, child):
                results.attempt(Trick.DUMP, lambda: _prove_dump(client, port, inode))
                _prove_with_child(results, client, inode, child)
        except OSError as error:
            results.fail([Trick.DUMP, Trick.BORROW], _said(error))
        results.attempt(Trick.DESTROY, lambda: _prove_destroy(listener, port))
    return results.tricks()


class _Results:
    """What came of each trick so far; the first result stands."""

    def __init__(self, without: Collection[str]) -> None:
        self._reasons: dict[Trick, str | None] = {trick: "switched off" for trick in Trick if trick in without}

    def attempt(self, trick: Trick, proof: Callable[[], None]) -> bool:
        if trick not in self._reasons:
            self._reasons[trick] = _reason(proof)
        return self._reasons[trick] is None

    def fail(self, tricks: Iterable[Trick], reason: str) -> None:
        for trick in tricks:
            self._reasons.setdefault(trick, reason)

    def tricks(self) -> Tricks:
        if self._reasons[Trick.BORROW] is not None:
            self._reasons[Trick.PACE] = self._reasons[Trick.RESET] = self._reasons[Trick.BORROW]
        return Tricks(**{trick.value: reason for trick, reason in self._reasons.items()})


# --- the proofs ---


def _prove_with_child(results: _Results, client: socket.socket, inode: int, child: int) -> None:
    with Borrower(child) as borrower:
        if results.attempt(Trick.BORROW, lambda: _prove_borrow(borrower, inode)):
            results.attempt(Trick.PACE, lambda: _prove_pace(client, borrower, inode))
            results.attempt(Trick.RESET, lambda: _prove_reset(client, borrower, inode))


class _Unproved(Exception):
    """A trick was allowed and did not do what it is for."""


def _prove_dump(client: socket.socket, port: int, inode: int) -> None:
    for _ in range(2):  # the second round carries the acknowledgement of the first one's echo
        _echo(client, _ROUND_BYTES)
    found = [one for one in diag.dump([port]) if one.inode == inode]
    if [(one.peer_port, one.received) for one in found] != [(client.getsockname()[1], 2 * _ROUND_BYTES)]:
        raise _Unproved("the table does not show what a connection carried")
    if not _ROUND_BYTES <= found[0].acked <= 2 * _ROUND_BYTES:
        raise _Unproved("the table does not show what was acknowledged")


def _prove_borrow(borrower: Borrower, inode: int) -> None:
    # Lifting a cap that does not exist is the least one can do to a duplicate.
    if not borrower.pace(inode, None):
        raise borrower.refusal or _Unproved("the socket of the child was not found")


def _prove_pace(client: socket.socket, borrower: Borrower, inode: int) -> None:
    if not borrower.pace(inode, _PACED_BYTES_PER_S):
        raise borrower.refusal or _Unproved("the socket of the child was not found")
    begun_s = time.monotonic()
    _echo(client, _PACED_BYTES)
    if time.monotonic() - begun_s < _PACED_AT_LEAST_S:
        raise _Unproved("a capped socket sends as fast as ever")
    borrower.pace(inode, None)


def _prove_reset(client: socket.socket, borrower: Borrower, inode: int) -> None:
    if not borrower.reset(inode):
        raise borrower.refusal or _Unproved("the socket of the child was not found")
    _require_ended(client)


def _prove_destroy(listener: socket.socket, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=_WAIT_S) as client:
        accepted, _ = listener.accept()
        with accepted:
            inode = os.fstat(accepted.fileno()).st_ino
            if not any(diag.destroy(one) for one in diag.dump([port]) if one.inode == inode):
                raise _Unproved("the connection was not found")
            _require_ended(client)


def _require_ended(client: socket.socket) -> None:
    try:
        client.recv(1)
    except TimeoutError:
        raise _Unproved("the connection goes on") from None
    except ConnectionError:
        return
    raise _Unproved("the connection goes on")


# --- the stage ---


@contextmanager
def _listening() -> Iterator[tuple[socket.socket, int]]:
    with socket.socket() as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT_BYTES)
        listener.settimeout(_WAIT_S)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener, listener.getsockname()[1]


@contextmanager
def _child_connection(listener: socket.socket, port: int) -> Iterator[tuple[socket.socket, int, int]]:
    """Connect to a child that sends everything back; it ends with the connection, however we end."""
    with socket.create_connection(("127.0.0.1", port), timeout=_WAIT_S) as client:
        accepted, _ = listener.accept()
        with accepted:
            inode = os.fstat(accepted.fileno()).st_ino
            child = subprocess.Popen(
                ["cat"], stdin=accepted.fileno(), stdout=accepted.fileno(), stderr=subprocess.DEVNULL
            )
        try:
            yield client, inode, child.pid
        finally:
            client.close()
            with suppress(subprocess.TimeoutExpired):
                child.wait(_WAIT_S)
            child.kill()
            child.wait()


def _echo(client: socket.socket, size: int) -> None:
    client.sendall(bytes(size))
    while size:
        chunk = client.recv(size)
        if not chunk:
            raise _Unproved("the connection ended early")
        size -= len(chunk)


def _reason(proof: Callable[[], None]) -> str | None:
    try:
        proof()
    except _Unproved as failure:
        return str(failure)
    except OSError as error:
        return _said(error)
    return None


def _said(error: OSError) -> str:
    return {
        errno.EPERM: "not permitted",
        errno.EACCES: "not permitted",
        errno.EOPNOTSUPP: "not supported by this kernel",
        errno.ENOSYS: "not supported by this kernel",
    }.get(error.errno or 0, str(error))
