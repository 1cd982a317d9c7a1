"""An API that is killed in the middle of a handover: ``python -m tests.support.halfway DIRECTORY STEP``.

It takes the core over that a laboratory's keeper has, hands over to another process, and dies right after a step.
"""

import asyncio
import os
import pickle
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from keystead.engines.xray import users
from keystead.engines.xray.attendance import Attendance
from keystead.engines.xray.handover import Handover
from keystead.keeper.kept import KeptCore
from keystead.keeper.link import KeeperLink
from tests.support import xray

STEPS = ("warm", "noted", "opened", "proven", "told-one", "named", "closed", "retired")
_FILE = "halfway.pickle"


async def die_halfway(lab: xray.Lab, step: str) -> int:
    """Run an API on a laboratory's keeper that dies after a step; return its exit code."""
    (lab.directory / _FILE).write_bytes(pickle.dumps((lab.inbound, lab.users)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.halfway", str(lab.directory), step, cwd=Path(__file__).parents[2]
    )
    return await process.wait()


async def _hand_over(directory: Path, step: str) -> None:
    place = xray.keeper_place(directory, is_attached=False)
    lab = xray.Lab(directory, 0, 0, xray.options(directory, place))
    lab.inbound, lab.users = pickle.loads((directory / _FILE).read_bytes())
    _die_after(step)
    await lab.driver.start()
    await lab.ready()
    await lab.replace(has_new_keeper=step == "told-one")
    await asyncio.sleep(30)


def _die_after(step: str) -> None:
    """Let one of the handover's calls be the last one."""
    owner, name, times = {
        "warm": (Handover, "prepare", 1),
        "noted": (KeptCore, "relabel", 1),
        "opened": (Handover, "_open", 1),
        "proven": (Attendance, "prove", 1),
        "told-one": (KeeperLink, "ask", 2),
        "named": (KeptCore, "relabel", 2),
        "closed": (users, "close_all", 1),
        "retired": (KeptCore, "retire", 1),
    }[step]
    genuine: Callable[..., Awaitable[Any]] = getattr(owner, name)
    left = times

    async def last(*given: Any, **named: Any) -> Any:
        nonlocal left
        answer = await genuine(*given, **named)
        if owner is not KeeperLink or given[1] == "relabel":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, last)


if __name__ == "__main__":
    asyncio.run(_hand_over(Path(sys.argv[1]), sys.argv[2]))
