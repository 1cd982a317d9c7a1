"""Run a piece of a test without any privilege."""

import ctypes
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NOBODY = 65534
_PR_SET_DUMPABLE = 4


def as_nobody(function: Callable[..., None], *arguments: int | str) -> None:
    """Call a module's function in a process of uid 65534 without capabilities; fail as it fails.

    Where we are not root it is called right here.
    """
    if os.geteuid() != 0:
        function(*arguments)
        return
    code = (
        f"from {function.__module__} import {function.__name__} as wanted\n"
        f"from {__name__} import become_nobody\n"
        f"become_nobody()\n"
        f"wanted(*{arguments!r})\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == 0, ran.stderr


def become_nobody() -> None:
    """Drop everything, for good; what was imported before stays usable although its files are out of reach."""
    "localhost".encode("idna")  # looked up late by whatever resolves a name
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    # A process that changed its user is closed to its equals until it runs a program; this one runs none.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    os.chdir("/")


@contextmanager
def running_as_nobody(body: Callable[[], None]) -> Iterator[None]:
    """Run beside the test in a child without privileges, ended by SIGTERM."""
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                become_nobody()
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
