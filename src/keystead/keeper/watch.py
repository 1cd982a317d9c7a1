"""The keeper's watch over connections: every second one look at the kernel's table, and what follows from it.

Owned by the service. Per process of a core it keeps a table of connections (``connections``), cuts those of condemned
labels and holds each label to its speed, over all processes. What was said here stays in force while the API is away.

A process that has ended is kept for the API as what it carried, until that is settled: the counters inside it are gone.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

from keystead.keeper import diag, proving
from keystead.keeper.addresses import AddressLimits, counted_as
from keystead.keeper.borrowed import Borrower
from keystead.keeper.budgets import Conn
from keystead.keeper.carrying import Connection, LabelCarried
from keystead.keeper.condemned import Condemned
from keystead.keeper.connections import Table
from keystead.keeper.hunting import Hunted, Told
from keystead.keeper.journal import note
from keystead.keeper.neighbours import Neighbours
from keystead.keeper.process import Process
from keystead.keeper.proving import Cutter, Tricks
from keystead.keeper.siblings import Sent
from keystead.keeper.speeds import Speeds
from keystead.keeper.wall import Seconds, Wall
from keystead.kit.clock import Clock
from keystead.kit.errors import Unsupported
from keystead.kit.waiting import within

LOOK_EVERY_S = 1.0
# After a line or an order that cannot wait; the looks in between cost a core's share.
HURRY_S = 0.1
# A look because somebody asks comes this long after the last one at the earliest, and costs a sixteenth of a core at
# most: with the regular ones and the access lines, ten thousand connections cost less than a tenth.
NOW_S = 0.05
_PAUSE_PER_LOOK = 16
ENDED_MAX = 16
# What a process that has ended carried is told for so long to one who keeps asking: it has been booked by then.
ENDED_TOLD_S = 600.0
# Labels that can connect no more are forgotten when they were silent for so long: they have been booked long ago.
FORGET_AFTER_S = 86_400.0
FORGET_EVERY_S = 3_600.0
# What ``without`` may name beside the tricks with sockets: reading owners from the core's output.
LINES = "lines"


class Watch:
    """Everything known of connections, and the rules in force for them."""

    def __init__(
        self,
        clock: Clock,
        *,
        without: Collection[str] = (),
        neighbours: Neighbours | None = None,
        is_alone: Callable[[], bool] = lambda: True,
        on_foreign: Callable[[list[str]], None] = lambda _: None,
        known_labels: Callable[[], Collection[str]] = tuple,
        beside: Callable[[Sent], Mapping[str, Mapping[Conn, int]]] = dict,
    ) -> None:
        """Take who else is on this machine; ``beside`` adds what other keepers' connections of labels have sent."""
        self.tricks: Tricks | None = None
        self.proven = asyncio.Event()
        self.foreign: list[str] = []
        self._clock = clock
        self._neighbours = neighbours or Neighbours()
        self._is_alone = is_alone
        self._on_foreign = on_foreign
        self._known_labels = known_labels
        self._without = frozenset(without)
        self._processes: dict[str, Process] = {}
        self._ended: dict[str, dict[str, LabelCarried]] = {}
        self.speeds = Speeds(self._processes, beside)
        self._condemned = Condemned()
        self.addresses = AddressLimits()
        self._hurry = asyncio.Event()
        self._trouble = ""
        self._next_look_s = 0.0
        self._wall = Wall(clock)
        self._next_forget_s = clock.monotonic_s() + FORGET_EVERY_S
        self._ended_told_s: dict[str, float] = {}
        self._serial = 0
        self._told: dict[str, dict[str, LabelCarried]] = {}

    async def run(self) -> None:
        """Find out what works here, then look until cancelled."""
        self.tricks = await asyncio.to_thread(proving.prove, self._without)
        note("tricks", **vars(self.tricks), cut=self.tricks.way.value)
        for process in self._processes.values():
            process.cutter = Cutter(self.tricks, process.borrower)
        self.proven.set()
        while True:
            self._hurry.clear()
            self._look()
            self._wall.check()
            self.forget()
            if await within(self._clock, LOOK_EVERY_S, self._hurry.wait()):
                await self._clock.sleep(max(HURRY_S, self._next_look_s - self._clock.monotonic_s()))

    # --- processes ---

    def begin(self, process: str, pid: int, ports: Mapping[str, int]) -> None:
        """Watch the connections of a process that was started, at the port of each tag."""
        if process in self._processes:
            return
        borrower = None
        with suppress(OSError):
            borrower = Borrower(pid)
        cutter = Cutter(self.tricks or _NOTHING_WORKS, borrower)
        self._processes[process] = Process(pid, Table(ports, self._condemned), borrower, cutter)

    def listen(self, process: str, ports: Mapping[str, int]) -> None:
        """Watch a process at more ports; connections outlive their listener, so that none is ever dropped."""
        found = self._processes.get(process)
        if found is not None:
            found.table.ports.update(ports)

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

    def note_access(self, process: str, host: str, port: int, tag: str, label: str) -> None:
        """Take an access line; one of a label with a limit is looked at soon."""
        found = self._processes.get(process)
        if found is not None and LINES not in self._without:
            found.lines += 1
            found.table.note_access(host, port, tag, label, self._clock.monotonic_s())
            if label in self.speeds.limits or label in self.addresses.limits:
                self._hurry.set()

    # --- rules ---

    def cut(self, labels: Collection[str]) -> int:
        """End every connection of these labels, and whatever turns up until they are pardoned; return how many."""
        self._condemned.add(labels, self._clock.monotonic_s())
        found = sum(map(self._cut_condemned, self._processes.values()))
        self._hurry.set()  # what was opened since the last look is found by the next
        return found

    def cut_present(self, labels: Collection[str]) -> int:
        """End the connections that these labels have now; they may connect again at once. Return how many."""
        self.look_again()
        found = [(each, [one.socket for one in each.live(labels)]) for each in self._processes.values()]
        return sum(self._cut(process, sockets) for process, sockets in found)

    def cut_all(self, process: str) -> int:
        """End every connection of a process that is about to end, so that it counts what they carried."""
        found = self._processes.get(process)
        if found is None:
            return 0
        self._look()
        return self._cut(found, [connection.socket for connection in found.table.live()])

    def pardon(self, labels: Collection[str]) -> None:
        """Let labels connect again."""
        self._condemned.pardon(labels)

    def limit(self, limits: Mapping[str, int | None], addresses: Mapping[str, int | None]) -> None:
        """Hold labels to bytes a second and others to so many addresses, or let them go with None."""
        self.addresses.change(addresses)
        self.speeds.change(limits)
        self._hurry.set()

    def limit_only(self, limits: Mapping[str, int], addresses: Mapping[str, int]) -> None:
        """Hold exactly these labels to bytes a second, and exactly those to so many addresses."""
        self.speeds.keep_only(limits)
        self.addresses.keep_only(addresses)
        self._hurry.set()

    def attribute(self, process: str, online: Mapping[str, Collection[str]]) -> int:
        """Give connections without an owner to the only label online at their address."""
        found = self._processes.get(process)
        return 0 if found is None else found.table.attribute(online, self._clock.monotonic_s())

    def suspects(self, process: str | None) -> dict[str, int]:
        """Return by process how many connections without an owner may be of a label that was cut.

        Take notice of those of one process, or of all: its core is asked about them next.
        """
        now_s = self._clock.monotonic_s()
        found = {
            name: each.table.notice(now_s) if process in {None, name} else each.table.suspects(now_s)
            for name, each in self._processes.items()
        }
        return {name: count for name, count in found.items() if count}

    def hunt(self, process: str, online: Seconds, counted: Mapping[str, int]) -> Hunted:
        """End those of a process that are proven to be of a label that was cut, by what its core said.

        ``online`` tells for each address who is online there, and in which second of the wall clock each connected
        last, where that is known. Only a look that is newer than the core's answer proves anything.
        """
        found = self._processes.get(process)
        if found is None:
            return Hunted(0, is_over=True)
        if not self.look_again():
            return Hunted(0, is_over=False, doubtful=found.table.doubtful)
        hunted = found.table.hunt(Told(self._wall.placed(online), counted))
        if hunted.given:
            note("connections that no line told of are cut", process=process, count=hunted.given)
            self._cut_condemned(found)
        return hunted

    # --- what is read ---

    def carried(self, since: int) -> dict[str, Any]:
        """Return what labels carried, by process; only what has changed when ``since`` is the last answer's serial.

        A process that has ended is told of for minutes, if it is among the last few of them.
        """
        self.look_again()
        is_full = since != self._serial
        self._drop_told(is_full=is_full)
        living = {name: process.table.carried() for name, process in self._processes.items()}
        now = {**self._ended, **living}
        before = {} if is_full else self._told
        self._serial, self._told = self._serial + 1, now
        changed = {
            name: {label: found for label, found in labels.items() if before.get(name, {}).get(label) != found}
            for name, labels in now.items()
            if labels is not before.get(name)
        }
        return {
            "serial": self._serial,
            "is_full": is_full,
            "living": list(living),
            "all": list(now),
            "changed": changed,
        }

    def look_again(self) -> bool:
        """Look before somebody is answered who asks for now; many who ask at a time are answered from one look.

        Tell whether there was one.
        """
        is_due = self._clock.monotonic_s() >= self._next_look_s
        if is_due:
            self._look(is_rated=False)
        return is_due

    def carried_of(self, label: str) -> dict[str, tuple[bool, dict[str, LabelCarried]]]:
        """Return what a label has carried, by process, and whether that lives."""
        found = {name: (True, process.table.carried_of(label)) for name, process in self._processes.items()}
        found |= {name: (False, labels.get(label)) for name, labels in self._ended.items()}
        return {name: (lives, {label: carried}) for name, (lives, carried) in found.items() if carried is not None}

    def connections(self, labels: Collection[str] | None) -> list[tuple[str, Connection]]:
        """Return the open connections of these labels (None: all), each with its process.

        Raises Unsupported where the kernel's table cannot be read.
        """
        if self.tricks is not None and self.tricks.dump is not None:
            raise Unsupported(f"live connections are unknown here: {self.tricks.dump}; see keystead doctor")
        return [(name, connection) for name, process in self._processes.items() for connection in process.live(labels)]

    def seen(self, within_s: float, *, is_behind: bool | None = None) -> dict[str, float]:
        """Return how long ago labels were last seen, those seen within so many seconds; on one side, if it is named."""
        now_s = self._clock.monotonic_s()
        seen: dict[str, float] = {}
        for process in self._processes.values():
            for label, seen_s in process.table.seen(now_s - within_s, is_behind=is_behind).items():
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
            "limits": dict(self.speeds.limits),
            "ownerless": {name: process.table.ownerless_share(now_s) for name, process in self._processes.items()},
            "connections": {name: process.table.size for name, process in self._processes.items()},
            "doubtful": {name: list(process.table.doubtful) for name, process in self._processes.items()},
            "unowned": {name: process.table.unowned(now_s) for name, process in self._processes.items()},
            "trouble": self._trouble,
        }

    def _drop_told(self, *, is_full: bool) -> None:
        """Drop ended processes that who asks now was told of for long; one that asks anew is told from the start."""
        now_s = self._clock.monotonic_s()
        told_s = {} if is_full else self._ended_told_s
        self._ended_told_s = {name: told_s.get(name, now_s) for name in self._ended}
        for name, begun_s in self._ended_told_s.items():
            if now_s - begun_s > ENDED_TOLD_S:
                del self._ended[name]

    def forget(self) -> None:
        """Forget, once an hour, what labels carried that no core knows any more and that were silent for a day."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_forget_s:
            return
        self._next_forget_s = now_s + FORGET_EVERY_S
        self.addresses.forget_old(now_s)
        known = self._known_labels()
        forgotten = [process.table.forget(known, now_s - FORGET_AFTER_S) for process in self._processes.values()]
        if any(forgotten):
            self._serial += 1  # so that the next answer is full, and whoever asks forgets them too

    # --- the look ---

    def _look(self, *, is_rated: bool = True) -> None:
        """Look now; one that is not rated comes between two regular ones, and leaves rates and ends to them."""
        begun_s = time.process_time()
        self._take_sockets(is_rated=is_rated)
        took_s = time.process_time() - begun_s
        self._next_look_s = self._clock.monotonic_s() + max(NOW_S, _PAUSE_PER_LOOK * took_s)

    def _take_sockets(self, *, is_rated: bool) -> None:
        ports = {port for process in self._processes.values() for port in process.table.ports.values() if port}
        if self.tricks is None or not self.tricks.works(proving.Trick.DUMP) or not ports:
            return
        try:
            sockets = diag.dump(ports)
            foreign = self._neighbours.look(ports, self._held)
        except OSError as error:
            self._trouble = str(error)
            return
        if foreign != self.foreign:
            self.foreign = foreign
            self._on_foreign(foreign)
        self._trouble = ""
        now_s = self._clock.monotonic_s()
        for process, found in self._shared_out(sockets):
            process.table.take_dump(found, now_s, is_rated=is_rated)
            self._cut_condemned(process)
        self._refuse(now_s)
        if self.tricks.works(proving.Trick.PACE):
            self.speeds.pace(now_s)

    def _shared_out(self, sockets: list[diag.Socket]) -> Iterable[tuple[Process, list[diag.Socket]]]:
        """Give each process its own sockets: while several share a port, the kernel does not say whose is whose."""
        processes = list(self._processes.values())
        if len(processes) == 1 and self._is_alone() and not self.foreign:
            return [(processes[0], sockets)]
        held = [process.borrower.held() if process.borrower is not None else frozenset() for process in processes]
        return [
            (process, [one for one in sockets if one.inode in mine or process.table.has(one.cookie)])
            for process, mine in zip(processes, held, strict=True)
        ]

    def _held(self) -> frozenset[int]:
        held = [process.borrower.held() for process in self._processes.values() if process.borrower is not None]
        return frozenset().union(*held)

    def _refuse(self, now_s: float) -> None:
        """Cut labels' connections from addresses that are too many for them, wherever these connections are."""
        opened: dict[str, list[tuple[Process, Connection, str]]] = {}
        for process in self._processes.values():
            for label in self.addresses.among(process.table.connected):
                live = [(process, one, counted_as(one.socket.peer_host)) for one in process.live([label])]
                opened.setdefault(label, []).extend(live)
        for label, found in opened.items():
            moved: dict[str, float] = {}
            for _, one, address in found:
                moved[address] = max(one.moved_s, moved.get(address, 0.0))
            refused = self.addresses.judge(label, moved, now_s)
            for process, one, address in found:
                if address in refused:
                    self._cut(process, [one.socket])
        if self.addresses.has_doubts:
            self.addresses.has_doubts = False
            self._hurry.set()

    def _cut_condemned(self, process: Process) -> int:
        """Cut what is condemned now, and return how many that are; whatever is left of them is cut by the next look."""
        doomed = process.table.to_cut()
        self._cut(process, doomed)
        return len(doomed)

    def _cut(self, process: Process, doomed: Collection[diag.Socket]) -> int:
        """Cut connections and return how many were; a kernel that cannot do it now must not end the watch."""
        try:
            return len(process.cutter.cut_many(doomed))
        except OSError as error:
            self._trouble = f"connections not cut: {error.strerror}"
            note("connections not cut", error=error.strerror)
            return 0


_NOTHING_WORKS = Tricks("not tried yet", "not tried yet", "not tried yet", "not tried yet", "not tried yet")
