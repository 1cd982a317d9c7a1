"""What processes do: have they started another one, and how much of a core do they use.

Whether a program started another one is told from /proc, exactly and without privileges.

A child that still exists is in its parent's list of children. One that has ended and was waited for has left its page
faults with its parent (``cminflt`` of /proc/PID/stat, proc(5)), and no program runs without any. Threads leave none.
"""

import asyncio
from pathlib import Path

import psutil

_CMINFLT = 8  # counted from the field after the name in parentheses


class ProcessCount:
    """Watch programs for children."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._before = self._now()

    def has_changed(self) -> bool:
        """Tell whether any of the programs has started another one since this was made."""
        return self._now() != self._before

    def _now(self) -> list[tuple[int, frozenset[str]]]:
        return [(_faults_of_children(pid), _children(pid)) for pid in self._pids]


def _faults_of_children(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[_CMINFLT])


def _children(pid: int) -> frozenset[str]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return frozenset(child for file in lists for child in file.read_text().split())


async def cpu_used(seconds: float, *processes: psutil.Process) -> list[float]:
    """Return the share of one core that each process used over some seconds, in percent."""

    def used_s(process: psutil.Process) -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    before, begun_s = [used_s(process) for process in processes], asyncio.get_running_loop().time()
    await asyncio.sleep(seconds)
    elapsed_s = asyncio.get_running_loop().time() - begun_s
    return [100 * (used_s(process) - had_s) / elapsed_s for process, had_s in zip(processes, before, strict=True)]
