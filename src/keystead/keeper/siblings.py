"""What other keepers' connections of limited labels have sent, so that one limit holds over them and ours together.

While an old keeper sees its connections off beside its successor, a label may have connections in both. Each asks the
others about once a second, shares every limit out among all connections (``budgets``) and caps its own. They go by the
same figures and the same rule, so the caps sum up to the limit, and need nobody between them.

A keeper that does not answer, or is older than the question, is left out, as if its connections were idle.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from keystead.keeper import protocol
from keystead.keeper.budgets import Conn
from keystead.kit.clock import Clock

ASK_EVERY_S = 1.0
_ANSWER_WITHIN_S = 1.0

# What limited labels' open connections have sent so far.
Sent = Mapping[str, Mapping[Conn, int]]


class Siblings:
    """What was last told by the other keepers of a run directory."""

    def __init__(self, socket_path: Path, clock: Clock) -> None:
        """Take where this keeper itself listens."""
        self._socket_path = socket_path
        self._clock = clock
        self._told: dict[str, dict[Conn, int]] = {}

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self.ask()
            await self._clock.sleep(ASK_EVERY_S)

    async def ask(self) -> None:
        """Ask every other keeper once."""
        answers = await asyncio.gather(*map(_sent_by, protocol.siblings(self._socket_path)))
        self._told = _together(answers)

    def beside(self, sent: Sent) -> dict[str, dict[Conn, int]]:
        """Return what connections of some labels have sent, ours and those of the other keepers."""
        return {label: {**self._told.get(label, {}), **conns} for label, conns in sent.items()}


def told(sent: Sent) -> dict[str, list[list[object]]]:
    """Return what our own connections have sent, as a sibling is told it."""
    return {label: [[*conn, count] for conn, count in conns.items()] for label, conns in sent.items()}


def _together(answers: list[protocol.Message]) -> dict[str, dict[Conn, int]]:
    found: dict[str, dict[Conn, int]] = {}
    for answer in answers:
        for label, conns in answer.items():
            found.setdefault(label, {}).update({(process, inode): count for process, inode, count in conns})
    return found


async def _sent_by(path: Path) -> protocol.Message:
    """Return what a keeper's connections of limited labels have sent, nothing when it does not tell."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=1 << 20)
            try:
                writer.write(protocol.frame({"id": 1, "verb": "sent"}))
                answer = await protocol.read_frame(reader)
            finally:
                writer.close()
        found = (answer or {}).get("answer")
        return found if isinstance(found, dict) else {}
    return {}
