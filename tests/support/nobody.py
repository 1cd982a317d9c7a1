"""Run a piece of a test without any privilege."""

import ctypes
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NOBODY = 65534
_PR_SET_DUMPABLE = 4


def as_nobody_from_now_on() -> None:
    """Give up every privilege; nothing happens to a process that is not root."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        # A process that changed its user is closed to its equals until it runs a program; this one runs none.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def as_nobody(body: Callable[[], None]) -> None:
    """Run in a child of uid 65534 without capabilities, or as we are when we are not root; fail as it fails."""
    if os.geteuid() != 0:
        body()
        return
    child = os.fork()
    if child == 0:
        try:
            as_nobody_from_now_on()
            body()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@contextmanager
def running_as_nobody(body: Callable[[], None]) -> Iterator[None]:
    """Run beside the test in a child without privileges, ended by SIGTERM."""
    child = os.fork()
    if child == 0:
        try:
            as_nobody_from_now_on()
            body()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    try:
        yield
    finally:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
