"""A core as the API sees it: whoever attends to its process does so to the end, or the process is ended."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from keystead.keeper.keepers import Keepers
from keystead.keeper.kept import KeptCore
from keystead.keeper.link import KeeperPlace
from keystead.kit.clock import SystemClock

PROCESS = "boot-1"


class Asked(Keepers):
    """Keepers that note what they are asked."""

    def __init__(self, directory: Path) -> None:
        place = KeeperPlace(directory / "socket", directory / "core.log", directory / "log", is_attached=False)
        super().__init__(place, clock=SystemClock())
        self.asked: list[tuple[str, Any]] = []

    async def ask(self, verb: str, core: str, /, **arguments: Any) -> Any:
        self.asked.append((verb, arguments.get("process")))
        return {}


@pytest.fixture
def keepers(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


@pytest.fixture
def core(keepers: Asked) -> KeptCore:
    made = KeptCore(object(), keepers, clock=SystemClock())  # type: ignore[arg-type]  # the program is not asked
    made._told = {"process": PROCESS}
    return made


async def crash() -> None:
    raise ZeroDivisionError


async def test_a_process_whose_supervision_crashed_is_ended(core: KeptCore, keepers: Asked) -> None:
    await asyncio.wait([core.attended(PROCESS, crash())])
    for _ in range(3):
        await asyncio.sleep(0)

    assert keepers.asked == [("kill", PROCESS)]


async def test_a_process_that_is_attended_to_no_more_goes_on(core: KeptCore, keepers: Asked) -> None:
    attending = core.attended(PROCESS, asyncio.sleep(60))
    attending.cancel()
    await asyncio.wait([attending])
    for _ in range(3):
        await asyncio.sleep(0)

    assert keepers.asked == []
