"""A replacement that a person asked for: what it would be, and carrying it out; for the managed driver.

The reconciler replaces a process when its configuration has to change. Here it is replaced although nothing has to: by
a fresh process of the same program, by the program that would be chosen now, or by one that another keeper owns.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from keystead.engines.xray import binary
from keystead.engines.xray.attendance import Attendance
from keystead.engines.xray.binary import Binary
from keystead.engines.xray.handover import Handover, Wanted
from keystead.engines.xray.state import XrayDesired
from keystead.keeper import protocol
from keystead.keeper.keepers import Keepers
from keystead.keeper.kept import KeptCore
from keystead.keeper.protocol import Message
from keystead.kit.errors import Conflict, EngineUnavailable, KeysteadError, Misconfigured
from keystead.reconcile.engine import CoreView, EngineView, KeeperView
from keystead.reconcile.replacement import Kind, Program, Progress, Replacement, Running, Wish


class Replacing:
    """Plan and carry out replacements of the process that serves."""

    def __init__(
        self,
        core: KeptCore,
        keepers: Keepers,
        handover: Handover,
        *,
        find: Callable[[], Binary],
        digest: Callable[[XrayDesired], str],
        served: Callable[[], Attendance | None],
    ) -> None:
        self._core = core
        self._keepers = keepers
        self._handover = handover
        self._find = find
        self._digest = digest
        self._served = served

    async def plan(self, scope: str, wish: Wish) -> Replacement:
        """Return what would be done; raise Conflict when there is no program to do it with."""
        served = self._running()
        runs = served.started
        running = await self._described(served)
        choose: Callable[[], Binary]
        if wish.kind is Kind.RESTART:
            choose = partial(binary.judge, runs.binary, "the program that runs now")
        else:
            choose = self._find
        try:
            found = await asyncio.to_thread(choose)
        except Misconfigured as error:
            raise Conflict(f"there is no program to {wish.kind.value} with: {error.message}") from error
        is_other = (found.path, found.version) != (runs.binary, runs.version)
        is_needed = wish.kind is Kind.RESTART or wish.has_new_keeper or is_other
        return Replacement(scope, wish, running, Program(str(found.path), found.version, found.reason), is_needed)

    async def prepare(self, replacement: Replacement, desired: XrayDesired) -> None:
        """Start the successor beside the present process and wait until it is warm."""
        await self._handover.prepare(desired, self._wanted(replacement, desired), self._served())

    async def carry_out(self, replacement: Replacement, desired: XrayDesired) -> None:
        """Let the successor take over; raise Conflict when what is desired has changed since it was prepared."""
        if not self._handover.is_prepared(self._wanted(replacement, desired)):
            raise Conflict("the configuration has changed meanwhile; look at the plan again")
        await self._handover.switch(desired, self._running())

    async def progress(self) -> Progress:
        """Return how far the last replacement has come."""
        now = self._handover.progress
        cores = [core for keeper in await self._keeper_views() for core in keeper.cores]
        left = sum(core.connections or 0 for core in cores if core.role == "leaving")
        return Progress(now.phase, now.message, left, now.serial)

    async def view(self) -> EngineView:
        """Return the keepers with their cores, who else is on our ports, and another program if there is one."""
        available, served = None, self._served()
        try:
            found = await asyncio.to_thread(self._find)
        except KeysteadError:
            found = None
        if found is not None and served is not None:
            runs = served.started
            if runs.binary.name and (found.path, found.version) != (runs.binary, runs.version):
                available = Program(str(found.path), found.version, found.reason)
        keepers = await self._keeper_views()
        foreign = sorted({told for listed in self._keepers.foreign.values() for told in listed})
        return EngineView(available, tuple(keepers), tuple(foreign))

    def _running(self) -> Attendance:
        served = self._served()
        if served is None:
            raise EngineUnavailable(
                f"Xray is {self._core.state.value}: there is nothing to replace; it starts by itself"
            )
        return served

    async def _keeper_views(self) -> list[KeeperView]:
        return [self._keeper_view(told) for told in await self._keepers.describe()]

    def _keeper_view(self, told: Message) -> KeeperView:
        is_ours = told["is_understood"]
        cores = [self._core_view(core, f"{told['boot']}/{core['core']}") for core in told["cores"]] if is_ours else []
        return KeeperView(
            pid=told["pid"],
            version=told["version"],
            is_understood=is_ours,
            is_leading=told["is_leading"],
            is_attached=bool(told.get("is_attached")),
            is_current=told.get("build") == protocol.build(),
            since=_moment(told.get("since_s")),
            cores=tuple(sorted(cores, key=lambda core: core.role != "serving")),
        )

    def _core_view(self, told: Message, name: str) -> CoreView:
        memo = told["memo"]
        role = "serving" if name == self._core.name else "leaving" if told.get("is_leaving") else "candidate"
        return CoreView(
            process=told["process"],
            pid=told["pid"],
            role=role,
            state=told["state"],
            version=str(memo.get("version", "")),
            since=_moment(told.get("since_s")),
            connections=told.get("connections"),
            trouble=told["trouble"],
        )

    async def _described(self, served: Attendance) -> Running:
        runs = served.started
        program = Program(str(runs.binary), runs.version)
        for keeper in await self._keeper_views():
            for core in keeper.cores:
                if core.process == served.process:
                    return Running(served.process, program, core.pid, core.since, core.connections, keeper.pid)
        return Running(served.process, program, self._core.pid, None, None, None)

    def _wanted(self, replacement: Replacement, desired: XrayDesired) -> Wanted:
        program, wish = replacement.successor, replacement.wish
        successor = Binary(Path(program.path), program.version, program.why)
        return Wanted(self._digest(desired), successor, wish.has_new_keeper)


def _moment(since_s: float | None) -> datetime | None:
    return datetime.fromtimestamp(since_s, UTC) if since_s else None
