"""The keeper's watch over connections: every second one look at the kernel's table, and what follows from it.

Owned by the service. Per process of a core it keeps a table of connections (``connections``), cuts those of condemned
labels and holds labels to their speed. What was said here stays in force while the API is away.

A process that has ended is kept for the API as what it carried, until that is settled: the counters inside it are gone.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from keystead.keeper import diag, pacing, proving
from keystead.keeper.borrowed import Borrower
from keystead.keeper.connections import Connection, LabelCarried, Table
from keystead.keeper.journal import note
from keystead.keeper.proving import Cutter, Tricks
from keystead.kit.clock import Clock
from keystead.kit.errors import Unsupported
from keystead.kit.waiting import within

LOOK_EVERY_S = 1.0
# After a line or an order that cannot wait; the looks in between cost a core's share.
HURRY_S = 0.1
ENDED_MAX = 16
# What ``without`` may name beside the tricks with sockets: reading owners from the core's output.
LINES = "lines"


@dataclass
class _Process:
    """One living process of a core."""

    pid: int
    ports: frozenset[int]
    table: Table
    borrower: Borrower | None
    cutter: Cutter
    lines: int = 0
    caps: dict[str, dict[int, int]] = field(default_factory=dict)


class Watch:
    """Everything known of connections, and the rules in force for them."""

    def __init__(self, clock: Clock, *, without: Collection[str] = ()) -> None:
        self.tricks: Tricks | None = None
        self.proven = asyncio.Event()
        self._clock = clock
        self._without = frozenset(without)
        self._processes: dict[str, _Process] = {}
        self._ended: dict[str, dict[str, LabelCarried]] = {}
        self._limits: dict[str, int] = {}
        self._hurry = asyncio.Event()
        self._looked = asyncio.Event()
        self._trouble = ""

    async def run(self) -> None:
        """Find out what works here, then look until cancelled."""
        self.tricks = await asyncio.to_thread(proving.prove, self._without)
        note("tricks", **vars(self.tricks), cut=self.tricks.way.value)
        for process in self._processes.values():
            process.cutter = Cutter(self.tricks, process.borrower)
        self.proven.set()
        while True:
            self._look()
            self._hurry.clear()
            if await within(self._clock, LOOK_EVERY_S, self._hurry.wait()):
                await self._clock.sleep(HURRY_S)

    # --- processes ---

    def begin(self, process: str, pid: int, ports: Iterable[int], tags: Mapping[str, int]) -> None:
        """Watch the connections of a process that was started."""
        if process in self._processes:
            return
        borrower = None
        with suppress(OSError):
            borrower = Borrower(pid)
        cutter = Cutter(self.tricks or _NOTHING_WORKS, borrower)
        self._processes[process] = _Process(pid, frozenset(ports), Table(tags), borrower, cutter)

    def end(self, process: str) -> None:
        """Keep what a process that has ended carried."""
        ended = self._processes.pop(process, None)
        if ended is None:
            return
        if ended.borrower is not None:
            ended.borrower.close()
        self._ended[process] = ended.table.carried()
        if len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]

    def settle(self, process: str) -> None:
        """Forget an ended process: what it carried is booked."""
        self._ended.pop(process, None)

    def note_access(self, process: str, host: str, port: int, tag: str, label: str) -> None:
        """Take an access line; one of a label with a limit is looked at soon."""
        found = self._processes.get(process)
        if found is not None and LINES not in self._without:
            found.lines += 1
            found.table.note_access(host, port, tag, label, self._clock.monotonic_s())
            if label in self._limits:
                self._hurry.set()

    # --- rules ---

    async def cut(self, labels: Collection[str]) -> int:
        """End every connection of these labels, and for a minute whatever turns up; return how many were found."""
        now_s = self._clock.monotonic_s()
        found = 0
        for process in self._processes.values():
            process.table.condemn(labels, now_s)
        self._look()
        for process in self._processes.values():
            found += sum(1 for label in labels for _ in process.table.live(label))
        self._hurry.set()
        return found

    def pardon(self, labels: Collection[str]) -> None:
        """Let labels connect again."""
        for process in self._processes.values():
            process.table.pardon(labels)

    def limit(self, limits: Mapping[str, int | None]) -> None:
        """Hold labels to bytes a second, or let them go with None."""
        for label, rate in limits.items():
            if rate is None:
                self._limits.pop(label, None)
            else:
                self._limits[label] = rate
        self._hurry.set()

    def limits(self) -> dict[str, int]:
        """Return the limits in force."""
        return dict(self._limits)

    def attribute(self, process: str, online: Mapping[str, Collection[str]]) -> int:
        """Give connections without an owner to the only label online at their address."""
        found = self._processes.get(process)
        return 0 if found is None else found.table.attribute(online, self._clock.monotonic_s())

    # --- what is read ---

    def carried(self) -> dict[str, dict[str, LabelCarried]]:
        """Return what labels carried, by living process."""
        return {name: process.table.carried() for name, process in self._processes.items()}

    def ended(self) -> dict[str, dict[str, LabelCarried]]:
        """Return what labels carried through processes that have ended and are not settled."""
        return dict(self._ended)

    def connections(self, labels: Collection[str] | None) -> list[tuple[str, Connection]]:
        """Return the open connections of these labels (None: all), each with its process.

        Raises Unsupported where the kernel's table cannot be read.
        """
        if self.tricks is not None and self.tricks.dump is not None:
            raise Unsupported(f"live connections are unknown here: {self.tricks.dump}; see keystead doctor")
        return [
            (name, connection)
            for name, process in self._processes.items()
            for connection in _live(process.table, labels)
        ]

    def seen(self, within_s: float) -> dict[str, float]:
        """Return how long ago labels were last seen, those seen within so many seconds."""
        now_s = self._clock.monotonic_s()
        seen: dict[str, float] = {}
        for process in self._processes.values():
            for label, seen_s in process.table.seen(now_s - within_s).items():
                seen[label] = min(round(now_s - seen_s, 1), seen.get(label, within_s))
        return seen

    def count(self, process: str) -> int:
        """Return how many connections a process has."""
        found = self._processes.get(process)
        return 0 if found is None else sum(1 for _ in found.table.live())

    def state(self) -> dict[str, Any]:
        """Return what works here and how well owners are known."""
        now_s = self._clock.monotonic_s()
        return {
            "tricks": None if self.tricks is None else vars(self.tricks),
            "cut": {name: process.cutter.way.value for name, process in self._processes.items()},
            "lines": {name: process.lines for name, process in self._processes.items()},
            "ownerless": {name: process.table.ownerless_share(now_s) for name, process in self._processes.items()},
            "connections": {name: process.table.size for name, process in self._processes.items()},
            "unowned": {name: process.table.unowned(now_s) for name, process in self._processes.items()},
            "trouble": self._trouble,
        }

    # --- the look ---

    def _look(self) -> None:
        ports = {port for process in self._processes.values() for port in process.ports}
        if self.tricks is None or not self.tricks.works(proving.Trick.DUMP) or not ports:
            return
        try:
            sockets = diag.dump(ports)
        except OSError as error:
            self._trouble = str(error)
            return
        self._trouble = ""
        now_s = self._clock.monotonic_s()
        for process, found in self._shared_out(sockets):
            process.table.take_dump(found, now_s)
            if doomed := process.table.to_cut(now_s):
                process.cutter.cut_many(doomed)
            self._pace(process)

    def _shared_out(self, sockets: list[diag.Socket]) -> Iterable[tuple[_Process, list[diag.Socket]]]:
        """Give each process its own sockets: while two share a port, the kernel's table does not say whose is whose."""
        processes = list(self._processes.values())
        if len(processes) == 1:
            return [(processes[0], sockets)]
        held = [process.borrower.held() if process.borrower is not None else frozenset() for process in processes]
        return [
            (process, [one for one in sockets if one.inode in mine or process.table.has(one.cookie)])
            for process, mine in zip(processes, held, strict=True)
        ]

    def _pace(self, process: _Process) -> None:
        if process.borrower is None or self.tricks is None or not self.tricks.works(proving.Trick.PACE):
            return
        rates: dict[int, int | None] = {}
        for label in [label for label in process.caps if label not in self._limits]:
            rates |= dict.fromkeys(process.caps.pop(label))
        for label, limit in self._limits.items():
            per_s = process.table.downlink_per_s(label)
            if not per_s:
                process.caps.pop(label, None)
                continue
            shares = pacing.shares(limit, per_s, process.caps.get(label))
            rates |= shares
            process.caps[label] = shares
        if rates:
            process.borrower.pace_many(rates)


_NOTHING_WORKS = Tricks("not tried yet", "not tried yet", "not tried yet", "not tried yet", "not tried yet")


def _live(table: Table, labels: Collection[str] | None) -> Iterable[Connection]:
    if labels is None:
        return table.live()
    return [connection for label in labels for connection in table.live(label)]
