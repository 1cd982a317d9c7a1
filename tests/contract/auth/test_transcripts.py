"""The wire's examples, replayed as they are written."""

from pathlib import Path

import pytest

from keystead.db.session import Database
from tests.contract import transcripts
from tests.support.instance import in_process

FILES = sorted(Path(__file__).parent.glob("*.http"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_the_wire_answers_as_written(database: Database, tmp_path: Path, path: Path) -> None:
    async with in_process(database, tmp_path, registration="open") as instance:
        await transcripts.replay(path, instance.stranger(), {})
