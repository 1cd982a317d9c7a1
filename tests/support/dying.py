"""An import that is killed on its way: ``python -m tests.support.dying STEP ARGUMENT…``, as ``keystead`` is called.

It dies right after a step of its application, as after a power cut: nothing is finished, nothing is cleaned up.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from keystead import taking_over
from keystead.cli import app
from keystead.vpn import takeover

# The last of the steps is the commit; what follows is only told.
STEPS: dict[str, tuple[object, str]] = {
    "keys": (takeover, "_keys"),
    "everything": (takeover, "_audit"),
    "commit": (taking_over, "_in_database"),
}


def _die_after(step: str) -> None:
    owner, name = STEPS[step]
    genuine: Callable[..., Any] = getattr(owner, name)

    def last(*given: Any, **named: Any) -> Any:
        genuine(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, last)


if __name__ == "__main__":
    _die_after(sys.argv[1])
    app.main(sys.argv[2:])
