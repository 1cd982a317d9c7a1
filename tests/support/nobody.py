"""Run a piece of a test without any privilege."""

import ctypes
import os
import traceback
from collections.abc import Callable

NOBODY = 65534
_PR_SET_DUMPABLE = 4


def as_nobody(body: Callable[[], None]) -> None:
    """Run in a child of uid 65534 without capabilities, or as we are when we are not root; fail as it fails."""
    if os.geteuid() != 0:
        body()
        return
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            # A process that changed its user is closed to its equals until it runs a program; this one runs none.
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
            body()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
