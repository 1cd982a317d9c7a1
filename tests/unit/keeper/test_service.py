"""What a keeper does when something of its own fails: cores go on, and so does everything else."""

import asyncio
import json
from pathlib import Path
from typing import cast

import pytest

from keystead.keeper.service import AGAIN_S, Keeper
from tests.support.clock import ManualClock


async def test_a_loop_that_fails_is_noted_and_begun_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock()
    keeper = Keeper(tmp_path / "k.sock", core_log=tmp_path / "core.log", is_attached=False, clock=clock)
    begun = asyncio.Semaphore(0)

    async def loop() -> None:
        begun.release()
        raise RuntimeError("no such thing")

    running = asyncio.create_task(keeper._keep_running(loop))
    async with asyncio.timeout(5):
        await begun.acquire()
        while begun.locked():
            clock.advance(AGAIN_S)
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert "a loop of the keeper failed" in capsys.readouterr().err


class Frames:
    """The other end of a connection."""

    def __init__(self) -> None:
        self.sent = b""

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.sent += data


@pytest.mark.parametrize(("more", "answered"), [({}, [7]), ({"is_told": True}, [])])
async def test_what_is_told_gets_no_answer(tmp_path: Path, more: dict[str, bool], answered: list[int]) -> None:
    keeper = Keeper(tmp_path / "k.sock", core_log=tmp_path / "core.log", is_attached=False, clock=ManualClock())
    frames = Frames()

    await keeper._answer({"id": 7, "verb": "hello", **more}, cast(asyncio.StreamWriter, frames))

    assert [json.loads(frames.sent[4:])["id"] for _ in frames.sent[:1]] == answered
