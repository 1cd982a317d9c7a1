"""Reach a socket inside a child process: duplicate it, act on it, close the duplicate at once.

Called by the keeper for the process of an engine it started. No privilege is needed for a child of the same user, also
under Yama's scope 1. Out of reach are a child with file capabilities or whose program file its user may not read (seen
on Linux 6.18), and every process where a seccomp filter forbids pidfd_getfd (containers without CAP_SYS_PTRACE).
Whether it works is found out by ``proving``.

A duplicate that stayed open would keep a connection alive after its owner closed it, so none does. Numbers of file
descriptors are used again at any moment: each duplicate is checked to be the socket wanted before anything is done.

Sources: pidfd_getfd(2), ptrace(2) on access modes, Linux net/ipv4/tcp.c (tcp_disconnect) and net/core/sock.c.
"""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from types import TracebackType

# The number is the same on every architecture (include/uapi/asm-generic/unistd.h); Python has no call for it.
_PIDFD_GETFD = 438
_SO_MAX_PACING_RATE = 47
# ~0U in four bytes is read as “unlimited” by every kernel (sk_setsockopt).
_UNLIMITED = 2**32 - 1
_AF_UNSPEC_ADDRESS = bytes(16)


class Borrower:
    """The sockets of one child process; close it, or use it as a context, when the process has ended.

    ``refusal`` holds the kernel's last refusal to duplicate, and is None while duplicating works.
    """

    def __init__(self, pid: int) -> None:
        """Raise OSError when the process is gone or the kernel knows no pidfd (Linux 5.3; duplicating, 5.6)."""
        self._process = os.pidfd_open(pid)
        self._directory = f"/proc/{pid}/fd"
        self._places: dict[int, int] = {}
        self.refusal: OSError | None = None

    def __enter__(self) -> "Borrower":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the process."""
        if self._process >= 0:
            os.close(self._process)
            self._process = -1

    def reset(self, inode: int) -> bool:
        """End a connection with a RST, now; return False when it is gone or out of reach."""
        return inode in self.reset_many([inode])

    def pace(self, inode: int, bytes_per_s: int | None) -> bool:
        """Cap what a socket sends, or lift the cap with None; return False when it is gone or out of reach."""
        return inode in self.pace_many({inode: bytes_per_s})

    def reset_many(self, inodes: Iterable[int]) -> set[int]:
        """End several connections, looking through the process's descriptors once at most; return those that ended."""
        return self._each(inodes, lambda _, borrowed: _disconnect(borrowed))

    def shut_many(self, inodes: Iterable[int]) -> set[int]:
        """Shut connections down in both directions, which is weaker than a reset; return those that took it."""
        return self._each(inodes, lambda _, borrowed: borrowed.shutdown(socket.SHUT_RDWR))

    def pace_many(self, rates: Mapping[int, int | None]) -> set[int]:
        """Cap several sockets, looking through the process's descriptors once at most; return those that took it."""
        return self._each(rates, lambda inode, borrowed: _pace(borrowed, rates[inode]))

    def held(self) -> frozenset[int]:
        """Return the inodes of all sockets the process has open now."""
        self._look_through()
        return frozenset(self._places)

    def _each(self, inodes: Iterable[int], act: Callable[[int, socket.socket], None]) -> set[int]:
        done: set[int] = set()
        missed = [inode for inode in inodes if inode and not self._act(inode, act, done)]
        if missed:
            self._look_through()
            for inode in missed:
                self._act(inode, act, done)
        return done

    def _act(self, inode: int, act: Callable[[int, socket.socket], None], done: set[int]) -> bool:
        with self._duplicate(inode) as borrowed:
            if borrowed is None:
                return False
            # A connection that ended meanwhile refuses what is asked of it.
            with suppress(OSError):
                act(inode, borrowed)
                done.add(inode)
            return True

    @contextmanager
    def _duplicate(self, inode: int) -> Iterator[socket.socket | None]:
        place = self._places.get(inode)
        descriptor = self._get(place) if place is not None else None
        if descriptor is None or os.fstat(descriptor).st_ino != inode:
            self._places.pop(inode, None)
            if descriptor is not None:
                os.close(descriptor)
            yield None
            return
        # Family and kind are given, since the socket would be asked for them by three system calls.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor) as borrowed:
            yield borrowed

    def _get(self, place: int) -> int | None:
        descriptor: int = _libc().syscall(_PIDFD_GETFD, self._process, place, 0)
        if descriptor >= 0:
            self.refusal = None
            return descriptor
        number = ctypes.get_errno()
        # EBADF: that descriptor is closed by now. ESRCH: the process has ended. Neither is a refusal.
        if number not in {errno.EBADF, errno.ESRCH}:
            self.refusal = OSError(number, os.strerror(number))
        return None

    def _look_through(self) -> None:
        """Learn anew which descriptor is which socket: two microseconds for each that the process has open."""
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            names = []
        except OSError as error:
            self.refusal = error
            return
        self._places, self.refusal = {}, None
        for name in names:
            with suppress(OSError):
                kind, _, inode = os.readlink(f"{self._directory}/{name}").partition(":[")
                if kind == "socket":
                    self._places[int(inode[:-1])] = int(name)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _disconnect(borrowed: socket.socket) -> None:
    """Reset by connecting to nowhere: connect(2) with AF_UNSPEC, which Python's own connect does not offer."""
    if _libc().connect(borrowed.fileno(), _AF_UNSPEC_ADDRESS, len(_AF_UNSPEC_ADDRESS)) != 0:
        # Some kernels refuse while a thread waits in the socket (EBUSY, Linux 6.4 to 6.6).
        borrowed.shutdown(socket.SHUT_RDWR)


def _pace(borrowed: socket.socket, bytes_per_s: int | None) -> None:
    rate = _UNLIMITED if bytes_per_s is None else min(max(bytes_per_s, 1), _UNLIMITED - 1)
    borrowed.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, struct.pack("=I", rate))
