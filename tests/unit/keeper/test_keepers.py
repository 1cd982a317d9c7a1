"""What the API keeps of keepers' figures, with a keeper at the other end that says what a test wants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from keystead.keeper import link, protocol
from keystead.keeper.keepers import Keepers
from keystead.keeper.link import KeeperPlace
from keystead.kit.errors import EngineUnavailable
from tests.support.clock import ManualClock

HELLO = {"version": protocol.VERSION, "boot": "b", "pid": 1, "echo_port": 2, "cores": []}
CARRIED = [1, 2, 0, 0]


@asynccontextmanager
async def keepers(directory: Path, answers: dict[str, Any]) -> AsyncIterator[tuple[Keepers, ManualClock]]:
    """Offer what the API has of one keeper, which answers each verb as told and leaves others unanswered."""
    place = KeeperPlace(directory / "k.sock", directory / "core.log", directory / "keeper.log", is_attached=False)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (message := await protocol.read_frame(reader)) is not None:
            if message["verb"] in answers:
                writer.write(protocol.frame({"id": message["id"], "answer": answers[message["verb"]]}))
        writer.close()

    clock = ManualClock()
    made = Keepers(place, clock=clock)
    async with await asyncio.start_unix_server(serve, place.socket):
        await made.open()
        yield made, clock
        await made.close()


def told(serial: int, changed: dict[str, Any], *, living: list[str], processes: list[str]) -> dict[str, Any]:
    return {"serial": serial, "is_full": False, "living": living, "all": processes, "changed": changed}


async def test_figures_of_processes_that_are_told_of_no_more_are_dropped(tmp_path: Path) -> None:
    answers: dict[str, Any] = {"hello": HELLO}
    async with keepers(tmp_path, answers) as (made, _):
        answers["carried"] = told(1, {"p-1": {"k1-1": CARRIED}}, living=["p-1"], processes=["p-1"])
        first = await made.carried()
        answers["carried"] = told(2, {"p-2": {"k1-1": CARRIED}}, living=["p-2"], processes=["p-2"])
        second = await made.carried()
        known = [known.carried for known in made._known.values()]

    assert first == {"p-1": (True, {"k1-1": CARRIED})}
    assert second == {"p-2": (True, {"k1-1": CARRIED})}
    assert known == [{"p-2": {"k1-1": CARRIED}}]


async def test_what_a_keeper_that_is_gone_had_told_is_kept_for_minutes(tmp_path: Path) -> None:
    answers: dict[str, Any] = {"hello": HELLO}
    async with keepers(tmp_path, answers) as (made, clock):
        answers["carried"] = told(1, {"p-1": {"k1-1": CARRIED}}, living=["p-1"], processes=["p-1"])
        await made.carried()
    kept = await made.carried()
    clock.advance(601)

    assert kept == {"p-1": (False, {"k1-1": CARRIED})}
    assert await made.carried() == {}


async def test_an_answer_that_does_not_come_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "ANSWER_S", 0.05)  # a test cannot wait as long as a core may need to end
    async with keepers(tmp_path, {"hello": HELLO}) as (made, _):
        with pytest.raises(EngineUnavailable, match="does not answer"):
            await made.carried()
        waiting = [known.link._waiting for known in made._known.values()]

    assert waiting == [{}]
