"""A core whose start is held up right after the fork: ``python -m tests.support.orphaning FIFO MARK``.

Prints the process id of the child, which goes on with its start as soon as somebody writes into the FIFO; the program
then leaves a mark. Whoever kills us meanwhile has killed a keeper between the fork and the child's first step.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from keystead.keeper.core import Core, State
from keystead.keeper.launch import Launch
from keystead.keeper.logfile import LogFile
from keystead.keeper.output import Output
from keystead.kit.clock import SystemClock

_HELD_UP = 'read _ <"$0"; exec "$@"'


def _hold_up(fifo: str) -> None:
    genuine: Any = subprocess.Popen

    def held_up(argv: list[str], **named: Any) -> Any:
        return genuine(["/bin/sh", "-c", _HELD_UP, fifo, *argv], **named)

    subprocess.Popen = held_up  # type: ignore[misc,assignment] # there is no other way in between


async def _run(mark: Path) -> None:
    core = Core(
        1,
        Launch(("/bin/sh", "-c", f"echo ran >{mark}")),
        output=Output(LogFile(mark.with_name("log"))),
        clock=SystemClock(),
        name_process=lambda: "p-1",
        on_change=lambda _: None,
    )
    core.start()
    await core.when(State.RUNNING)
    print(core.pid, flush=True)
    await core.when(State.BACKING_OFF)


if __name__ == "__main__":
    _hold_up(sys.argv[1])
    asyncio.run(_run(Path(sys.argv[2])))
